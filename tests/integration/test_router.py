"""Real proxies answer each request with the route that :mod:`stackctl.model.router` names."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path
from random import Random

import pytest

from stackctl.model.backends import Backend
from stackctl.model.fields import Request
from stackctl.model.matching import Conditions, FieldMatch, Match, PathKind, PathMatch, Text
from stackctl.model.patterns import pattern
from stackctl.model.router import routed as route
from stackctl.model.routing import Answer, Route, Site
from tests.integration import real_haproxy, real_nginx
from tests.integration.real_nginx import Connection, Ports, app, free_ports
from tests.unit.build import routed

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SITES, REQUESTS, PATHS = 200, 5_000, 10_000
SOURCES = ("127.0.0.1", "127.0.0.2", "127.0.0.9")

SEGMENTS = ["a", "b", "api", "API", "v2", "old", "12", "é", "x y", "%", "a.b", "...", "q&=", '"$uri"', "{;}", "\\d"]
PATTERNS = [
    *(r"^/v\d+", r"\.b$", r"(?i)^/API", r"/[a-c]+/", r"^/(?:old|new)/(\d+)$", "é", r"\s", r"^.{3}$", "a.b", "/$"),
    *("^/a|b$", r"\bapi\b", r"(a|b)/\1", r"[^/]{4,}", r"^[^é]*$", r"\x61", r"(?=/a)(?!/api)", '"', r"\$"),
]
HEADERS = ["x-version", "accept", "x-team-id", "user-agent", "2fa"]
VALUES = ["1", "2.1", "a b", 'q"u\\o$te', "é", "{;}#'", "a,b"]
VALUE_PATTERNS = [r"^2\.", r"(?i)A", "b$", r"^[0-9]+$", r"\$te", "^é$", '"', "^$", r"^(?!1)", r"\\"]
PARAMETERS = ["q", "preview", "filter[x]", "Q"]
SENT_PARAMETERS = ["q", "preview", "filter[x]", "filter%5Bx%5D", "Q", "qq", "x", ""]
PARAMETER_VALUES = ["", "1", "a b", "a&b", "é/=", "+", "%", "100%25", "~", "#"]
SENT_VALUES = [
    "",
    "1",
    "a+b",
    "a%20b",
    "a%26b",
    "a&b",
    "%C3%A9%2f=",
    "é/%3d",
    "%2B",
    "+",
    "%",
    "%25",
    "100%2525",
    "~",
    "%7E",
]
COOKIES = ["group", "s!d"]
COOKIE_VALUES = ["", "beta", "a b", "a;b", "é", '"x"']
SENT_COOKIES = ["", "beta", "a%20b", "a b", "a%3Bb", "%c3%a9", "é", '"x"', "%22x%22"]
NETWORKS = [
    *("127.0.0.0/8", "127.0.0.2/32", "127.0.0.0/30", "127.0.0.8/29", "10.0.0.0/8", "0.0.0.0/0", "::1/128", "::/0"),
    "127.0.0.9/32",
]
METHODS = ["GET", "POST", "PUT", "DELETE", "OPTIONS", "PURGE"]


def some(random: Random, values: list[str], most: int = 3) -> list[str]:
    return random.sample(values, random.randint(1, min(most, len(values))))


def path(random: Random) -> str:
    return "".join(f"/{random.choice(SEGMENTS)}" for _ in range(random.choice([0, 1, 1, 2, 2, 3]))) or "/"


def path_match(random: Random, *, regex: bool = True) -> PathMatch:
    kind = random.choice([PathKind.PREFIX, PathKind.PREFIX, PathKind.EXACT, *([PathKind.REGEX] if regex else [])])
    if kind is PathKind.REGEX:
        return PathMatch(pattern(random.choice(PATTERNS)), kind)
    slash = random.choice(["", "/"]) if kind is PathKind.EXACT else ""
    return PathMatch(f"{path(random).rstrip('/')}{slash}" or "/", kind)


def texts(random: Random, values: list[str]) -> tuple[Text, ...]:
    plain = [Text(value) for value in some(random, values)]
    regexes = [Text(pattern(value), regex=True) for value in some(random, VALUE_PATTERNS, 2)]
    return tuple(random.choice([[], plain, plain, regexes, [*plain, *regexes]]))


def fields(random: Random, names: list[str], values: list[str]) -> tuple[FieldMatch, ...]:
    return tuple(FieldMatch(name, texts(random, values)) for name in some(random, names, 2))


def conditions(random: Random) -> Conditions:
    asked = random.sample(["path", "method", "header", "query", "cookie", "source"], random.choice([1, 1, 1, 2, 3]))
    many = random.random() < 0.05
    return Conditions(
        tuple(path_match(random) for _ in range(random.choice([1, 1, 2, 80 if many else 3])))
        if "path" in asked
        else (),
        tuple(some(random, METHODS)) if "method" in asked else (),
        fields(random, HEADERS, VALUES) if "header" in asked else (),
        fields(random, PARAMETERS, PARAMETER_VALUES) if "query" in asked else (),
        fields(random, COOKIES, COOKIE_VALUES) if "cookie" in asked else (),
        tuple(map(ip_network, some(random, NETWORKS))) if "source" in asked else (),
    )


def rule(random: Random, number: int, apps: list[int]) -> Route:
    of = conditions(random)
    none = conditions(random) if random.random() < 0.25 else None
    backend = random.random() < 0.3
    strip = backend and bool(of.paths) and all(one.kind is PathKind.PREFIX for one in of.paths)
    action = Backend((app(apps.pop()),)) if backend else Answer(200, f"rule {number}")
    return Route(Match(of, none), action, strip, random.choice([None, None, 5, 1]))


def plain_routes(random: Random, apps: list[int], most: int) -> Iterator[Route]:
    taken: set[PathMatch] = set()
    for number in range(random.randint(0, most)):
        found = {path_match(random, regex=False) for _ in range(random.choice([1, 1, 2]))} - taken
        taken |= found
        strip = random.random() < 0.5
        action = Backend((app(apps.pop()),)) if strip else Answer(200, f"path {number}")
        if found:
            yield Route(
                Match(Conditions(tuple(found))), action, strip and all(x.kind is PathKind.PREFIX for x in found)
            )


def site(random: Random, number: int, echoes: list[int]) -> Site:
    apps = random.sample(echoes, len(echoes))
    rules = [rule(random, one, apps) for one in range(random.choice([1, 3, 8, 20]))]
    routes = [*plain_routes(random, apps, 4), *rules]
    random.shuffle(routes)
    return routed(f"s{number}.example.com", *routes)


def sent_path(random: Random) -> str:
    """A target's path as no browser writes it, but as a client may send it."""
    text = ""
    for segment in path(random).split("/")[1:]:
        slash = random.choice(
            ["/"] * 12 + ["//", "/./", "%2F", "/%2e/", f"/{sent_text(random, random.choice(SEGMENTS))}/../", "/../"]
        )
        text += slash if text or slash[0] == "/" else f"/{slash}"
        text += sent_text(random, segment)
    tail = random.choice([""] * 12 + ["/", "/.", "/..", "%00", "%zz", "%", "%e9", "/%2e%2E"])
    return f"{text or '/'}{tail}"


