"""What the proxy answers itself, on the wire: redirects, pages, maintenance, and unknown names."""

from __future__ import annotations

import http.client
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from stackctl.certs.dummy import make_dummy
from tests.e2e.conftest import NewStack
from tests.e2e.helpers import NGINX_IMAGE, Reply, Secure, Stack, sans, trusting, wait_until
from tests.e2e.load import PAUSE

pytestmark = pytest.mark.e2e

WAY = "/a%2Fb//c?d=%20e&f"


@dataclass
class Answers:
    """A stack with a site, which has an alias and pages, and a name that is only redirected."""

    stack: Stack
    site: str
    alias: str
    old: str


@pytest.fixture(scope="module")
def answers(new_stack: NewStack) -> Answers:
    stack = new_stack()
    site, alias, old = (stack.domain(label) for label in ("app", "www", "old"))
    stack.add_dns(site, alias, old)
    stack.init()
    (stack.directory / "pages").mkdir()
    (stack.directory / "pages/502.html").write_text("<p>sorry")
    (stack.directory / "pages/hello.txt").write_text("hello")
    stack.ok("add-app", site, "--alias", alias, "--image", "stackctl-lab/app:latest")
    stack.ok("set", site, f"canonical={site}", "errors.502=pages/502.html")
    stack.ok("add-redirect", old, f"https://{site}")
    return Answers(stack, site, alias, old)


def plain(stack: Stack, name: str, path: str, method: str = "GET") -> Reply:
    connection = http.client.HTTPConnection(stack.address, 80, timeout=15)
    try:
        connection.request(method, path, headers={"Host": name})
        response = connection.getresponse()
        return Reply(response.status, response.read(), None, response.msg)
    finally:
        connection.close()


def test_each_redirect_is_one_hop_and_keeps_every_byte(answers: Answers) -> None:
    stack = answers.stack
    for name in (answers.alias, answers.old):
        for reply in (plain(stack, name, WAY), plain(stack, name, WAY, "POST"), stack.https(name, WAY)):
            assert (reply.status, reply.headers["Location"]) == (308, f"https://{answers.site}{WAY}")
    posted = stack.https(answers.old, WAY, method="POST", body=b"x" * 100)
    assert (posted.status, posted.headers["Location"]) == (308, f"https://{answers.site}{WAY}")
    assert stack.https(answers.site).status == 200
    assert sans(stack.certificate(answers.site)) == {answers.site, answers.alias}
    assert sans(stack.certificate(answers.old)) == {answers.old}
    stack.ok("explain", answers.old)
    assert answers.old in stack.ok("status").stdout


def test_a_stopped_app_shows_the_page_of_its_site(answers: Answers) -> None:
    stack = answers.stack
    stack.compose("stop", "app")
    wait_until(lambda: stack.https(answers.site).body == b"<p>sorry", what="the page is shown")
    reply = stack.https(answers.site)
    assert (reply.status, reply.headers["Content-Type"]) == (502, "text/html; charset=utf-8")
    posted = stack.https(answers.site, "/any", method="POST", body=b"x")
    assert (posted.status, posted.body) == (502, b"<p>sorry")
    assert stack.https(answers.site, "/.well-known/stackctl/pages/pages/502.html").status == 404
    stack.compose("start", "app")
    wait_until(lambda: stack.trusted(answers.site), what="the app is back")


@contextmanager
def load(stack: Stack, name: str) -> Iterator[Counter[int]]:
    """The statuses that clients get meanwhile, on kept and on new connections."""
    statuses: Counter[int] = Counter()
    ends = threading.Event()

    def ask(*, kept: bool) -> None:
        connection = Secure(stack.address, name, trusting(stack.lab.root))
        while not ends.wait(PAUSE):
            connection.request("POST" if kept else "GET", "/", b"x" if kept else None)
            response = connection.getresponse()
            response.read()
            statuses[response.status] += 1
            if not kept:
                connection.close()
        connection.close()

    threads = [threading.Thread(target=ask, kwargs={"kept": number % 2 == 0}) for number in range(4)]
    for thread in threads:
        thread.start()
    try:
        yield statuses
    finally:
        ends.set()
        for thread in threads:
            thread.join()


def test_maintenance_under_load_is_the_app_or_503_and_nothing_else(answers: Answers) -> None:
    stack, site = answers.stack, answers.site
    with load(stack, site) as statuses:
        wait_until(lambda: statuses[200] > 20, what="the app is under load")
        stack.ok("maintenance", "on", site, "--message", "Back soon.")
        reply = stack.https(site, "/any", method="POST", body=b"x")
        assert (reply.status, reply.headers["Retry-After"]) == (503, "300")
        assert b"Back soon." in reply.body
        assert "in maintenance" in stack.ok("status").stdout
        assert "maintenance off" in stack.fails(1, "explain", site).stdout
        stack.ok("maintenance", "off", site)
        seen = statuses[200]
        wait_until(lambda: statuses[200] > seen + 20, what="the app is served again")
    assert set(statuses) == {200, 503}, statuses


