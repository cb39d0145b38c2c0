"""An app that speaks HTTPS: its certificate is verified, and the advice on one that cannot be is enough."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from tests.e2e.helpers import APP_IMAGE, Stack, wait_until
from tests.old_stack.authority import Authority

pytestmark = pytest.mark.e2e

SERVER = """\
import http.server, ssl
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        said = f"{self.connection.version()} {self.headers['X-Forwarded-Proto']}".encode()
        self.send_response(200); self.send_header("Content-Length", str(len(said))); self.end_headers()
        self.wfile.write(said)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/tls/chain.pem", "/tls/key.pem")
server = http.server.ThreadingHTTPServer(("", 8443), Handler)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""


def test_the_certificate_of_an_app_is_verified_as_the_file_says(stack: Stack) -> None:
    stack.init()
    folder = stack.directory / "tls"
    folder.mkdir()
    authority = Authority(datetime.now(UTC))
    issued = authority.issue(["app.internal"])
    (folder / "chain.pem").write_bytes(issued.files["fullchain"])
    (folder / "key.pem").write_bytes(issued.key)
    (folder / "server.py").write_text(SERVER)
    name, outside = stack.domain("app"), stack.domain("outside")
    stack.edit(
        "services:\n",
        f"""services:
  app:
    image: {APP_IMAGE}
    command: [python3, -u, /tls/server.py]
    volumes: [./tls:/tls:ro]
    x-stackctl:
      domains: [{name}]
      port: 8443
      protocol: https
""",
    )
    # A second site of the same server, by its address as one outside Compose, without verification.
    stack.edit("x-stackctl:\n", f"x-stackctl:\n  apps:\n    - domains: [{outside}]\n      upstream: https://app:8443\n")
    stack.add_dns(name, outside)
    stack.ok("up")

    def answers(site: str) -> None:
        wait_until(lambda: stack.https(site, trust=False).status == 200)

    def diagnosed() -> tuple[str, str | None]:
        sections = json.loads(stack.run("doctor", name, "--output", "json").stdout)["sections"]
        (check,) = (one for section in sections for one in section["checks"] if one["name"] == "app-tls")
        return check["verdict"], check["todo"]

    def explained() -> str:
        assert wait_until(lambda: stack.https(name, trust=False).status == 502)
        broken = json.loads(stack.run("explain", name, "--output", "json").stdout)["broken"]
        assert broken["link"] == "upstream"
        assert diagnosed() == ("wrong", broken["todo"])
        return str(broken["todo"])

    assert "as 'ca' in 'upstream-tls'" in explained()

    (stack.directory / "nginx/custom/app.ca.pem").write_bytes(issued.chain)
    stack.edit("protocol: https\n", "protocol: https\n      upstream-tls:\n        ca: app.ca.pem\n")
    stack.ok("up")
    assert "set 'name' in 'upstream-tls'" in explained()

    stack.edit("ca: app.ca.pem\n", "ca: app.ca.pem\n        name: app.internal\n")
    stack.ok("up")
    answers(name)
    assert stack.https(name, trust=False).body == b"TLSv1.3 https"
    assert diagnosed() == ("ok", None)
    # The live copy is the proxy's: what becomes of the user's file does not stop the next start.
    (stack.directory / "nginx/custom/app.ca.pem").rename(folder / "moved")
    stack.compose("restart", "nginx")
    answers(name)
    done = stack.fails(2, "up")
    assert "there is no nginx/custom/app.ca.pem" in done.stderr

    stack.edit("        ca: app.ca.pem\n        name: app.internal\n", "        verify: false\n")
    stack.edit("upstream: https://app:8443\n", "upstream: https://app:8443\n      upstream-tls: {verify: false}\n")
    stack.ok("up")
    for site in (name, outside):
        answers(site)
    assert "https://app:8443" in stack.ok("status").stdout