def sent_text(random: Random, segment: str) -> str:
    return "".join(sent_character(random, char) for char in segment)


def sent_character(random: Random, char: str) -> str:
    encoded = "".join(f"%{byte:02X}" for byte in char.encode())
    if char in " %?#":
        return encoded
    return random.choice([char] * 20 + [encoded, encoded.lower()])


def request(random: Random) -> Request:
    target = sent_path(random)
    if random.random() < 0.5:
        pairs = [
            f"{random.choice(SENT_PARAMETERS)}{random.choice(['=', '=', ''])}{random.choice(SENT_VALUES)}"
            for _ in range(2)
        ]
        target += "?" + "&".join(pairs) + random.choice(["", "", "&", "#x", "?"])
    headers = [(name, random.choice([*VALUES, ""])) for name in some(random, [*HEADERS, "X-Version"])]
    if random.random() < 0.5:
        pairs = [f"{random.choice([*COOKIES, 'x'])}={random.choice(SENT_COOKIES)}" for _ in range(2)]
        headers.append(("Cookie", random.choice(["; ", ";", " ;  "]).join(pairs)))
    return Request(random.choice(METHODS), target, tuple(headers), ip_address(random.choice(SOURCES)))


@contextlib.contextmanager
def nginx(folder: Path, sites: list[Site], echoes: list[int]) -> Iterator[Ports]:
    with real_nginx.serving(folder, sites, echoes) as ports:
        yield ports