def test_maintenance_spares_allowed_clients_and_challenges_and_ends_by_itself(answers: Answers) -> None:
    stack, site = answers.stack, answers.site
    gateway = wait_until(lambda: client(stack, site))
    stack.ok("maintenance", "on", site, "--allow", gateway)
    assert stack.https(site).status == 200
    end = datetime.now(UTC) + timedelta(seconds=12)
    stack.ok("maintenance", "on", site, "--page", "pages/hello.txt", "--until", f"{end:%Y-%m-%dT%H:%M:%SZ}")
    reply = stack.https(site, method="POST", body=b"x")
    assert (reply.status, reply.body) == (503, b"hello")
    assert reply.headers["Retry-After"] == f"{end:%a, %d %b %Y %H:%M:%S} GMT"
    token = stack.directory / "data/certbot/www/.well-known/acme-challenge/token"
    token.parent.mkdir(parents=True, exist_ok=True)
    token.write_text("challenge")
    assert stack.http(site, "/.well-known/acme-challenge/token").body == b"challenge"
    token.unlink()
    workers = stack.workers()
    wait_until(lambda: stack.trusted(site), 30, "the maintenance ends by itself")
    assert time.time() >= int(end.timestamp())
    assert stack.workers() == workers, "without a reload"
    stack.ok("rollback")
    stack.ok("maintenance", "off", site)


def client(stack: Stack, name: str) -> str:
    """The address that the app sees this client have."""
    return str(stack.https(name).json()["headers"]["X-Real-IP"])


def test_unknown_names_get_what_is_asked_for(answers: Answers) -> None:
    stack, stranger = answers.stack, answers.stack.domain("stranger")
    assert stack.closed(stranger)
    text = stack.file.read_text()
    for value, expected in (
        ("404", (404, None)),
        ("{redirect: 'https://example.org/x'}", (302, None)),
        ("{page: pages/hello.txt}", (200, b"hello")),
        (f"{{app: {answers.site}}}", (200, None)),
    ):
        stack.file.write_text(re.sub(r"^x-stackctl:\n", f"x-stackctl:\n  default: {value}\n", text, flags=re.MULTILINE))
        stack.ok("up")
        reply = stack.http(stranger)
        assert reply.status == expected[0], value
        assert expected[1] in {None, reply.body}, value
        assert stack.refused(stranger), "no certificate is for it"
    stack.file.write_text(text)
    stack.ok("up")
    assert stack.closed(stranger)


SERVER = """\
events {}
http {
    server {
        listen 50051;
        http2 on;
        location / { return 200 "$server_protocol $host $http_x_forwarded_proto"; }
    }
    server {
        listen 50052 ssl;
        http2 on;
        ssl_certificate /app/chain.pem;
        ssl_certificate_key /app/key.pem;
        location / { return 200 "$server_protocol $host tls"; }
    }
}
"""
"""An app that speaks HTTP/2 alone on one port, and over TLS on another."""


def test_apps_that_speak_grpc_and_http2(answers: Answers) -> None:
    stack, names = answers.stack, [answers.stack.domain(label) for label in ("grpc", "grpcs", "h2c")]
    stack.add_dns(*names)
    folder = stack.directory / "http2"
    folder.mkdir()
    chain, key = make_dummy(["http2"], datetime.now(UTC))
    for name, content in (("nginx.conf", SERVER.encode()), ("chain.pem", chain), ("key.pem", key)):
        (folder / name).write_bytes(content)
    service = (
        f"services:\n  http2:\n    image: {NGINX_IMAGE}\n"
        "    entrypoint: [nginx, -c, /app/nginx.conf, -g, 'daemon off;']\n"
        "    volumes:\n      - ./http2:/app:ro\n"
    )
    stack.edit("services:\n", service)
    grpc, grpcs, h2c = names
    apps = "".join(
        f"    - {{domains: [{name}], service: http2, port: {port}, {keys}}}\n"
        for name, port, keys in (
            (grpc, 50051, "protocol: grpc, timeouts: long"),
            (grpcs, 50052, "protocol: grpcs, upstream-tls: {verify: false}"),
            (h2c, 50051, "protocol: h2c"),
        )
    )
    stack.edit("x-stackctl:\n", f"x-stackctl:\n  apps:\n{apps}")
    stack.ok("up")
    assert stack.https(grpc).body.decode() == f"HTTP/2.0 {grpc} https"
    assert stack.https(grpcs).body.decode() == f"HTTP/2.0 {grpcs} tls"
    assert stack.https(h2c, "/a%2Fb", method="POST", body=b"x" * 1000).body.decode() == f"HTTP/2.0 {h2c} https"
    stack.ok("explain", grpc)
