"""Several apps under one name: who gets which request, and what the app sees of its path."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.e2e.conftest import NewStack
from tests.e2e.helpers import APP_IMAGE, Reply, Stack, trusting
from tests.e2e.load import load

pytestmark = pytest.mark.e2e

SERVER = """\
import http.server, json, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if self.headers.get("Upgrade") == "websocket":
            self.send_response(101)
            self.send_header("Upgrade", "websocket"); self.send_header("Connection", "Upgrade"); self.end_headers()
            self.wfile.write(b"echo " + self.rfile.readline())
            self.close_connection = True
            return
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        # Its own 'path' has lost slashes.
        path, prefix = self.requestline.split()[1], self.headers.get("X-Forwarded-Prefix")
        body = json.dumps({"app": sys.argv[1], "path": path, "prefix": prefix}).encode()
        moved = self.path.endswith("/moved")
        self.send_response(302 if moved else 200)
        if moved:
            self.send_header("Location", "/there?x=1"); self.send_header("Set-Cookie", "a=b; Path=/")
        self.send_header("Content-Length", str(len(body))); self.end_headers()
        self.wfile.write(body)
    do_POST = do_GET
server = http.server.ThreadingHTTPServer(("", 8000), Handler)
server.request_queue_size = 1024
server.serve_forever()
"""

SERVICES = f"""services:
  web: &server
    image: {APP_IMAGE}
    command: [python3, -u, /server/server.py, web]
    volumes: [./server:/server:ro]
    x-stackctl:
      domains: [NAME]
      port: 8000
      routes:
        - {{path: /files/secret, exact: true, deny: all}}
        - {{path: /old, redirect: "https://new.example.com", keep-path: true}}
        - path: /robots.txt
          answer: {{text: "User-agent: *"}}
        - match: {{path: /files, method: [POST], header: {{x-version: "~^2[.][0-9]$$"}}}}
  api:
    <<: *server
    command: [python3, -u, /server/server.py, api]
    x-stackctl:
      domains: [NAME]
      path: /api
      strip: true
      port: 8000
  files:
    <<: *server
    command: [python3, -u, /server/server.py, files]
    x-stackctl:
      domains: [NAME]
      path: [/files, /a b]
      port: 8000
