"""An nginx is the load balancer in front of either proxy, and takes hosts out by their health."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from stackctl.certs.dummy import make_dummy
from tests.e2e.conftest import NewStack
from tests.e2e.helpers import HAPROXY_IMAGE, NGINX_IMAGE, Reply, Stack, docker, wait_until

pytestmark = pytest.mark.e2e

IMAGES = {"nginx": NGINX_IMAGE, "haproxy": HAPROXY_IMAGE}
BALANCER = {"nginx": ["balancer-protocol"], "haproxy": []}

CLIENT = "192.0.2.7"
DOCKERS = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
"""What Docker's own networks are chosen from: requests of this host come from one of their gateways."""

CONF = """\
events {}
http {
    access_log off;
    upstream hosts { %s }
    server { listen %s:8081; location / { return 200 '"the other host"'; } }
    server {
        listen %s:443 ssl;
        listen %s:80;
        ssl_certificate /etc/nginx/chain.pem;
        ssl_certificate_key /etc/nginx/key.pem;
        location / {
            proxy_pass http://hosts;
            # A request that is lost is not repeated elsewhere.
            proxy_next_upstream off;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $host;
            proxy_set_header X-Forwarded-For "$http_x_forwarded_for, 192.0.2.7";
            proxy_set_header X-Forwarded-Proto $scheme;
        }
    }
}
"""


@dataclass
class Balancer:
    """It asks the host's health ten times a second, and loads another configuration when that changes."""

    stack: Stack
    address: str
    folder: Path
    container: str = ""
    healthy: bool = True
    over: threading.Event = field(default_factory=threading.Event)

    def write(self) -> None:
        servers = [f"server {self.stack.address}:80;"] if self.healthy else [f"server {self.address}:8081;"]
        (self.folder / "nginx.conf").write_text(CONF % (" ".join(servers), *[self.address] * 3))

    def asks(self) -> bool:
        """HTTP/1.0 without a Host, as old load balancers ask."""
        try:
            with socket.create_connection((self.stack.address, 80), 2) as connection:
                connection.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
                return connection.recv(64).startswith((b"HTTP/1.1 200 ", b"HTTP/1.0 200 "))
        except OSError:
            return False

    def watch(self) -> None:
        while not self.over.wait(0.1):
            if (there := self.asks()) is not self.healthy:
                self.healthy = there
                self.write()
                docker("kill", "--signal", "HUP", self.container)

    def ask(self, name: str, path: str = "/", *, tls: bool = True, forged: str = "") -> Reply:
        context = ssl._create_unverified_context()
        made = http.client.HTTPSConnection(self.address, timeout=10, context=context) if tls else None
        connection = made or http.client.HTTPConnection(self.address, timeout=10)
        try:
            connection.request("GET", path, headers={"Host": name, "X-Forwarded-For": forged})
            response = connection.getresponse()
            return Reply(response.status, response.read(), None, response.headers)
        finally:
            connection.close()


