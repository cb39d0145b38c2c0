"""What an app gets of a request, and a client of a response: asked over HTTP/1.0, 1.1 and 2, on three nginx."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import NewStack
from tests.e2e.helpers import APP_IMAGE, ROOT, Stack, docker, inspect, trusting, wait_until

pytestmark = pytest.mark.e2e

VERSIONS = {"1.22": (80, 443), "1.26": (8080, 8443), "1.30": (80, 443)}
"""The nginx, and where its stack is published."""

CLAIMS = [
    *("X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Prefix"),
    *("X-Forwarded-Ssl", "X-Forwarded-Server", "X-Forwarded-User", "X-Forwarded-Scheme", "X-Real-IP", "Forwarded"),
    *("True-Client-IP", "CF-Connecting-IP", "CF-Visitor", "Fastly-Client-IP", "X-Client-IP", "X-Cluster-Client-IP"),
    *("Client-IP", "Proxy", "X-Original-URL", "X-Rewrite-URL", "X-Original-Host", "X-Host", "Remote-User"),
    *("X-Remote-User", "X-Auth-Request-User", "X-SSL-Client-Verify", "Front-End-Https", "HTTP2-Settings"),
    *("x-forwarded-for", "X_Forwarded_For", "X-Url-Scheme"),
]
"""Request headers by which a client could pass for the proxy."""

FORGED = "192.0.2.66"
OWN = """\
client_max_body_size 1k;
proxy_read_timeout 1s;
proxy_set_header X-Language de;
add_header X-Mine here;
location = /own/upload { proxy_pass http://app_NAME; }
location = /denied { deny all; }
"""


@dataclass
class Edge:
    """A stack with two sites of the app that reports what it saw."""

    stack: Stack
    ports: tuple[int, int]
    version: str

    @property
    def name(self) -> str:
        return self.stack.domain("seen")

    @property
    def other(self) -> str:
        return self.stack.domain("other")

    def authority(self, *, tls: bool) -> str:
        port = self.ports[tls]
        return self.name if port in {80, 443} else f"{self.name}:{port}"

    def connect(self, *, tls: bool = True) -> socket.socket:
        plain = socket.create_connection((self.stack.address, self.ports[tls]), 15)
        return trusting(None).wrap_socket(plain, server_hostname=self.name) if tls else plain

    def ask(
        self, target: str, *headers: str, version: str = "1.1", tls: bool = True, host: str | None = None,
        method: str = "GET", body: bytes = b"",
    ) -> http.client.HTTPResponse:  # fmt: skip
        """Ask in exactly these words, and read the answer."""
        lines = [
            f"{method} {target} HTTP/{version}",
            *([] if host == "" else [f"Host: {host or self.authority(tls=tls)}"]),
        ]
        lines += [*headers, *([f"Content-Length: {len(body)}"] if body else []), "Connection: close", "", ""]
        with self.connect(tls=tls) as connection:
            connection.sendall("\r\n".join(lines).encode() + body)
            response = http.client.HTTPResponse(connection)
            response.begin()
            response.body = response.read()  # type: ignore[attr-defined]
            return response

    def seen(self, target: str, *headers: str, **how: Any) -> list[tuple[str, str]]:
        """The headers that the app saw, in lower case."""
        response = self.ask(target, *headers, **how)
        assert response.status == 200, (target, response.status)
        return _pairs(response.body)  # type: ignore[attr-defined]

    def curl(self, target: str, *arguments: str) -> tuple[int, str]:
        """Ask over HTTP/2; returns curl's exit code and what it printed."""
        url = f"https://{self.authority(tls=True)}{target}"
        to = f"{self.name}:{self.ports[1]}:{self.stack.address}"
        command = ["curl", "--silent", "--insecure", "--http2", "--max-time", "15", "--resolve", to, *arguments, url]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
        return done.returncode, done.stdout


def _pairs(body: bytes | str) -> list[tuple[str, str]]:
    return [(name.lower(), value) for name, value in json.loads(body)["headers"]]


@pytest.fixture(scope="module", params=VERSIONS)
def edge(request: pytest.FixtureRequest, new_stack: NewStack) -> Iterator[Edge]:
    stack = new_stack()
    http_port, https_port = VERSIONS[request.param]
    arguments = stack.init_arguments(nginx=f"stackctl/nginx:{request.param}")
    for was, port in ((":80", http_port), (":443", https_port)):
        arguments = [f"{stack.address}:{port}" if one == f"{stack.address}{was}" else one for one in arguments]
    stack.ok(*arguments)
    shutil.copy(ROOT / "tests/lab/raw/app.py", stack.directory / "app.py")
    made = Edge(stack, (http_port, https_port), request.param)
    text = stack.file.read_text()
    sites = "".join(
        f"  {service}:\n    image: {APP_IMAGE}\n    command: [python3, -u, /raw.py, '8000']\n"
        f"    volumes: [./app.py:/raw.py:ro]\n"
        f"    x-stackctl:\n      domains: [{name}]\n      port: 8000\n"
        for service, name in (("seen", made.name), ("other", made.other))
    )
    # Engine 20.10 chooses no prefix by itself.
    subnet = f"fd{stack.token[1:3]}:{stack.token[3:]}::/64"
    network = f"networks:\n  default:\n    enable_ipv6: true\n    ipam:\n      config:\n        - subnet: '{subnet}'\n"
    stack.file.write_text(text.replace("services:\n", f"services:\n{sites}", 1) + network)
    # Compose cannot change a network that is in use.
    stack.ok("down")
    stack.ok("up", "--no-issue")
    wait_until(lambda: made.ask("/").status == 200)
    yield made
    stack.remove()


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("tls", [True, False])
def test_nothing_that_a_client_says_about_itself_passes(edge: Edge, version: str, *, tls: bool) -> None:
    claims = [f"{name}: {FORGED}" for name in CLAIMS]
    seen = edge.seen("/", *claims, version=version, tls=tls)
    assert FORGED not in json.dumps(seen)
    _is_vouched_for(edge, seen, tls=tls)
    # Each name that the proxy sets arrives once.
    assert len({name for name, _ in seen}) == len(seen)


def test_nothing_that_a_client_says_about_itself_passes_over_http2(edge: Edge) -> None:
    code, said = edge.curl("/", *(part for name in CLAIMS for part in ("--header", f"{name}: {FORGED}")))
    assert code == 0
    assert FORGED not in said
    _is_vouched_for(edge, _pairs(said), tls=True)


def _is_vouched_for(edge: Edge, seen: list[tuple[str, str]], *, tls: bool) -> None:
    got = dict(seen)
    assert got["host"] == got["x-forwarded-host"] == edge.authority(tls=tls)
    assert got["x-forwarded-port"] == str(edge.ports[tls])
    assert got["x-forwarded-proto"] == ("https" if tls else "http")
    assert got["x-real-ip"] == got["x-forwarded-for"]
    assert {name for name in got if name.startswith("x-forwarded-")} == {
        f"x-forwarded-{what}" for what in ("for", "proto", "host", "port")
    }


@pytest.mark.parametrize(
    ("target", "host"),
    [
        ("https://NAME/", "evil.example.com"),
        ("https://NAME/", "evil.example.com:99"),
        ("https://NAME/", "NAME.evil.example.com"),
        ("https://user@NAME/", None),
        ("/", "NAME.:99999999"),
    ],
)
def test_the_host_is_the_sites_own_whatever_the_form_of_the_request(edge: Edge, target: str, host: str | None) -> None:
    response = edge.ask(target.replace("NAME", edge.name), host=host.replace("NAME", edge.name) if host else None)
    if response.status == 200:
        _is_vouched_for(edge, _pairs(response.body), tls=True)  # type: ignore[attr-defined]
    else:
        assert response.status == 400


def test_the_port_is_the_one_in_the_browser(edge: Edge) -> None:
    # A router or a tunnel may publish another port than this host.
    got = dict(edge.seen("/", host=f"{edge.name.upper()}:9443"))
    assert got["host"] == got["x-forwarded-host"] == f"{edge.name}:9443"
    assert got["x-forwarded-port"] == "9443"
    got = dict(edge.seen("/", host=edge.name))
    assert (got["host"], got["x-forwarded-port"]) == (edge.name, "443")
    # HTTP/1.0 without a Host names no site.
    with pytest.raises(http.client.RemoteDisconnected):
        edge.ask("/", host="", version="1.0")


def test_only_websockets_are_upgraded(edge: Edge) -> None:
    for protocol in ("h2c", "websocket, h2c", "TLS/1.0", "websocketx"):
        with edge.connect() as connection:
            connection.sendall(
                f"GET /ws HTTP/1.1\r\nHost: {edge.name}\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\n\r\n".encode()
            )
            assert connection.recv(1000).startswith(b"HTTP/1.1 426"), protocol
    for protocol in ("websocket", "WebSocket"):
        with edge.connect() as connection:
            connection.sendall(
                f"GET /ws HTTP/1.1\r\nHost: {edge.name}\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\n\r\n".encode()
            )
            said = connection.recv(1000).lower()
            assert said.startswith(b"http/1.1 101"), protocol
            assert b"\r\nupgrade: websocket\r\n" in said
            connection.sendall(b"echo")
            assert connection.recv(1000) == b"echo"


def test_an_answer_with_headers_that_http2_forbids_reaches_its_client(edge: Edge) -> None:
    code, said = edge.curl("/forbidden", "--include")
    assert (code, said.splitlines()[0].strip(), said.splitlines()[-1]) == (0, "HTTP/2 200", "ok")
    headers = {line.partition(":")[0].lower() for line in said.splitlines()[1:]}
    assert not headers & {"upgrade", "connection", "keep-alive", "proxy-connection"}
    assert edge.ask("/forbidden").headers["Upgrade"] is None


@pytest.mark.parametrize("size", [4500, 33000, 40000])
def test_large_response_headers_pass(edge: Edge, size: int) -> None:
    assert edge.ask(f"/big?size={size}").status == 200
    assert edge.curl(f"/big?size={size}", "--output", "/dev/null", "--write-out", "%{http_code}") == (0, "200")


def test_large_request_headers_pass(edge: Edge) -> None:
    cookies = "; ".join(f"c{number}={'x' * 3900}" for number in range(7))
    assert dict(edge.seen("/", f"Cookie: {cookies}"))["cookie"] == cookies
    code, said = edge.curl("/", "--header", f"Cookie: {cookies}")
    assert (code, dict(_pairs(said))["cookie"]) == (0, cookies)


def test_events_arrive_as_they_are_sent(edge: Edge) -> None:
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda framing: _events_are_apart(edge, framing), ["chunked", "length", "close", "http10"]))


