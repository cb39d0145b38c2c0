"""What is passed on without HTTP: TCP, UDP, and the TLS of a name beside the sites on the same port."""

from __future__ import annotations

import json
import socket
import ssl
from contextlib import closing
from datetime import UTC, datetime

import pytest

from stackctl.certs.dummy import make_dummy
from tests.e2e.conftest import NewStack
from tests.e2e.helpers import APP_IMAGE, Secure, Stack, listener, trusting, wait_until

pytestmark = pytest.mark.e2e

ECHO = """\
import socketserver, ssl, threading

class Stream(socketserver.BaseRequestHandler):
    def handle(self):
        while said := self.request.recv(1000):
            self.request.sendall(b"tcp " + said)

class Packet(socketserver.BaseRequestHandler):
    def handle(self):
        said, to = self.request
        to.sendto(b"udp " + said, self.client_address)

class Secured(socketserver.ThreadingTCPServer):
    def get_request(self):
        plain, address = super().get_request()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain("/echo/fullchain.pem", "/echo/privkey.pem")
        return context.wrap_socket(plain, server_side=True), address

socketserver.TCPServer.allow_reuse_address = True
servers = [
    socketserver.ThreadingTCPServer(("", 7000), Stream),
    socketserver.ThreadingUDPServer(("", 7000), Packet),
    Secured(("", 7443), Stream),
]
for server in servers[1:]:
    threading.Thread(target=server.serve_forever, daemon=True).start()
servers[0].serve_forever()
"""

SERVICE = f"""
  echo:
    image: {APP_IMAGE}
    entrypoint: [python3, /echo/echo.py]
    stop_grace_period: 0s
    volumes:
      - ./echo:/echo:ro
"""


@pytest.fixture(scope="module")
def shared(new_stack: NewStack) -> Stack:
    made = new_stack()
    made.init()
    made.add("app1")
    folder = made.directory / "echo"
    folder.mkdir()
    (folder / "echo.py").write_text(ECHO)
    chain, key = make_dummy([made.domain("mail")], datetime.now(UTC))
    (folder / "fullchain.pem").write_bytes(chain)
    (folder / "privkey.pem").write_bytes(key)
    made.edit("\nservices:\n", f"\nservices:{SERVICE}\n")
    made.ok("up")
    return made


def over_tcp(stack: Stack, port: int = 7000) -> bytes:
    with closing(socket.create_connection((stack.address, port), 10)) as client:
        client.settimeout(10)
        client.sendall(b"hello")
        return client.recv(100)


def over_udp(stack: Stack, port: int = 7000) -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(2)
        client.sendto(b"hello", (stack.address, port))
        return client.recv(100)


def passed_through(stack: Stack, name: str) -> tuple[bytes, bytes]:
    """What an app with a certificate of its own says, and this certificate."""
    secure = Secure(stack.address, name, trusting(None))
    secure.connect()
    with closing(secure.sock) as client:
        client.sendall(b"hello")
        return client.recv(100), client.getpeercert(binary_form=True) or b""


def test_a_port_that_is_held_is_named_and_nothing_is_written(shared: Stack) -> None:
    before = shared.files()
    with listener(shared.address, 7000):
        refused = shared.fails(5, "add-stream", f"{shared.address}:7000", "echo:7000")
    assert f"port {shared.address}:7000 cannot be published: it is in use by " in refused.stderr
    assert "python" in refused.stderr
    assert shared.files() == before


def test_two_ports_cost_one_gap_that_is_reported(shared: Stack) -> None:
    at = f"{shared.address}:7000"
    shown = shared.ok("add-stream", at, "echo:7000", "--dry-run").stdout
    assert "its ports are closed for about a second" in shown
    items = "".join(f"    - {{listen: '{at}{kind}', upstream: 'echo:7000'}}\n" for kind in ("", "/udp"))
    shared.edit("\nx-stackctl:\n", f"\nx-stackctl:\n  streams:\n{items}")
    said = json.loads(shared.ok("up", "--output", "json").stdout)
    assert [one["kind"] for one in said["operations"]].count("StartProxy") == 1
    assert any(note.startswith("the proxy was replaced: its ports were closed for ") for note in said["notes"])
    assert over_tcp(shared) == b"tcp hello"
    assert wait_until(lambda: over_udp(shared)) == b"udp hello"
    assert shared.trusted(shared.domain("app1"))
    assert json.loads(shared.ok("up", "--output", "json").stdout)["operations"] == []


