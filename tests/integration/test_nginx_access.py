"""A real nginx lets in who may, on each port and in each location, and nobody else when a service fails."""

from __future__ import annotations

import base64
import itertools
import json
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from pathlib import Path
from threading import Thread

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stackctl.model.access import PRESETS, Access, AuthService, ForwardAuth
from stackctl.model.backends import Backend
from stackctl.model.client_certificates import ClientCertificate
from stackctl.model.matching import Conditions, FieldMatch, Match, PathMatch, Text
from stackctl.model.pages import PageFile
from stackctl.model.routing import Answer, Redirect, Route, Site
from stackctl.model.tuning import Tuning
from stackctl.proxies.nginx.access import USERS_READ
from stackctl.proxies.nginx.layout import USERS, custom_site
from tests.integration.real_nginx import Answered, Connection, Ports, app, free_ports, rendered, running, write
from tests.unit.build import routed

pytestmark = pytest.mark.e2e

FILE = "secrets/a.htpasswd"
USERS_FILE = b"ann:{SHA}" + base64.b64encode(bytes.fromhex("5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8")) + b"\n"
"""Her password is ``password``."""

INSIDE, OUTSIDE, DENIED = "127.0.1.1", "127.0.0.1", "127.0.1.66"
NETWORK = ip_network("127.0.1.0/24")
OWN = b"""\
location /own/ { proxy_pass http://127.0.0.1:PORT; }
location ~ ^/regex/ { proxy_pass http://127.0.0.1:PORT; }
location /nested/ { location /nested/inner/ { proxy_set_header X-Own 1; proxy_pass http://127.0.0.1:PORT; } }
"""
PLACES = ("/", "/r/x", "/own/", "/regex/1", "/nested/inner/", "/answer", "/to", "/rule", "/exact", "/ruled-answer")
CREDENTIALS = {
    "right": (("Authorization", "Basic " + base64.b64encode(b"ann:password").decode()),),
    "wrong": (("Authorization", "Basic " + base64.b64encode(b"ann:passwort").decode()),),
    "no": (),
}


class Echo(BaseHTTPRequestHandler):
    """Answers with what it gets; as an auth service, with what the user of the cookie may."""

    protocol_version = "HTTP/1.1"
    asks = False
    seen: list[dict[str, str]] = []  # noqa: RUF012  (one for all requests)

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", "0")))
        status = 200
        more: dict[str, str] = {}
        if self.asks and not self.path.startswith(("/oauth2/start", "/portal")):
            status, more = self.judged(headers)
            self.seen.append(headers | {":method": self.command, ":path": self.path})
        elif self.path.startswith("/oauth2/start"):
            status, more = 302, {"Location": f"https://idp.example.com/?{self.headers.get('X-Auth-Request-Redirect')}"}
        text = json.dumps({"path": self.path, "method": self.command, "body": body.decode(), **headers}).encode()
        self.send_response(status)
        for name, value in more.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0" if status in {204, 302} else str(len(text)))
        self.end_headers()
        if status not in {204, 302} and self.command != "HEAD":
            self.wfile.write(text)

    do_POST = do_HEAD = do_PUT = do_GET

    def judged(self, headers: dict[str, str]) -> tuple[int, dict[str, str]]:
        """The answer to a question, by the cookie."""
        cookie = headers.get("cookie", "")
        if "session=ann" in cookie:
            return 200, {"Remote-User": "ann", "X-Auth-Request-User": "ann", "X-Authentik-Username": "ann"}
        if "session=slow" in cookie:
            time.sleep(12)
        for status in (403, 500, 404, 502, 429, 418):
            if f"status={status}" in cookie:
                return status, {}
        to = {"Location": "https://login.example.com/?rd=x"}
        return (302, to) if "redirects=1" in cookie else (401, {} if "silent=1" in cookie else to)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Quiet(ThreadingHTTPServer):
    """A server that ends with the test."""

    daemon_threads = True


class Asked(Echo):
    """The auth service."""

    asks = True


@dataclass(frozen=True)
class Served:
    """A running proxy."""

    ports: Ports
    folder: Path

    def ask(
        self, host: str, target: str = "/", *, method: str = "GET", source: str = OUTSIDE, **more: object
    ) -> Answered:
        with Connection(self.ports.http, source) as connection:
            return connection.ask(host, method, target, **more)  # type: ignore[arg-type]