def _events_are_apart(edge: Edge, framing: str) -> None:
    for version in ("1.0", "1.1"):
        with edge.connect() as connection:
            connection.sendall(f"GET /events/{framing} HTTP/{version}\r\nHost: {edge.name}\r\n\r\n".encode())
            _are_apart(lambda: connection.recv(4096))
    url = f"https://{edge.authority(tls=True)}/events/{framing}"
    to = f"{edge.name}:{edge.ports[1]}:{edge.stack.address}"
    command = ["curl", "--silent", "--insecure", "--no-buffer", "--http2", "--include", "--resolve", to, url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=0) as curl:
        assert curl.stdout is not None
        _are_apart(lambda: curl.stdout.read(4096))
        curl.terminate()


def _are_apart(read: Any) -> None:
    arrived: list[float] = []
    said = b""
    while b"data: 2" not in said:
        part = read()
        assert part, said
        said += part
        arrived += [time.monotonic()] * (said.count(b"data: ") - len(arrived))
    # What is collected comes at once; half a second is between them, of which a busy machine may lose much.
    assert arrived[1] - arrived[0] > 0.05
    assert arrived[2] - arrived[1] > 0.05


def test_a_body_arrives_whole_over_http2(edge: Edge, tmp_path: Path) -> None:
    body = tmp_path / "body"
    body.write_bytes(bytes(5 << 20))
    # With a length, and as a stream without one.
    assert edge.curl("/upload", "--data-binary", f"@{body}") == (0, str(5 << 20))
    assert edge.curl("/upload", "--upload-file", str(body)) == (0, str(5 << 20))
    assert edge.curl("/upload", "--header", "Content-Length:", "--upload-file", str(body)) == (0, str(5 << 20))


