"""Stacks whose nginx files are kept as golden sets: ``tests/golden/nginx/CASE/VERSION/``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any

from stackctl.certs.held import held
from stackctl.certs.lineage import Lineage
from stackctl.certs.shelf import Shelf
from stackctl.model.backends import Backend, Canary, Server, ServerTls, Speaks
from stackctl.model.balancing import Balance, HashKey, HashKind, Sticky
from stackctl.model.edge import Behind, ClientIp, health_path
from stackctl.model.endpoints import Endpoint, PortBinding
from stackctl.model.headers import Changes, Headers, Hsts, Preset
from stackctl.model.health import ActiveCheck, HealthCheck
from stackctl.model.http3 import Http3
from stackctl.model.limits import CountedBy, Rate
from stackctl.model.matching import Conditions, FieldMatch, Match, PathKind, PathMatch, Text
from stackctl.model.pages import ErrorPages, Maintenance, PageFile
from stackctl.model.routing import Answer, Redirect, Route, Site, everything_to
from stackctl.model.stack import Stack, TlsPolicy, UnknownNames
from stackctl.model.streams import Stream, stream_port
from stackctl.model.tuning import Tuning
from stackctl.model.values import ServiceName, domain
from stackctl.proxies.nginx.proxy import Nginx
from stackctl.proxies.sites import Rendering, site_tls
from tests.unit.build import GOLDEN, lineage, lineages, routed, site, stack, whole

VERSIONS = {"1.22": (1, 22, 1), "1.26": (1, 26, 3), "1.30": (1, 30, 4)}
"""The images' tags, and the versions that are rendered for."""

FOLDER = GOLDEN / "nginx"

LONG = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 40, "example"])
"""Near the longest name whose files have names that a file system takes."""

HTTP = b"""\
# A person's own, beside the sites.
map $http_accept_language $language {
    default en;
    ~^de    de;
}
"""
SITE = b"""\
# A person's own, inside the site.
add_header Strict-Transport-Security "max-age=63072000" always;
proxy_set_header X-Language $language;
location /static/ {
    alias /usr/share/nginx/html/;
}
"""


PAGE, OTHER = PageFile("pages/502.html"), PageFile("later.txt")
SIX = datetime(2026, 11, 27, 18, tzinfo=UTC)
MARKUP = 'at $6, "soon" <b>\\'

WEB, API = Server.of(ServiceName("web"), 8000), Server.of(ServiceName("api"), 3000)

LONG_UPLOADS = Tuning("10g", read_timeout="1h")
LOCATION = b"proxy_read_timeout 7s;\n"


def exact(path: str) -> Match:
    """The requests for one path."""
    return Match(Conditions((PathMatch(path, PathKind.EXACT),)))


def redirected(*names: str, to: str, keep_path: bool = True) -> Site:
    """A site that does nothing but redirect."""
    return routed(names[0], Route(Match(), Redirect(to, keep_path=keep_path)), aliases=names[1:])


def outside(number: int, **keys: Any) -> Server:
    """One of several servers outside Compose."""
    return replace(Server(Endpoint(f"192.0.2.{number}", 8080)), **keys)


def balanced(name: str, *servers: Server, **keys: Any) -> Site:
    """A site whose requests several servers share."""
    return routed(name, Route(Match(), Backend(servers, **keys)))


EDGE = Headers(
    Preset.STRICT,
    Hsts(31_536_000, subdomains=True),
    Changes((("X-Robots-Tag", "noindex"), ("X-Cost", 'a "$1"')), ("X-Powered-By",)),
    Changes((("X-Team", "$blue"), ("X-Forwarded-Port", "9")), ("X-Debug",)),
)
CHECK = ActiveCheck(HealthCheck("/up?a=1", ((200, 299), (401, 401)), 1.5), 4, 1, 2)
TLS = ServerTls(name="app.internal")
STREAMS = (
    Stream(Endpoint("db", 5432), stream_port("127.0.0.1:5432"), ServiceName("db"), (ip_network("192.0.2.0/24"),)),
    Stream(Endpoint("2001:db8::5", 51820), stream_port("51820/udp")),
    Stream(Endpoint("mail", 443), domain("mail.example.com"), ServiceName("mail")),
    Stream(Endpoint("mail", 443), domain(f"x.{LONG}"[:253]), ServiceName("mail"), (ip_network("2001:db8::/32"),)),
)