def access(kind: str, auth: int, **more: object) -> Access:
    """The rules of a kind of site: which keys they have, and how many must hold."""
    forward = ForwardAuth(f"http://127.0.0.1:{auth}", AuthService("/verify", ("Remote-User", "X-Team")))
    made = Access(
        allow=(NETWORK,) if "allow" in kind else (),
        users=PageFile(FILE) if "users" in kind else None,
        forward=forward if "forward" in kind else None,
        satisfies_any="any" in kind,
    )
    return replace(made, **more)  # type: ignore[arg-type]


def site(kind: str, port: int, rules: Access, *more: Route) -> Site:
    """A site with all kinds of routes behind the same rules."""
    passed = Backend((app(port),))
    by_header = Conditions((PathMatch("/rule"),), headers=(FieldMatch("x-rule", (Text("1"),)),))
    answered = Conditions((PathMatch("/ruled-answer"),), methods=("GET", "POST"))
    routes = (
        Route(Match(), passed),
        Route(Match.of("/r"), passed, strip=True),
        Route(Match.of("/answer"), Answer(200, "secret text")),
        Route(Match.of("/to"), Redirect("https://b.example.com", 307)),
        Route(Match(by_header), passed),
        Route(Match(answered), Answer(200, "secret rule")),
        Route(Match.of("/exact"), passed),
        *more,
    )
    return routed(f"{kind}.example.com", *routes, tuning=Tuning(access=rules))