"""


@dataclass
class Shop:
    stack: Stack
    name: str

    def ask(self, path: str, method: str = "GET", **headers: str) -> Reply:
        more = {key.replace("_", "-"): value for key, value in headers.items()}
        body = b"x" if method == "POST" else None
        return self.stack.https(self.name, path, method=method, body=body, headers=more)


@pytest.fixture(scope="module")
def shop(new_stack: NewStack) -> Iterator[Shop]:
    stack = new_stack()
    stack.init()
    folder = stack.directory / "server"
    folder.mkdir()
    (folder / "server.py").write_text(SERVER)
    name = stack.domain("shop")
    stack.edit("services:\n", SERVICES.replace("NAME", name))
    stack.add_dns(name)
    stack.ok("up")
    yield Shop(stack, name)
    stack.remove()


SEEN: list[tuple[str, object, str | None]] = [
    ("/", "web", "/"),
    ("/x?y=1", "web", "/x?y=1"),
    ("/api", "api", "/"),
    ("/api/", "api", "/"),
    ("/api/x/y?z=%2F", "api", "/x/y?z=%2F"),
    ("/api?x=/files", "api", "/?x=/files"),
    ("/api2", "web", "/api2"),
    ("/API", "web", "/API"),
    ("/x/api", "web", "/x/api"),
    ("//api", 400, None),
    ("//files/x", "files", "//files/x"),
    ("/api//x", "api", "//x"),
    ("/api/a%2Fb", "api", "/a%2Fb"),
    ("/api/%61", "api", "/%61"),
    ("/%61pi/x", 400, None),
    ("/%66iles/x", "files", "/%66iles/x"),
    ("/api/%2e%2e/x", "web", "/api/%2e%2e/x"),
    ("/api/../files/x", "files", "/api/../files/x"),
    ("/api/a/./b", "api", "/a/./b"),
    ("/files", "files", "/files"),
    ("/files/", "files", "/files/"),
    ("/filesystem", "web", "/filesystem"),
    ("/files/a%20b%2Fc", "files", "/files/a%20b%2Fc"),
    ("/files/secret/x", "files", "/files/secret/x"),
    ("/a%20b/c", "files", "/a%20b/c"),
    ("/a%20bc", "web", "/a%20bc"),
    ("/older", "web", "/older"),
]
"""Paths, the app that gets each, and the path that it sees; a prefix that is not sent as it is cannot be stripped."""


def test_each_request_has_its_app_which_sees_its_path(shop: Shop) -> None:
    seen = {}
    for path, *_ in SEEN:
        reply = shop.ask(path)
        found = json.loads(reply.body) if reply.status == 200 else {"app": reply.status, "path": None}
        seen[path] = (found["app"], found["path"])
    assert seen == {path: (app, inside) for path, app, inside in SEEN}


def test_what_the_proxy_answers_itself(shop: Shop) -> None:
    assert shop.ask("/files/secret").status == 403
    assert (shop.ask("/robots.txt").status, shop.ask("/robots.txt").body) == (200, b"User-agent: *")
    moved = shop.ask("/old/x%2Fy?z=1")
    assert (moved.status, moved.headers["Location"]) == (308, "https://new.example.com/old/x%2Fy?z=1")


def test_a_rule_comes_before_the_paths(shop: Shop) -> None:
    def app(method: str, **headers: str) -> str:
        return str(json.loads(shop.ask("/files/x", method, **headers).body)["app"])

    assert app("POST", x_version="2.1") == "web"
    assert app("POST", x_version="12.1") == app("POST", x_version="2.1x") == "files"
    assert app("POST") == "files"
    assert app("GET", x_version="2.1") == "files"


def test_answers_of_a_stripped_app_stay_below_its_prefix(shop: Shop) -> None:
    moved = shop.ask("/api/moved")
    assert (moved.headers["Location"], moved.headers["Set-Cookie"]) == ("/api/there?x=1", "a=b; Path=/api")
    assert json.loads(moved.body)["prefix"] == "/api"
    kept = shop.ask("/files/moved")
    assert (kept.headers["Location"], kept.headers["Set-Cookie"]) == ("/there?x=1", "a=b; Path=/")
    assert json.loads(shop.ask("/", X_Forwarded_Prefix="/evil").body)["prefix"] is None


def test_a_websocket_passes_below_a_prefix(shop: Shop) -> None:
    context = trusting(shop.stack.lab.root)
    with (
        socket.create_connection((shop.stack.address, 443), 10) as plain,
        context.wrap_socket(plain, server_hostname=shop.name) as secure,
    ):
        head = f"GET /api/ws HTTP/1.1\r\nHost: {shop.name}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        secure.sendall(f"{head}hello\n".encode())
        said = secure.makefile("rb").read()
    assert said.startswith(b"HTTP/1.1 101 ")
    assert said.endswith(b"echo hello\n")


def test_a_path_is_added_and_removed_without_a_lost_request_of_others(shop: Shop) -> None:
    stack = shop.stack
    before = stack.file.read_text()
    with load(stack, shop.name, path="/api/x") as tally:
        stack.ok("add-app", f"{shop.name}/new", "--service", "files", "--port", "8000", "--strip")
        assert json.loads(shop.ask("/new/x").body) == {"app": "files", "path": "/x", "prefix": "/new"}
        stack.ok("remove-app", f"{shop.name}/new")
        assert json.loads(shop.ask("/new/x").body)["app"] == "web"
    assert tally.served > 20
    assert tally.lost == []
    assert stack.file.read_text() == before


def test_status_shows_each_route(shop: Shop) -> None:
    lines = shop.stack.ok("status").stdout.splitlines()
    assert any(re.match(rf"{re.escape(shop.name)}/api +- +api:8000 ", line) for line in lines)
    assert any(line.startswith(f"{shop.name}/files POST header x-version=~^2[.][0-9]$") for line in lines)