def test_other_clients_are_not_let_through(shared: Stack) -> None:
    proxy = shared.container("nginx")
    item = f"    - {{listen: '{shared.address}:7000', upstream: 'echo:7000'"
    shared.edit(f"{item}}}", f"{item}, allow: 192.0.2.1}}")
    shared.ok("up")
    wait_until(lambda: _shut(shared), what="the stream is closed to this client")
    shared.edit(f"{item}, allow: 192.0.2.1}}", f"{item}}}")
    shared.ok("up")
    assert wait_until(lambda: over_tcp(shared)) == b"tcp hello"
    assert shared.container("nginx") == proxy, "no port changed"


def _shut(stack: Stack) -> bool:
    try:
        return over_tcp(stack) == b""
    except ConnectionResetError:
        return True


def test_tls_of_a_name_passes_beside_the_sites(shared: Stack) -> None:
    site, mail, proxy = shared.domain("app1"), shared.domain("mail"), shared.container("nginx")
    before = _headers(shared, site)
    shared.ok("add-stream", "--sni", mail, "echo:7443")
    assert shared.container("nginx") == proxy
    said, certificate = wait_until(lambda: passed_through(shared, mail))
    assert said == b"tcp hello"
    chain = (shared.directory / "echo/fullchain.pem").read_text()
    assert certificate == ssl.PEM_cert_to_DER_cert(chain)
    assert _headers(shared, site) == before
    assert before["X-Forwarded-For"] not in {"unix:", ""}
    assert shared.refused("unknown.example.com")
    explained = shared.run("explain", f"https://{mail}/")
    assert "passed on" in explained.stdout


def _headers(stack: Stack, site: str) -> dict[str, str]:
    """What an app sees of a request, without the id that is of one alone."""
    headers: dict[str, str] = stack.https(site).json()["headers"]
    return {name: value for name, value in headers.items() if name != "X-Request-ID"}


def test_a_stopped_app_costs_its_streams_and_nothing_else(shared: Stack) -> None:
    shared.compose("stop", "echo")
    try:
        assert shared.trusted(shared.domain("app1"))
        wait_until(lambda: _shut(shared), what="its stream is closed")
        assert "missing" not in shared.ok("status").stdout
        doctor = shared.run("doctor").stdout
        assert "echo-1 is not running: exited" in doctor
        assert "stackctl logs echo" in doctor
    finally:
        shared.compose("start", "echo")
    assert wait_until(lambda: over_tcp(shared)) == b"tcp hello"


def test_an_image_without_streams_serves_the_sites(shared: Stack) -> None:
    override = shared.directory / "docker-compose.override.yml"
    module = "/usr/lib/nginx/modules/ngx_stream_module.so"
    override.write_text(f"services: {{nginx: {{volumes: ['/dev/null:{module}:ro']}}}}\n")
    try:
        shared.compose("up", "--detach", "nginx")
        assert wait_until(lambda: shared.trusted(shared.domain("app1")))
        assert "stackctl: all streams are left out: " in shared.compose("logs", "nginx")
    finally:
        override.unlink()
        shared.compose("up", "--detach", "nginx")
    assert wait_until(lambda: passed_through(shared, shared.domain("mail")))[0] == b"tcp hello"


def test_streams_are_removed_with_their_ports(shared: Stack) -> None:
    mail = shared.domain("mail")
    shared.ok("remove-stream", mail)
    assert wait_until(lambda: shared.refused(mail))
    shared.ok("remove-stream", "7000/udp")
    shared.ok("remove-stream", "7000")
    assert "7000" not in shared.file.read_text().partition("\nservices:\n")[2].replace("echo:7000", "")
    with pytest.raises(ConnectionRefusedError):
        over_tcp(shared)
    assert shared.trusted(shared.domain("app1"))