KINDS = ("allow", "users", "forward", "allow-users", "any-allow-users", "allow-forward", "any-allow-forward")
BOTH = ("users-forward", "any-users-forward", "any-allow-users-forward")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A proxy with a site of each kind, an app and an auth service."""
    folder = tmp_path_factory.mktemp("access")
    servers = [Quiet(("127.0.0.1", 0), handler) for handler in (Echo, Asked)]
    for one in servers:
        Thread(target=one.serve_forever, daemon=True).start()
    port, auth = (one.server_address[1] for one in servers)
    (closed,) = free_ports(1)
    sites = [site(kind, port, access(kind, auth)) for kind in (*KINDS, *BOTH)]
    skip = (PathMatch("/public"), PathMatch("/health"))
    sites.append(site("skip", port, access("users", auth, skip=skip, deny=(ip_network(DENIED),))))
    sites.append(site("skip-allow", port, access("allow", auth, skip=skip, deny=(ip_network(DENIED),))))
    sites.append(site("skip-forward", port, access("forward", auth, skip=skip)))
    sites.append(site("down", port, access("forward", closed)))
    for name in ("oauth2-proxy", "authentik", "tinyauth", "authelia"):
        rules = Access(forward=ForwardAuth(f"http://127.0.0.1:{auth}", PRESETS[name]))
        sites.append(site(name, port, rules))
    other = Route(Match.of("/team"), Backend((app(port),)), tuning=Tuning(access=access("users", auth)))
    opened = Route(Match.of("/free"), Backend((app(port),)), tuning=Tuning())
    ruled = Route(Match(Conditions((PathMatch("/r2"),), methods=("POST",))), Backend((app(port),)), tuning=Tuning())
    sites.append(site("routes", port, access("allow", auth), other, opened, ruled))
    ports = Ports(*free_ports(2))
    custom = {custom_site(one.name): OWN.replace(b"PORT", str(port).encode()) for one in sites}
    files = rendered(sites, ports, custom=custom, pages={FILE: USERS_FILE})
    for path in list(files):
        if path.startswith(f"{USERS}/"):
            files[f"live/{path}"] = files.pop(path)
        elif path.startswith("sites/"):
            # The container's program would copy them.
            files[path] = files[path].replace(USERS_READ.encode(), f"/etc/nginx/live/{USERS}".encode())
    write(folder, files)
    folder.chmod(0o755)  # the workers read the users there
    with running(folder, "1.30"):
        yield Served(ports, folder)
    for one in servers:
        one.shutdown()
        one.server_close()


def expected(kind: str, *, inside: bool, credentials: str) -> int | None:
    """The status; None for that of an app or an answer."""
    words = kind.split("-")
    holds = {"allow": inside, "users": credentials == "right", "forward": credentials == "right"}
    given = [holds[word] for word in words if word in holds]
    if any(given) if "any" in words else all(given):
        return None
    if "allow" in words and "any" not in words and not inside:
        return 403
    if "forward" in words and ("users" not in words or "any" in words or holds["users"]):
        return 302
    return 401


@pytest.mark.parametrize("kind", [*KINDS, *BOTH])
def test_who_may_gets_in_and_nobody_else(served: Served, kind: str) -> None:
    for place, source, credentials in itertools.product(PLACES, (INSIDE, OUTSIDE), CREDENTIALS):
        headers = [("X-Rule", "1"), *CREDENTIALS[credentials]]
        headers += [("Cookie", "session=ann")] if credentials == "right" else []
        found = served.ask(f"{kind}.example.com", place, source=source, headers=headers)
        wanted = expected(kind, inside=source == INSIDE, credentials=credentials)
        usual = 307 if place == "/to" else 200
        assert found.status == (wanted or usual), (place, source, credentials)
        if wanted:
            assert "secret" not in found.body
        if wanted == 401:
            assert found.headers["www-authenticate"] == f'Basic realm="{kind}.example.com"'


@pytest.mark.parametrize("kind", [*KINDS, *BOTH])
def test_the_challenge_is_before_all_rules(served: Served, kind: str) -> None:
    found = served.ask(f"{kind}.example.com", "/.well-known/acme-challenge/none")
    assert found.status == 404
    assert "path" not in found.body


@pytest.mark.parametrize("kind", ["allow", "forward", "skip-allow"])
@pytest.mark.parametrize("path", ["/.well-known/stackctl/x", "/.well-known/stackctl/access", "/.well-known/stackctl/"])
def test_paths_of_stackctl_are_no_way_to_the_app(served: Served, kind: str, path: str) -> None:
    # The location that asks is internal, and has no page for 404.
    assert served.ask(f"{kind}.example.com", path).status in {401, 404}


OPEN = ("/public", "/public/", "/public/a/b.css", "/public?x=/../admin", "/health", "/public/%C3%A9", "/public/a%20b")
CLOSED = (
    *("/publicity", "/Public", "/PUBLIC/a", "/public/../admin", "/public/%2e%2e/admin", "/public/..%2fadmin"),
    *("//public", "/public//a", "/admin/../public/a", "/admin/..%2fpublic", "/./public", "/public/./a", "/public/.."),
    *(
        "/public/..;/admin",
        "/public;/../admin",
        "/public/%5c..%5cadmin",
        "/public/a\\..\\admin",
        "/public/%252e%252e/a",
    ),
    *("/public%2fa", "/pub%6cic/%2e./admin", "/public/%3b/x", "/public/%23/a", "/public/%3f/a", "/%70ublic/../admin"),
)


@pytest.mark.parametrize("path", OPEN)
def test_a_path_that_is_skipped_is_for_everybody(served: Served, path: str) -> None:
    for kind in ("skip", "skip-allow", "skip-forward"):
        assert served.ask(f"{kind}.example.com", path).status == 200, kind
    assert served.ask("skip.example.com", path, source=DENIED).status == 403


@pytest.mark.parametrize("path", CLOSED)
def test_a_path_that_only_looks_skipped_is_not(served: Served, path: str) -> None:
    assert served.ask("skip.example.com", path).status in {400, 401}
    assert served.ask("skip-allow.example.com", path).status in {400, 403}
    assert served.ask("skip-forward.example.com", path).status in {302, 400}


def test_a_route_has_rules_of_its_own(served: Served) -> None:
    def status(path: str, method: str = "GET", headers: object = (), source: str = OUTSIDE) -> int:
        return served.ask("routes.example.com", path, method=method, headers=headers, source=source).status

    assert status("/") == status("/freedom") == status("/r2") == 403
    assert status("/", source=INSIDE) == 200
    assert status("/team/x") == status("/team") == 401
    assert status("/team/x", headers=CREDENTIALS["right"]) == 200
    assert status("/free") == status("/free/x") == status("/r2", "POST") == 200
    assert status("/team/../") == 403


@pytest.mark.parametrize(
    "cookie",
    ["status=500", "status=404", "status=502", "status=429", pytest.param("session=slow", marks=pytest.mark.slow)],
)
def test_a_service_that_fails_lets_nobody_in(served: Served, cookie: str) -> None:
    found = served.ask("forward.example.com", "/", headers=[("Cookie", cookie)])
    assert (found.status, "path" in found.body) == (503, False)


def test_a_service_that_is_stopped_lets_nobody_in(served: Served) -> None:
    assert all(served.ask("down.example.com", place).status == 503 for place in PLACES)


def test_a_service_with_an_odd_answer_lets_nobody_in(served: Served) -> None:
    assert served.ask("forward.example.com", "/", headers=[("Cookie", "status=418")]).status == 500
    assert served.ask("forward.example.com", "/", headers=[("Cookie", "status=403")]).status == 403


@pytest.mark.parametrize("cookie", ["", "redirects=1"])
def test_the_browser_is_led_to_the_log_in(served: Served, cookie: str) -> None:
    found = served.ask("forward.example.com", "/x?y=1", headers=[("Cookie", cookie)] if cookie else [])
    assert (found.status, found.headers["location"]) == (302, "https://login.example.com/?rd=x")


def test_what_no_redirect_helps_gets_401(served: Served) -> None:
    assert served.ask("forward.example.com", "/", method="POST", body=b"lost").status == 401
    upgrade = [("Upgrade", "websocket"), ("Connection", "Upgrade")]
    assert served.ask("forward.example.com", "/", headers=upgrade).status == 401
    assert served.ask("forward.example.com", "/", headers=[("Cookie", "silent=1")]).status == 401


def test_the_service_is_asked_about_the_request(served: Served) -> None:
    Echo.seen.clear()
    large = "session=ann; " + "; ".join(f"c{number}={'x' * 1000}" for number in range(20))
    forged = [("X-Forwarded-Uri", "/public"), ("X-Original-URL", "http://x/"), ("X-Forwarded-Method", "GET")]
    found = served.ask(
        "forward.example.com", "/a%2Fb?c=d", method="POST", headers=[("Cookie", large), *forged], body=b"the body"
    )
    got = json.loads(found.body)
    assert (got["method"], got["path"], got["body"], got["remote-user"]) == ("POST", "/a%2Fb?c=d", "the body", "ann")
    (asked,) = Echo.seen
    assert (asked[":method"], asked[":path"], asked["cookie"]) == ("GET", "/verify", large)
    assert (asked["x-forwarded-method"], asked["x-original-method"]) == ("POST", "POST")
    assert asked["x-forwarded-uri"] == asked["x-original-uri"] == "/a%2Fb?c=d"
    at = "forward.example.com"
    assert (asked["x-original-url"], asked["x-forwarded-host"]) == (f"http://{at}/a%2Fb?c=d", at)
    assert "content-length" not in asked


def test_the_presets_lead_to_their_log_in(served: Served) -> None:
    silent = [("Cookie", "silent=1")]
    found = served.ask("authentik.example.com", "/x?y=1", headers=silent)
    assert (found.status, found.headers["location"].split("/start")[1]) == (
        302,
        "?rd=http://authentik.example.com/x?y=1",
    )
    found = served.ask("oauth2-proxy.example.com", "/x?y=1&z=2", headers=silent)
    assert (found.status, found.headers["location"]) == (302, "https://idp.example.com/?/x?y=1&z=2")
    assert served.ask("oauth2-proxy.example.com", "/oauth2/start?x").status == 302
    for name, header in (("oauth2-proxy", "x-auth-request-user"), ("authentik", "x-authentik-username")):
        found = served.ask(f"{name}.example.com", "/", headers=[("Cookie", "session=ann"), (header, "root")])
        assert json.loads(found.body)[header] == "ann"


NAMES = ("Remote-User", "Remote-Groups", "Remote-Name", "Remote-Email", "X-Team", "X-Forwarded-User", "X-Remote-User")
SPELT = st.sampled_from(
    [spelt for name in NAMES for spelt in (name, name.lower(), name.upper(), name.replace("-", "_"), name.swapcase())]
)
VALUES = st.text("abcroot@,;= \"'$%", min_size=1, max_size=12).map("forged{}".format)
FORGED = st.lists(st.tuples(SPELT, VALUES), min_size=40, max_size=40)


@pytest.mark.slow
def test_no_header_that_names_a_user_is_believed(served: Served) -> None:
    """Ten thousand forged headers, in each location, with and without a log-in."""
    known = {"host", "connection", "x-real-ip", "x-forwarded-for", "cookie", "authorization", "x-rule"}
    with Connection(served.ports.http, INSIDE) as connection:

        @settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
        @given(FORGED, st.sampled_from(("/", "/r/x", "/own/", "/regex/1", "/nested/inner/", "/exact")), st.booleans())
        def check(forged: list[tuple[str, str]], path: str, logged_in: bool) -> None:
            for host, target in (("any-allow-forward", path), ("skip-forward", "/public/a")):
                cookie = [("Cookie", "session=ann")] if logged_in else []
                found = connection.ask(f"{host}.example.com", "GET", target, [*forged, *cookie])
                got = json.loads(found.body)
                assert not [name for name, value in got.items() if "forged" in value and name not in known], got

        check()


# Client certificates


def issued(
    name: str, ca: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None = None
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """A certificate of a CA, or of a new one."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(subject).public_key(key.public_key())
    builder = builder.issuer_name(ca[0].subject if ca else subject).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=9))
    builder = builder.add_extension(x509.BasicConstraints(ca is None, None), critical=True)
    return builder.sign(ca[1] if ca else key, hashes.SHA256()), key