@pytest.fixture(scope="module", params=["nginx", "haproxy"])
def proxy(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def site(proxy: str, new_stack: NewStack) -> Stack:
    stack = new_stack()
    trusted = [word for one in DOCKERS for word in ("--trusted", one)]
    arguments = stack.init_arguments("--behind", "alb", *trusted, "--proxy", proxy, nginx=IMAGES[proxy])
    at = arguments.index("--https")
    stack.ok(*arguments[:at], *arguments[at + 2 :])
    stack.add("app")
    return stack


@pytest.fixture(scope="module")
def balancer(site: Stack, addresses: Iterator[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Balancer]:
    folder = tmp_path_factory.mktemp("balancer")
    chain, key = make_dummy([site.domain("app")], datetime.now(UTC))
    (folder / "chain.pem").write_bytes(chain)
    (folder / "key.pem").write_bytes(key)
    made = Balancer(site, next(addresses), folder)
    made.write()
    made.container = docker(
        *["run", "-d", "--rm", "--network", "host", "--volume", f"{folder}:/etc/nginx:ro", "--tmpfs", "/run"],
        *[
            "--tmpfs",
            "/var/cache/nginx",
            "--entrypoint",
            "nginx",
            NGINX_IMAGE,
            "-e",
            "/dev/stderr",
            "-g",
            "daemon off;",
        ],
    )
    thread = threading.Thread(target=made.watch)
    try:
        wait_until(lambda: made.ask(site.domain("app")).status == 200, what="the balancer serves")
        thread.start()
        yield made
    finally:
        made.over.set()
        if thread.is_alive():
            thread.join()
        docker("rm", "-f", made.container)


def test_the_site_has_no_certificate_and_the_app_sees_the_visitor(proxy: str, site: Stack, balancer: Balancer) -> None:
    name = site.domain("app")
    assert not site.lineages()
    ports = site.compose("ps", "--format", "json")
    assert ":443->" not in ports
    headers = balancer.ask(name, forged="6.6.6.6").json()["headers"]
    seen = {key.lower(): value for key, value in headers.items()}
    assert (seen["x-forwarded-for"], seen["x-real-ip"], seen["x-forwarded-proto"]) == (CLIENT, CLIENT, "https")
    assert seen["x-forwarded-port"] == "443"
    plain = balancer.ask(name, "/a?b", tls=False)
    assert (plain.status, plain.headers["Location"]) == (308, f"https://{name}/a?b")
    assert not site.ok("plan").stdout.count("+")
    assert "http" in site.ok("status").stdout
    log = wait_until(lambda: docker("logs", site.container(proxy)), what="the log is written")
    assert f"\n{CLIENT} " in f"\n{log}"
    assert "/healthz" not in log


def test_a_host_that_goes_loses_no_request(site: Stack, balancer: Balancer) -> None:
    name, over = site.domain("app"), threading.Event()
    seen: list[tuple[int, bytes]] = []
    lost: list[str] = []

    def visit() -> None:
        while not over.wait(0.01):
            try:
                reply = balancer.ask(name)
                seen.append((reply.status, reply.body))
            except (OSError, http.client.HTTPException) as error:
                lost.append(repr(error))

    threads = [threading.Thread(target=visit) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        begun = time.monotonic()
        said = site.ok("down", "--drain", "3s")
        assert time.monotonic() - begun > 3
        assert "/healthz answers 503" in said.stderr + said.stdout
        wait_until(lambda: b"the other host" in seen[-1][1], what="the other host serves")
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert not lost
    assert {status for status, _ in seen} == {200}
    assert len(seen) > 50
    site.ok("up", "--no-issue")
    wait_until(balancer.asks, what="the host takes requests again")
    wait_until(lambda: b"the other host" not in balancer.ask(name).body, what="the balancer has the host again")


def test_maintenance_of_the_host_holds_over_a_reload(proxy: str, site: Stack, balancer: Balancer) -> None:
    site.ok("maintenance", "host", "on")
    assert not balancer.asks()
    docker("kill", "--signal", "HUP", site.container(proxy))
    site.compose("restart", proxy)
    wait_until(lambda: site.http("nobody.example.net", "/healthz").status == 503, what="the proxy answers")
    assert "takes no requests of its load balancer" in site.ok("status").stdout
    site.ok("maintenance", "host", "off")
    assert balancer.asks()


def test_tls_of_its_own_comes_and_goes_like_any_change(site: Stack, balancer: Balancer) -> None:
    name = site.domain("app")
    site.edit("    tls: ", "    # tls: ")
    site.edit("    redirect: ", "    # redirect: ")
    site.edit(f'"{site.address}:80:80"', f'"{site.address}:80:80"\n      - "{site.address}:443:443"')
    site.ok("up")
    assert site.trusted(name)
    # The balancer still terminates TLS; for a moment it has connections of before.
    wait_until(lambda: balancer.ask(name).status == 508, what="the loop is recognised")
    assert b"Full (strict)" in balancer.ask(name).body
    site.edit("    # tls: ", "    tls: ")
    site.edit("    # redirect: ", "    redirect: ")
    site.ok("up")
    wait_until(lambda: balancer.ask(name).status == 200, what="the balancer's requests are served")
    assert site.lineages() == [name]


def test_the_proxy_protocol_reaches_through_all_commands(proxy: str, site: Stack) -> None:
    name = site.domain("app")
    site.edit("    tls: ", "    client-ip: proxy-protocol\n    # tls: ")
    site.edit("    redirect: ", "    # redirect: ")
    site.ok("up")
    assert not site.ok("plan", "--check").stderr
    assert "real" in site.ok("status").stdout
    site.ok("explain", name)
    wrong = json.loads(site.run("doctor", "--output", "json").stdout)
    found = {row["name"]: row["verdict"] for section in wrong["sections"] for row in section["checks"]}
    # The name leads to this host itself, and the balancer sends no PROXY header: only nginx logs that.
    assert [check for check, verdict in found.items() if verdict == "wrong"] == ["reach", *BALANCER[proxy]]
    assert (found["challenge"], found["balancer-health"]) == ("ok", "ok")
    checks = json.loads(docker("inspect", "-f", "{{json .Config.Healthcheck.Test}}", site.container(proxy)))
    docker("exec", site.container(proxy), "sh", "-c", checks[1])
    assert site.closed(name), "a request without the header"
