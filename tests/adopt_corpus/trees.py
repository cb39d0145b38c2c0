"""Start the trees, and ask them; the format is described in the package."""

from __future__ import annotations

import base64
import http.client
import json
import re
import shutil
import socket
import ssl
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509

from stackctl.adapters.fakes.certbot import FakeCa
from tests.e2e.helpers import APP_IMAGE, CERTBOT_IMAGE, NGINX_IMAGE, Stack, docker, trusting

CORPUS = Path(__file__).parent
TREES = sorted(path.parent for path in CORPUS.glob("*/tree.toml"))
REPRESENTATIVE = ("baked", "conf_d", "pinned", "streams", "user_conf_d", "well_known")
"""The trees that ``make test`` adopts: the most usual layout, an image of the project's own, certificates in a named
volume, streams, and one with many features. ``make corpus`` adopts all."""

OFFICIAL = "stackctl-lab/nginx-official:corpus"
METHODS = ("GET", "HEAD", "POST", "OPTIONS")
UNKNOWN = "unknown.example.com"
"""A name that no server of a tree has."""

LARGE = bytes(1500 * 1024)
"""More than nginx's default limit."""

_IGNORED = {
    "date",
    "server",
    "connection",
    "keep-alive",
    "etag",
    "last-modified",
    "transfer-encoding",
    "content-length",
    "expires",
}
_VERSION = re.compile(r"nginx/[\d.]+")
_APP = ("app", "method", "path", "host")


@dataclass(frozen=True)
class Answer:
    """What a client sees: the status, 0 for a closed connection, the headers that are not the transport's, the body."""

    status: int
    headers: Mapping[str, str]
    body: str


@dataclass
class Tree:
    """One started tree."""

    stack: Stack
    facts: dict[str, Any]

    def ready(self) -> bool:
        """Whether everything is answered, except by what is ``broken`` in the tree."""
        urls = (url for url in self.facts["ask"] if url not in self.facts.get("broken", ()))
        return all(self._ask(url, "GET").status not in {0, 502} for url in urls)

    def answers(self) -> dict[str, Answer]:
        """Ask everything; the key says what."""
        found: dict[str, Answer] = {}
        for url in self.facts["ask"]:
            if "cached" in url:
                self._ask(url, "GET")
        for url in self.facts["ask"]:
            for method in METHODS if not url.startswith("wss:") else ("GET",):
                found[f"{method} {url}"] = self._ask(url, method)
        found |= {f"LARGE {url}": self._ask(url, "POST", LARGE) for url in self.facts.get("large", ())}
        return found

    def _ask(self, url: str, method: str, body: bytes = b"") -> Answer:
        parts = urlsplit(url)
        name, path = parts.hostname or "", parts.path + (f"?{parts.query}" if parts.query else "")
        default = 80 if parts.scheme == "http" else 443
        port = parts.port or default
        headers = {"Host": name if port == default else f"{name}:{port}"}
        if parts.username:
            user = base64.b64encode(f"{parts.username}:{parts.password}".encode()).decode()
            headers["Authorization"] = f"Basic {user}"
        if parts.scheme == "wss":
            key = base64.b64encode(b"0123456789abcdef").decode()
            headers |= {"Connection": "Upgrade", "Upgrade": "websocket"}
            headers |= {"Sec-WebSocket-Key": key, "Sec-WebSocket-Version": "13"}
        connection = http.client.HTTPConnection(name)
        try:
            connection.sock = self._connected(port, name if parts.scheme != "http" else None)
            connection.request(method, path, body if method == "POST" else None, headers)
            response = connection.getresponse()
            found = b"" if response.status == 101 else response.read()
            return Answer(response.status, self._headers(response), self._body(found))
        except (OSError, http.client.HTTPException):
            return Answer(0, {}, "")
        finally:
            connection.close()

    def _connected(self, port: int, secured: str | None) -> socket.socket:
        stream = socket.create_connection((self.stack.address, port), 15)
        if secured is None:
            return stream
        try:
            return trusting(None).wrap_socket(stream, server_hostname=secured)
        except BaseException:
            stream.close()
            raise

    def echoes(self, url: str) -> bool:
        """Whether the app shows the request that it got, which has more headers behind stackctl's proxy."""
        return self._ask(url, "GET").body.startswith('{"app"')

    def _headers(self, response: http.client.HTTPResponse) -> dict[str, str]:
        found = {name.lower(): value for name, value in response.getheaders()}
        return {name: value for name, value in found.items() if name not in _IGNORED}

    def _body(self, body: bytes) -> str:
        text = body.decode("utf-8", "replace")
        try:
            seen = json.loads(text)
        except ValueError:
            return _VERSION.sub("nginx", text)
        if not isinstance(seen, dict) or "app" not in seen:
            return text
        wanted = self.facts.get("seen", ())
        return json.dumps({key: seen[key] for key in _APP} | {key: seen["headers"].get(key) for key in wanted})

    def serials(self) -> dict[str, int]:
        """The serial numbers that are served, by name; unknown names are refused from now on."""
        found: dict[str, int] = {}
        for parts in map(urlsplit, self.facts["ask"]):
            name, port = parts.hostname or "", parts.port or 443
            if parts.scheme == "http" or name == UNKNOWN:
                continue
            with suppress(OSError), self._connected(port, name) as stream:
                leaf = stream.getpeercert(binary_form=True) if isinstance(stream, ssl.SSLSocket) else None
                found[f"{name}:{port}"] = x509.load_der_x509_certificate(leaf or b"").serial_number
        return found