def test_only_a_certificate_of_the_ca_that_is_not_revoked_opens_the_site(tmp_path: Path) -> None:
    ca, other = issued("clients"), issued("others")
    shown = {"good": issued("ann", ca), "revoked": issued("ben", ca), "other": issued("eve", other)}
    for name, (certificate, key) in shown.items():
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (tmp_path / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + secret)
    now = datetime.now(UTC)
    entry = x509.RevokedCertificateBuilder().serial_number(shown["revoked"][0].serial_number).revocation_date(now)
    crl = x509.CertificateRevocationListBuilder().issuer_name(ca[0].subject).last_update(now - timedelta(days=1))
    crl = crl.next_update(now + timedelta(days=9)).add_revoked_certificate(entry.build())
    pages = {
        "c.pem": ca[0].public_bytes(serialization.Encoding.PEM),
        "c.crl": crl.sign(ca[1], hashes.SHA256()).public_bytes(serialization.Encoding.PEM),
    }
    app_server = Quiet(("127.0.0.1", 0), Echo)
    Thread(target=app_server.serve_forever, daemon=True).start()
    headers = (("X-Client-DN", "subject"),)
    sites = [
        replace(
            site(kind, app_server.server_address[1], Access()),
            clients=ClientCertificate(PageFile("c.pem"), PageFile("c.crl"), kind == "required", headers),
        )
        for kind in ("required", "optional")
    ]
    ports = Ports(*free_ports(2))
    (tmp_path / "n").mkdir()
    write(tmp_path / "n", rendered(sites, ports, pages=pages))

    def ask(kind: str, certificate: str | None) -> tuple[int, bytes]:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if certificate is not None:
            context.load_cert_chain(tmp_path / f"{certificate}.pem")
        name = f"{kind}.example.com"
        with (
            socket.create_connection(("127.0.0.1", ports.https), 10) as plain,
            context.wrap_socket(plain, server_hostname=name) as secure,
        ):
            lines = ("GET / HTTP/1.1", f"Host: {name}", "Connection: close", "X-Client-DN: CN=root", "", "")
            secure.sendall("\r\n".join(lines).encode())
            answer = b"".join(iter(lambda: secure.recv(65536), b""))
        return int(answer.split()[1]), answer

    with running(tmp_path / "n", "1.30"):
        for kind, without in (("required", 400), ("optional", 200)):
            status, answer = ask(kind, None)
            assert (status, b"CN=root" in answer) == (without, False)
            status, answer = ask(kind, "good")
            assert (status, b"CN=ann" in answer, b"CN=root" in answer) == (200, True, False)
            assert ask(kind, "revoked")[0] == ask(kind, "other")[0] == 400
        with Connection(ports.http) as connection:
            assert connection.ask("required.example.com", "GET", "/").status == 403
            assert connection.ask("required.example.com", "GET", "/.well-known/acme-challenge/x").status == 404
    app_server.shutdown()
    app_server.server_close()