def with_streams(*sites: Site, streams: tuple[Stream, ...]) -> Stack:
    """A stack of an image that has the module in a file, as Debian's."""
    made = stack(*sites)
    module = "/usr/lib/nginx/modules/ngx_stream_module.so"
    return replace(made, streams=streams, proxy=replace(made.proxy, streams=module))


NETWORKS = (ip_network("10.0.0.0/16"), ip_network("2001:db8:1::/48"))


def terminated(*sites: Site, behind: Behind) -> Stack:
    """A stack in front of which TLS ends."""
    made = stack(*sites)
    return replace(made, behind=behind, proxy=replace(made.proxy, listeners=made.proxy.listeners[:1]))


def framed(*sites: Site, streams: tuple[Stream, ...], behind: Behind) -> Stack:
    """A stack that gets the PROXY protocol on the ports of its sites."""
    return replace(with_streams(*sites, streams=streams), behind=behind)


@dataclass(frozen=True)
class Case:
    """A stack, with what is observed of its certificates and custom files."""

    stack: Stack
    issued: Mapping[str, Lineage] = field(default_factory=dict)
    custom: Mapping[str, bytes] = field(default_factory=dict)
    versions: tuple[str, ...] = tuple(VERSIONS)


CASES = {
    "no_app": Case(stack()),
    "dummy": Case(stack(site("a.example.com"))),
    "issued": Case(
        stack(site("a.example.com", "www.example.com")), lineages(lineage("a.example.com", "www.example.com"))
    ),
    "alias_not_covered": Case(stack(site("a.example.com", "new.example.com")), lineages(lineage("a.example.com"))),
    "outside": Case(
        stack(
            site("v4.example.com", host="192.0.2.5", port=8080),
            site("v6.example.com", host="2001:db8::5", port=8080),
            site("name.example.com", host="legacy.internal", port=3000),
        ),
        lineages(lineage("v4.example.com")),
    ),
    "custom": Case(
        stack(site("a.example.com"), site("b.example.com", service="api")),
        lineages(lineage("a.example.com")),
        {"http.conf": HTTP, "a.example.com.conf": SITE, "b.example.com.conf": SITE, "unrouted.example.com.conf": SITE},
    ),
    "location": Case(
        stack(site("a.example.com"), site("b.example.com", service="api")),
        lineages(lineage("a.example.com")),
        {
            "http.conf": HTTP,
            "a.example.com.location.conf": b"proxy_buffering off;\n",
            "b.example.com.conf": SITE,
            "b.example.com.location.conf": b"proxy_set_header Host $http_host;\nproxy_set_header X-Team blue;\n",
        },
    ),
    "modern": Case(stack(site("a.example.com"), tls=TlsPolicy.MODERN), lineages(lineage("a.example.com"))),
    "port_8443": Case(
        stack(site("a.example.com"), https=PortBinding("127.0.0.1", 8443)), lineages(lineage("a.example.com"))
    ),
    "three_apps": Case(
        stack(
            site("example.com", "www.example.com", service="web"),
            site("api.example.com", service="api_v2", port=3000),
            site(domain("münchen.example.com"), service="web", port=9000, tuning=Tuning("0", "1ms", "999999d", "1h")),
        ),
        lineages(lineage("example.com", "www.example.com")),
    ),
    "paths": Case(
        stack(
            routed(
                "shop.example.com",
                Route(Match(), Backend((WEB,))),
                Route(Match.of("/api", "/v2 beta"), Backend((API,)), strip=True, tuning=LONG_UPLOADS),
                Route(exact("/health"), Answer(200, 'ok: "$yes"\n')),
                Route(exact("/files/"), Backend((API,))),
                Route(Match.of("/old"), Redirect("https://new.example.com", keep_path=True), strip=True),
                Route(Match.of("/metrics"), Answer(403)),
            ),
            routed("files.example.com", Route(Match.of("/files"), Backend((WEB,))), aliases=("f.example.com",)),
        ),
        lineages(lineage("shop.example.com")),
        {"http.conf": HTTP, "shop.example.com.location.conf": LOCATION, "files.example.com.conf": SITE},
    ),
    "behind": Case(
        replace(
            stack(site("a.example.com", "www.example.com"), site("b.example.com", service="api")),
            behind=Behind(NETWORKS, ("cloudflare",), ClientIp.CF_CONNECTING_IP, health=health_path("/healthz")),
        ),
        lineages(lineage("a.example.com", "www.example.com")),
    ),
    "terminated": Case(
        terminated(
            replace(site("a.example.com", "www.example.com"), canonical=domain("a.example.com")),
            redirected("old.example.com", to="https://a.example.com"),
            behind=Behind(NETWORKS[:1], terminated=True, redirect=True, health=health_path("/healthz")),
        ),
        lineages(lineage("a.example.com", "www.example.com")),
    ),
    "proxy_protocol": Case(
        framed(site("a.example.com"), streams=STREAMS, behind=Behind(NETWORKS, client_ip=ClientIp.PROXY_PROTOCOL)),
        lineages(lineage("a.example.com")),
    ),
    "answers": Case(
        replace(
            stack(
                replace(
                    site("example.com", "www.example.com", "new.example.com"),
                    canonical=domain("example.com"),
                    errors=ErrorPages(((413, PAGE), (502, PAGE), (503, OTHER)), intercept=True),
                ),
                replace(
                    site("down.example.com"),
                    maintenance=Maintenance(f"Back {MARKUP}", None, SIX, (ip_network("192.0.2.7"), ip_network("::1"))),
                ),
                replace(site("soon.example.com"), errors=ErrorPages(((503, OTHER),)), maintenance=Maintenance()),
                redirected("old.example.com", "www.old.example.com", to="https://new.example.org"),
                redirected("moved.example.com", to="https://example.com/a?b=$c", keep_path=False),
                https=PortBinding(None, 8443),
            ),
            unknown=UnknownNames(page=PAGE),
            pages={PAGE.path: b"sorry", OTHER.path: b"later"},
        ),
        lineages(lineage("example.com", "www.example.com"), lineage("old.example.com", "www.old.example.com")),
        {"example.com.conf": b"proxy_intercept_errors off;\n"},
    ),
    "unknown_names": Case(
        replace(
            stack(replace(site("example.com"), maintenance=Maintenance(page=PAGE))),
            unknown=UnknownNames(site=domain("example.com")),
            pages={PAGE.path: b"sorry"},
        ),
        lineages(lineage("example.com")),
    ),
    "rules": Case(
        stack(
            routed(
                "shop.example.com",
                Route(Match.of("/"), Backend((WEB,))),
                Route(Match(Conditions((PathMatch("/v2"),), ("POST", "PUT"))), Backend((API,)), strip=True),
                Route(Match(Conditions(headers=(FieldMatch("x-v", (Text("^2", regex=True),)),))), Backend((API,))),
                Route(
                    Match(
                        Conditions(
                            query=(FieldMatch("preview", (Text("a b"),)),),
                            cookies=(FieldMatch("group", (Text("beta"),)),),
                            sources=(ip_network("192.0.2.0/24"), ip_network("2001:db8::/32")),
                        ),
                        Conditions((PathMatch("/admin"), PathMatch("/api", PathKind.EXACT))),
                    ),
                    Backend((API,)),
                    tuning=LONG_UPLOADS,
                ),
                Route(Match(Conditions((PathMatch(r"^/old/(\d+)$", PathKind.REGEX),))), Redirect("/new"), priority=1),
            )
        ),
        lineages(lineage("shop.example.com")),
        {"shop.example.com.location.conf": b"error_page 502 /sorry.html;\n"},
    ),
    "servers": Case(
        stack(
            balanced(
                "lb.example.com",
                outside(11),
                outside(12, weight=2, max_connections=200),
                outside(13, backup=True),
                outside(14, drained=True),
                balance=Balance.LEAST_CONN,
            ),
            balanced("random.example.com", outside(11, weight=256), outside(12), balance=Balance.RANDOM),
            *(
                balanced(
                    f"{kind}.example.com",
                    *(outside(11), outside(12)),
                    balance=Balance.HASH,
                    hash=HashKey(kind, name),
                )
                for kind, name in zip(HashKind, ("", "", "user", "x-user-id", "group"), strict=True)
            ),
        ),
        lineages(lineage("lb.example.com")),
    ),
    "sticky": Case(
        stack(
            balanced("a.example.com", WEB, balance=Balance.LEAST_CONN, sticky=Sticky()),
            balanced("b.example.com", outside(11), outside(12, drained=True), sticky=Sticky("shop", "1h")),
            balanced("c.example.com", WEB, balance=Balance.HASH, hash=HashKey(HashKind.SOURCE)),
        ),
        lineages(lineage("a.example.com")),
        versions=("1.30",),
    ),
    "grpc": Case(
        stack(
            routed("a.example.com", *everything_to(Server.of(ServiceName("web"), 50051, speaks=Speaks.GRPC))),
            routed(
                "b.example.com",
                *everything_to(Server.of(ServiceName("api"), 50051, ServerTls(), Speaks.GRPC)),
                Route(Match.of("/page"), Backend((WEB,))),
            ),
        ),
        lineages(lineage("a.example.com")),
        {"a.example.com.conf": SITE, "http.conf": HTTP},
    ),
    "streams": Case(with_streams(site("a.example.com"), streams=STREAMS[:2]), lineages(lineage("a.example.com"))),
    "passthrough": Case(with_streams(site("a.example.com"), streams=STREAMS), lineages(lineage("a.example.com"))),
    "canary": Case(
        stack(
            balanced("a.example.com", WEB, canary=Canary(API, 10, ("group", "beta.1"))),
            balanced("b.example.com", WEB, sticky=Sticky(), canary=Canary(API, 5)),
            balanced("c.example.com", WEB, canary=Canary(API, 0, ("group", "beta"))),
        ),
        lineages(lineage("a.example.com")),
        versions=("1.30",),
    ),
    "edge": Case(
        stack(
            routed(
                "a.example.com",
                Route(Match(), Backend((WEB,))),
                Route(Match.of("/login"), Backend((WEB,)), tuning=Tuning(rates=(Rate(7, 60, 0),), headers=EDGE)),
                Route(Match.of("/call"), Backend((replace(API, speaks=Speaks.GRPC),))),
                Route(Match.of("/off"), Backend((WEB,)), tuning=Tuning(connections=9)),
                tuning=Tuning(
                    rates=(Rate(10, 1, 20), Rate(7, 60, 7, (PathMatch("/a b"),), CountedBy.ALL)),
                    connections=50,
                    headers=EDGE,
                    compress=True,
                ),
            ),
            site("b.example.com", service="api", tuning=Tuning(rates=(Rate(10, 1, 5),), headers=Headers(Preset.BASIC))),
        ),
        lineages(lineage("a.example.com")),
        {
            "http.conf": HTTP + b"add_header X-All 1;\n",
            "a.example.com.conf": SITE,
            "a.example.com.location.conf": LOCATION,
        },
    ),
    "http3": Case(
        replace(with_streams(site("a.example.com"), streams=STREAMS[2:3]), http3=Http3(PortBinding(None, 443))),
        lineages(lineage("a.example.com")),
        {"a.example.com.conf": SITE + b"location /own { add_header X-Own 1; return 204; }\n", "http.conf": HTTP},
        versions=("1.26", "1.30"),
    ),
    "health": Case(
        stack(
            balanced("a.example.com", WEB, canary=Canary(API, 10, ("group", "beta")), health=CHECK),
            balanced("b.example.com", Server.of(ServiceName("api"), 443, TLS), sticky=Sticky(), health=CHECK),
            site("c.example.com"),
        ),
        lineages(lineage("a.example.com")),
        versions=("1.30",),
    ),
    "health_of_addresses": Case(
        stack(
            balanced(
                "a.example.com", outside(11), outside(12, backup=True), balance=Balance.LEAST_CONN, health=CHECK
            ),
            balanced("b.example.com", outside(13), health=CHECK),
        ),
        lineages(lineage("a.example.com")),
    ),
    "extremes": Case(
        stack(
            site(LONG, f"x.{LONG}"[:253], service="s" * 63, port=65535, tuning=Tuning("999999999g", "1s", "1s", "1s")),
            site("1.a", service="1", port=1),
        ),
        lineages(lineage("1.a")),
    ),
}  # fmt: skip


def rendered(case: Case, version: str) -> dict[str, bytes]:
    """All files of a case, its generation marker too."""
    nginx = Nginx()
    rendering = Rendering(nginx, VERSIONS[version], case.custom)
    tls = {one.name: site_tls(one, held(one, Shelf(case.issued))) for one in case.stack.sites}
    return whole(rendering, case.stack, tls) | {nginx.layout.marker: nginx.marker("0123456789abcdef")}