ASK = """\
import json, socket, ssl, sys
to, name, port, tls = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4] == "True"
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
with socket.create_connection((to, port), 10) as plain:
    connection = context.wrap_socket(plain, server_hostname=name) if tls else plain
    connection.sendall(f"GET / HTTP/1.1\\r\\nHost: {name}\\r\\nConnection: close\\r\\n\\r\\n".encode())
    stream = connection.makefile("rb")
    answer = stream.read().partition(b"\\r\\n\\r\\n")[2].decode()
    print(json.dumps([connection.getsockname()[0], answer]))
"""


@pytest.mark.parametrize("tls", [True, False])
def test_clients_over_ipv6_are_served_and_known_by_their_address(edge: Edge, *, tls: bool) -> None:
    networks = inspect(edge.stack.container("nginx"))["NetworkSettings"]["Networks"]
    (at,) = (network["GlobalIPv6Address"] for network in networks.values())
    asked = ["python3", "-c", ASK, at, edge.name, "443" if tls else "80", str(tls)]
    own, answer = json.loads(docker("exec", edge.stack.container("other"), *asked))
    seen = dict(_pairs(answer))
    assert ":" in own
    assert seen["x-real-ip"] == seen["x-forwarded-for"] == own
    # A reload binds the sockets of both families again.
    edge.stack.compose("exec", "-T", "nginx", "nginx", "-e", "/dev/stderr", "-s", "reload")
    assert json.loads(docker("exec", edge.stack.container("other"), *asked))[0] == own
    log = docker("logs", "--since", "20s", edge.stack.container("nginx"))
    assert "bind()" not in log