@contextlib.contextmanager
def haproxy(folder: Path, sites: list[Site], echoes: list[int]) -> Iterator[Ports]:
    """HAProxy, with apps that an nginx plays."""
    for name in ("apps", "proxy"):
        (folder / name).mkdir()
    with (
        real_nginx.serving(folder / "apps", [routed("apps.example.com")], echoes),
        real_haproxy.serving(folder / "proxy", sites) as ports,
    ):
        yield ports


def is_no_uri(target: str) -> bool:
    """HAProxy refuses what no URI has (RFC 3986): bytes that are not encoded, and fragments."""
    return not target.isascii() or "#" in target


PROXIES = pytest.mark.parametrize(
    ("running", "refused"), [(nginx, lambda _: False), (haproxy, is_no_uri)], ids=["nginx", "haproxy"]
)
Running = Callable[[Path, list[Site], list[int]], contextlib.AbstractContextManager[Ports]]
Refused = Callable[[str], bool]


def expected(one: Site, sent: Request) -> str:
    found = route(one, sent)
    if found.path is None:
        return "400"
    if found.route is None:
        return "404"
    action = found.route.action
    if isinstance(action, Answer):
        return action.text
    assert isinstance(action, Backend)
    return f"{action.servers[0].endpoint.port} {sent.method} {found.seen}" if found.seen else "400"


def answered(connection: Connection, one: Site, sent: Request) -> str:
    got = connection.ask(one.name, sent.method, sent.target, sent.headers)
    if got.status != 200:
        return str(got.status)
    return " ".join(got.body.split(" ")[:3]) if got.body[0].isdigit() else got.body


@PROXIES
def test_it_follows_the_rules_that_the_router_follows(tmp_path: Path, running: Running, refused: Refused) -> None:
    random = Random(17)
    echoes = free_ports(30)
    sites = [site(random, number, echoes) for number in range(SITES)]
    with contextlib.ExitStack() as stack:
        port = stack.enter_context(running(tmp_path, sites, echoes)).http
        ways = {ip_address(source): stack.enter_context(Connection(port, source)) for source in SOURCES}
        for _ in range(REQUESTS):
            one, sent = random.choice(sites), request(random)
            assert sent.source is not None
            wanted = "400" if refused(sent.target) else expected(one, sent)
            assert answered(ways[sent.source], one, sent) == wanted, (sent, one.routes)


@PROXIES
def test_it_finds_the_paths_that_the_router_finds(tmp_path: Path, running: Running, refused: Refused) -> None:
    random = Random(16)
    echoes = free_ports(30)
    sites = [
        routed(f"s{number}.example.com", *plain_routes(random, random.sample(echoes, 30), 12)) for number in range(40)
    ]
    with running(tmp_path, sites, echoes) as proxy, Connection(proxy.http) as connection:
        for _ in range(PATHS):
            one, sent = random.choice(sites), Request("GET", sent_path(random))
            wanted = "400" if refused(sent.target) else expected(one, sent)
            assert answered(connection, one, sent) == wanted, (sent, one.routes)
