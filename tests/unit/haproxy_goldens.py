"""Stacks whose HAProxy files are kept as golden sets, ``tests/golden/haproxy/CASE/``."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

from stackctl.certs.held import held
from stackctl.certs.shelf import Shelf
from stackctl.model.access import Access
from stackctl.model.blocked import Blocked
from stackctl.model.endpoints import PortBinding
from stackctl.model.http3 import Http3
from stackctl.model.matching import PathMatch
from stackctl.model.pages import PageFile
from stackctl.proxies.haproxy.layout import LUA
from stackctl.proxies.haproxy.proxy import Haproxy
from stackctl.proxies.sites import Rendering, site_tls
from tests.unit.build import GOLDEN, whole
from tests.unit.goldens import CASES as ALL
from tests.unit.goldens import Case

FOLDER = GOLDEN / "haproxy"
VERSIONS = {"3.0": (3, 0, 11), "3.2": (3, 2, 26)}
NEWEST = "3.2"

_CASES = (
    *("no_app", "issued", "alias_not_covered", "port_8443", "paths", "answers", "unknown_names", "rules", "servers"),
    *("sticky", "grpc", "canary", "health", "health_of_addresses", "extremes", "edge", "behind", "terminated"),
)
ACCESS = Access((ip_network("10.0.0.0/8"),), (ip_network("10.9.0.0/16"),), skip=(PathMatch("/public"),))
CUSTOM = {
    "frontend.cfg": b"http-request deny if { path_end .php }",
    "sections.cfg": b"backend mine\n    http-request return status 200\n",
    "a.example.com.cfg": b"http-response set-header X-Own yes",
}


def cases() -> dict[str, Case]:
    """The cases by their names, and one with files of the user's."""
    found = {name: replace(ALL[name], custom=_cas(ALL[name])) for name in _CASES}
    issued = ALL["issued"]
    quic = replace(issued, stack=replace(issued.stack, http3=Http3(PortBinding(None, 8443))))
    listed = PageFile("lists/scanners.txt")
    blocked = replace(
        issued.stack,
        blocked=Blocked((ip_network("192.0.2.0/24"),)),
        pages={listed.path: b"198.51.100.7 ; one of them\n2001:db8::/32\n"},
        sites=tuple(
            replace(one, blocked=Blocked((), (listed,)), tuning=replace(one.tuning, access=ACCESS))
            for one in issued.stack.sites
        ),
    )
    found["blocked"] = replace(issued, stack=blocked)
    framed = ALL["proxy_protocol"]
    found["proxy_protocol"] = replace(framed, stack=replace(framed.stack, streams=()))
    return {**found, "custom": replace(issued, custom=CUSTOM), "http3": quic}


def _cas(case: Case) -> dict[str, bytes]:
    return {name: body for name, body in case.custom.items() if name.endswith(".pem")}


def rendered(case: Case, version: str) -> dict[str, bytes]:
    """All files of a case, its generation marker too."""
    haproxy = Haproxy()
    rendering = Rendering(haproxy, VERSIONS[version], case.custom)
    tls = {one.name: site_tls(one, held(one, Shelf(case.issued))) for one in case.stack.sites}
    return whole(rendering, case.stack, tls) | {haproxy.layout.marker: haproxy.marker("0123456789abcdef")}


def kept(case: Case) -> dict[str, bytes]:
    """The files of a golden set: all but the program, which is the same in each."""
    return {path: body for path, body in rendered(case, NEWEST).items() if path != LUA}