def test_keys_are_exchanged_by_the_listed_groups_only(edge: Edge) -> None:
    hybrid = edge.version != "1.22"  # that image has OpenSSL 3.0
    wanted = {"X25519": True, "P-256": True, "P-384": True, "P-521": False, "X448": False}
    if hybrid:
        wanted["X25519MLKEM768"] = True
    for group, accepted in wanted.items():
        handshake = ["openssl", "s_client", "-connect", "127.0.0.1:443", "-servername", edge.name, "-groups", group]
        done = subprocess.run(
            ["docker", "exec", edge.stack.container("nginx"), *handshake],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
        )
        assert ("Cipher is TLS_" in done.stdout) is accepted, (group, done.stdout[-500:])
    config = edge.stack.ok("config", edge.name).stdout + (edge.stack.directory / "nginx/snippets/tls.conf").read_text()
    assert ("X25519MLKEM768" in config) is hybrid


def test_a_request_on_another_sites_connection_is_misdirected(edge: Edge) -> None:
    assert edge.ask("/", host=edge.other).status == 421
    assert edge.ask("/", host=edge.name.upper()).status == 200


def test_what_the_users_file_says_holds(edge: Edge) -> None:
    custom = edge.stack.directory / "nginx/custom"
    group = f"app_{edge.name}" if edge.version == "1.30" else "seen:8000"
    (custom / f"{edge.name}.conf").write_text(
        OWN.replace("app_NAME", "$own").replace("location = /own/up", f"set $own {group};\nlocation = /own/up")
    )
    edge.stack.ok("up", "--no-issue")
    for tls in (True, False):
        assert edge.ask("/", method="POST", body=bytes(2000), tls=tls).status == 413
        assert edge.ask("/own/upload", method="POST", body=bytes(2000), tls=tls).status == 413
        assert edge.ask("/slow?seconds=3", tls=tls).status == 504
        assert edge.ask("/denied", tls=tls).status == 403
        response = edge.ask("/", f"X-Forwarded-Host: {FORGED}", tls=tls)
        assert response.headers["X-Mine"] == "here"
        seen = _pairs(response.body)  # type: ignore[attr-defined]
        assert dict(seen)["x-language"] == "de"
        _is_vouched_for(edge, seen, tls=tls)
    (custom / f"{edge.name}.conf").write_text(
        "if ($request_uri ~ ^/) { return 403; }\nauth_request /auth;\nlocation = /auth { return 401; }\n"
    )
    (custom / f"{edge.other}.conf").write_text("ssl_verify_client optional_no_ca;\n")
    edge.stack.ok("up", "--no-issue")
    token = edge.stack.directory / "data/certbot/www/.well-known/acme-challenge/token"
    token.parent.mkdir(parents=True, exist_ok=True)
    token.write_text("proof")
    for name in (edge.name, edge.other):
        assert edge.ask("/", tls=False, host=name).status == 403
        response = edge.ask("/.well-known/acme-challenge/token", tls=False, host=name)
        assert response.body == b"proof"  # type: ignore[attr-defined]
    assert edge.ask("/").status == 403
    # An own setting of all sites, which the configuration has too.
    (custom / f"{edge.name}.conf").unlink()
    (custom / f"{edge.other}.conf").unlink()
    (custom / "http.conf").write_text(
        "client_max_body_size 2k;\nproxy_buffer_size 4k;\nlarge_client_header_buffers 4 8k;\n"
    )
    edge.stack.ok("up", "--no-issue")
    assert edge.ask("/", method="POST", body=bytes(3000)).status == 413
    assert edge.ask("/big?size=5000").status == 502
    (custom / f"{edge.name}.location.conf").write_text("proxy_buffers 4 32k;\n")
    edge.stack.ok("up", "--no-issue")
    assert edge.ask("/big?size=5000").status == 200


def test_a_proxy_in_front_is_believed_where_the_users_file_names_it(edge: Edge) -> None:
    """As docs/how-to/own-nginx-directives.md says."""
    custom = edge.stack.directory / "nginx/custom/http.conf"
    front = "set_real_ip_from 0.0.0.0/0;\nreal_ip_header X-Forwarded-For;\n"
    custom.write_text(f"{front}proxy_set_header CF-IPCountry $http_cf_ipcountry;\n")
    edge.stack.ok("up", "--no-issue")
    got = dict(edge.seen("/", f"X-Forwarded-For: {FORGED}", "CF-IPCountry: NZ", f"True-Client-IP: {FORGED}"))
    assert got["x-forwarded-for"] == got["x-real-ip"] == FORGED
    assert got["cf-ipcountry"] == "NZ"
    assert "true-client-ip" not in got
    assert {"host", "x-forwarded-host", "x-forwarded-port", "x-forwarded-proto"} <= set(got)
    custom.write_text("set_real_ip_from 203.0.113.0/24;\nreal_ip_header X-Forwarded-For;\n")
    edge.stack.ok("up", "--no-issue")
    assert FORGED not in json.dumps(edge.seen("/", f"X-Forwarded-For: {FORGED}"))
    custom.unlink()
    edge.stack.ok("up", "--no-issue")