def build_images() -> None:
    """Build the image with the official image's layout."""
    docker("build", "--tag", OFFICIAL, "--build-arg", f"BASE={NGINX_IMAGE}", str(CORPUS / "images/official"))


def start(stack: Stack, source: Path) -> Tree:
    """Copy a tree into a stack's directory, issue its certificates, and start it."""
    facts = tomllib.loads((source / "tree.toml").read_text())
    root = stack.directory
    shutil.copytree(source, root, dirs_exist_ok=True, ignore=shutil.ignore_patterns("tree.toml"))
    images = {
        "OFFICIAL_IMAGE": OFFICIAL,
        "NGINX_IMAGE": NGINX_IMAGE,
        "APP_IMAGE": APP_IMAGE,
        "CERTBOT_IMAGE": CERTBOT_IMAGE,
    }
    values = {"ADDRESS": stack.address, "COMPOSE_PROJECT_NAME": stack.project, **images}
    if "network" in facts:
        values[facts["network"]] = f"{stack.project}_shared"
        docker("network", "create", "--label", f"com.docker.compose.project={stack.project}", f"{stack.project}_shared")
    (root / ".env").write_text("".join(f"{key}={value}\n" for key, value in values.items()))
    stack.environment["DOCKER_BUILDKIT"] = "0"
    _certificates(root, facts)
    if "volume" in facts:
        service, _, path = facts["volume"].partition(":")
        stack.compose("create")
        docker("cp", f"{root / 'data/certbot/conf'}/.", f"{stack.container(service)}:{path}")
        shutil.rmtree(root / "data")
    stack.compose("up", "--detach", "--build")
    return Tree(stack, facts)


def _certificates(root: Path, facts: Mapping[str, Any]) -> None:
    conf = root / "data/certbot/conf"
    conf.mkdir(parents=True, exist_ok=True)
    (root / "data/certbot/www").mkdir(exist_ok=True)
    ca, now = FakeCa(), datetime.now(UTC)
    for lineage, names in facts["certificates"].items():
        chain, key = ca.issue(names, now)
        _store(conf, lineage, chain, key)
        if "certs" in facts:
            folder = root / facts["certs"]
            folder.mkdir(exist_ok=True)
            (folder / f"{lineage}.crt").write_bytes(chain)
            (folder / f"{lineage}.key").write_bytes(key)
    if "certs" in facts:
        shutil.rmtree(conf)


def _store(conf: Path, lineage: str, chain: bytes, key: bytes) -> None:
    """Write a lineage as certbot does."""
    live, archive, renewal = conf / "live" / lineage, conf / "archive" / lineage, conf / "renewal"
    for folder in (live, archive, renewal):
        folder.mkdir(parents=True, exist_ok=True)
    for kind, content in (("cert", chain), ("chain", b""), ("fullchain", chain), ("privkey", key)):
        (archive / f"{kind}1.pem").write_bytes(content)
        (live / f"{kind}.pem").symlink_to(f"../../archive/{lineage}/{kind}1.pem")
    (archive / "privkey1.pem").chmod(0o600)
    place = f"/etc/letsencrypt/live/{lineage}"
    paths = "".join(f"{kind} = {place}/{kind}.pem\n" for kind in ("cert", "privkey", "chain", "fullchain"))
    (renewal / f"{lineage}.conf").write_text(
        f"version = 5.5.0\narchive_dir = /etc/letsencrypt/archive/{lineage}\n{paths}\n[renewalparams]\n"
        "account = 0123456789abcdef0123456789abcdef\nserver = https://ca.test/dir\nauthenticator = webroot\n"
        "webroot_path = /var/www/certbot,\nkey_type = ecdsa\n"
    )
