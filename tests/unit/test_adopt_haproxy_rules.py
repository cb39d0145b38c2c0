"""The routes of an adopted HAProxy choose the servers that its rules chose."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from stackctl.adopt.compose_edit import adopted
from stackctl.adopt.compose_layouts import read_layout
from stackctl.model.backends import Backend
from stackctl.model.fields import Request
from stackctl.model.router import routed
from stackctl.model.values import Domain
from stackctl.proxies.haproxy.proxy import Haproxy
from stackctl.stackfile.document import Document
from stackctl.stackfile.read import read_sites
from tests.unit.test_adopt_compose import project
from tests.unit.test_adopt_haproxy import certificate, reading

HOSTS = ("a.example.com", "b.example.com", "c.example.com")
PATHS = ("/", "/x/1", "/x/y/1", "/z/1", "/p", "/v1", "/v1/w")
COMPOSE = 'services:\n  edge:\n    image: haproxy:3.2\n    ports: ["80:80", "443:443"]\n'


@dataclass(frozen=True)
class Asked:
    host: str
    path: str
    method: str
    version: str
    query: str


Term = tuple[str, Callable[[Asked], bool]]
TERMS: tuple[Term, ...] = (
    *((f"{{ hdr(host) -i {host} }}", lambda one, host=host: one.host == host) for host in HOSTS),
    ("{ hdr(host) a.example.com b.example.com }", lambda one: one.host in HOSTS[:2]),
    ("{ hdr_beg(host) b. }", lambda one: one.host.startswith("b.")),
    *((f"{{ path_beg {path} }}", lambda one, path=path: one.path.startswith(path)) for path in ("/x/", "/x/y/", "/z/")),
    ("{ path /p /v1 }", lambda one: one.path in {"/p", "/v1"}),
    ("{ path_reg ^/v[0-9]+$ }", lambda one: re.search("^/v[0-9]+$", one.path) is not None),
    ("{ path_end /1 }", lambda one: one.path.endswith("/1")),
    ("METH_POST", lambda one: one.method == "POST"),
    ("{ hdr(x-v) 2 }", lambda one: one.version == "2"),
    ("{ urlp(q) 1 }", lambda one: one.query == "1"),
    ("{ ssl_fc }", lambda _: True),
)
EVERY = [Asked(*one) for one in itertools.product(HOSTS, PATHS, ("GET", "POST"), ("", "2"), ("", "1"))]

terms = st.tuples(st.sampled_from(TERMS), st.sampled_from(("", "", "", "!")))
conditions = st.lists(st.lists(terms, min_size=1, max_size=3), min_size=1, max_size=2)


def holds(condition: list[list[tuple[Term, str]]], asked: Asked) -> bool:
    return any(all(test(asked) is not bool(sign) for (_, test), sign in group) for group in condition)


def written(condition: list[list[tuple[Term, str]]]) -> str:
    return " or ".join(" ".join(f"{sign}{text}" for (text, _), sign in group) for group in condition)


def request(asked: Asked) -> Request:
    target = f"{asked.path}?q={asked.query}" if asked.query else asked.path
    return Request(asked.method, target, (("x-v", asked.version),) if asked.version else ())


@settings(max_examples=60, deadline=None)
@given(st.lists(conditions, max_size=6), st.booleans())
def test_routes_choose_what_rules_chose(rules: list[list[list[tuple[Term, str]]]], has_default: bool) -> None:
    lines = "".join(f" use_backend b{n} if {written(one)}\n" for n, one in enumerate(rules))
    backends = "".join(f"backend b{n}\n server s 10.0.0.{n + 1}:80\n" for n in range(len(rules) + 1))
    default = f" default_backend b{len(rules)}\n" if has_default else ""
    text = f"defaults\n mode http\nfrontend f\n bind :80\n bind :443 ssl crt /c\n{lines}{default}{backends}"
    proposal = reading(text, certificate(*HOSTS))
    if "use_backend" in proposal.files.get("frontend.cfg", ""):
        return  # the rest of it is up to HAProxy: see tests/e2e
    doc = Document.parse(COMPOSE, "docker-compose.yml")
    layout = read_layout(project(COMPOSE))
    sites = read_sites(adopted(doc, Haproxy(), layout, proposal, {"proxy": "haproxy"}, {}))
    by_name = {name: site for site in sites for name in site.domains}
    for asked in EVERY:
        chosen = next((n for n, one in enumerate(rules) if holds(one, asked)), len(rules) if has_default else None)
        site = by_name.get(Domain(asked.host))
        route = routed(site, request(asked)).route if site else None
        action = route.action if route else None
        host = action.servers[0].endpoint.host if isinstance(action, Backend) else None
        assert host == (None if chosen is None else f"10.0.0.{chosen + 1}"), asked
