"""nginx: the locations of a site, and what each does with a request."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from stackctl.model.backends import Backend, Speaks
from stackctl.model.layout import MARKER_PATH, site_file
from stackctl.model.matching import EVERY_PATH, PathKind
from stackctl.model.router import Router, stripped
from stackctl.model.routing import Action, Answer, Redirect, Route, Site
from stackctl.model.stack import Stack
from stackctl.model.tuning import Tuning
from stackctl.proxies.nginx.access import AccessRules
from stackctl.proxies.nginx.clients import client_headers
from stackctl.proxies.nginx.directives import first, named
from stackctl.proxies.nginx.edge import EdgeLines
from stackctl.proxies.nginx.groups import Target
from stackctl.proxies.nginx.headers import alternative_headers
from stackctl.proxies.nginx.limits import Limits
from stackctl.proxies.nginx.maps import Map
from stackctl.proxies.nginx.own import (
    Directives,
    Snippets,
    buffer_lines,
    giving_way,
    outer_lines,
    sets_buffers,
)
from stackctl.proxies.nginx.quoting import location_path
from stackctl.proxies.nginx.rules import JUMP, Rules
from stackctl.proxies.nginx.settings import grpc_lines, tuning_lines
from stackctl.proxies.nginx.strip import PREFIX, Strip, Strips
from stackctl.proxies.nginx.targets import text_of
from stackctl.proxies.nginx.upstream import tls_lines
from stackctl.proxies.nginx.variables import Variables, joined
from stackctl.templates import render

_DEPTH = 8
"""Spaces before a line of a location."""

NO_FILE = f"{MARKER_PATH}/none"
"""A path below that of a file, where there is none."""


@dataclass(frozen=True, slots=True)
class Place:
    """One location.

    Attributes:
        head: its parameters.
        route: None if no route answers there.
        prefix: what ``strip`` takes off; None for nothing.
        text: the variable with the text of the route's action; empty for its own.
    """

    head: str
    route: Route | None
    prefix: str | None = None
    text: str = ""

    @property
    def is_named(self) -> bool:
        """Whether only a rule leads there."""
        return self.head.startswith("@")

    @property
    def is_root(self) -> bool:
        """Whether it is the location of every path."""
        return self.head == EVERY_PATH.text


def places(site: Site, own: Directives) -> Iterator[Place]:
    """Yield the locations of the routes that have only paths; ``own`` are the user's directives in the server.

    A prefix ends at a slash: it has one location for itself and one for what is below, so nginx redirects neither.
    ``^~`` keeps regexes of the user's away from all but ``/``.
    """
    exact: dict[str, Route | None] = {}
    prefixes: dict[str, Route] = {}
    for route in site.routes:
        for path in () if route.is_rule else route.match.all_of.paths:
            (exact if path.kind is PathKind.EXACT else prefixes).setdefault(path.text, route)
    router = Router(site)
    for text in list(exact):
        # nginx would redirect the path without the slash to this one.
        bare = text.removesuffix("/")
        if bare not in {text, ""} and bare not in prefixes:
            exact.setdefault(bare, router.owner_of(bare))
    for text, owner in exact.items():
        yield Place(f"= {location_path(text)}", owner, stripped(owner, text) if owner else None)
    for text, route in prefixes.items():
        prefix = text if route.strip else None
        if text == EVERY_PATH.text:
            yield Place(text, route)
            continue
        if text not in exact:
            yield Place(f"= {location_path(text)}", route, prefix)
        yield Place(f"^~ {location_path(f'{text}/')}", route, prefix)
    if EVERY_PATH.text not in prefixes and not any(one.args[-1:] == ("/",) for one in named(own, "location")):
        yield Place(EVERY_PATH.text, None)


@dataclass(frozen=True)
class Locations:
    """Renders the locations of one site.

    Attributes:
        own: the user's directives: around all servers, in this site's server, and in its location.
        includes: whether the user has a file for the location.
        rules: those that are tried before each location, and ``limits`` the sizes of bodies then.
        edge: limits of requests, headers and compression.
        access: who may make requests.
    """

    site: Site
    targets: Mapping[Backend, Target]
    snippets: Snippets
    own: Sequence[Directives]
    includes: bool
    variables: Variables
    strips: Strips
    rules: Rules
    limits: Limits
    edge: EdgeLines
    access: AccessRules
    _answers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @classmethod
    def of(  # noqa: PLR0913  (a site, and what is around it)
        cls,
        stack: Stack,
        site: Site,
        targets: Mapping[Backend, Target],
        snippets: Snippets,
        own: Sequence[Directives],
        *,
        includes: bool,
    ) -> Locations:
        """Return the locations of a site of ``stack``."""
        variables = Variables(site.name)
        strips, rules, limits = Strips(variables), Rules.of(site, variables), Limits(site, variables)
        access = AccessRules(site, variables, snippets, own, stack.pages)
        everywhere = (*alternative_headers(stack), *access.cookies())
        edge = EdgeLines(site, variables, snippets, own, everywhere, (*access.identity(), *client_headers(site)))
        return cls(site, targets, snippets, own, includes, variables, strips, rules, limits, edge, access)

    def maps(self) -> list[Map]:
        """Return the maps that the locations need, once all are rendered."""
        texts = [Map("", name, default=text, kind="geo") for name, text in self.variables.texts.items()]
        return [
            *texts,
            *self.strips.maps(),
            *self.limits.maps(),
            *self.rules.maps,
            *self.edge.maps(),
            *self.access.maps(self.rules),
        ]

    def server_lines(self) -> list[str]:
        """Return the lines for the servers of the site, which its locations inherit."""
        return [*self.edge.server_lines(), *self.access.server_lines()]

    def page_lines(self) -> list[str]:
        """Return the lines for the locations of pages."""
        return [*self.edge.page_lines(), *self.access.page_lines()]

    def all(self) -> Iterator[str]:
        """Yield the locations of the site."""
        for place in places(self.site, self.own[1]):
            yield self._rendered(place)
        for target in self.rules.targets.found:
            yield self._rendered(Place(target.name, target.route, target.prefix, target.text))

    def _rendered(self, place: Place) -> str:
        route = place.route
        action: Action = Answer(404) if route is None else route.action
        strip = None if place.prefix is None else self.strips.of(place.prefix)
        own = place.is_root and self.includes and isinstance(action, Backend)
        before = list(self._tried_first(place))
        lines: list[str] = []
        passing: dict[str, object] = {"target": None, "tls_lines": [], "path": ""}
        if isinstance(action, Backend):
            before += self.limits.refusals(self._own_tuning(place).body_size) if self.rules else ()
            before += self._prefix_lines(strip)
            server = action.servers[0]
            grpc = server.speaks is Speaks.GRPC
            location = self.own[2] if own else ()
            lines += self.edge.passing_lines(route.tuning if route else None, location, grpc=grpc)
            lines += grpc_lines(self._tuning(place)) if grpc else self._passing_lines(location)
            lines += ["proxy_http_version 2;"] if server.speaks is Speaks.H2C else []
            lines += strip.answers(self.site) if strip else ()
            passing = {
                "target": self.targets[action],
                "passes": "grpc_pass" if grpc else "proxy_pass",
                "tls_lines": [
                    line.replace("proxy_ssl_", "grpc_ssl_") if grpc else line for line in tls_lines(self.site, server)
                ],
                "path": strip.variable if strip else "",
            }
        elif isinstance(action, Redirect):
            before += [strip.refusal] if strip else ()
            lines += self._redirect(action, strip, place.text)
        else:
            lines += self._answer(action, place.text)
        if not isinstance(action, Backend):
            lines += self.edge.answering_lines(route.tuning if route else None)
        lines += tuning_lines(self._tuning(place), self.site.tuning)
        head, ahead = place.head, ""
        if self.access.asks and not isinstance(action, Backend):
            # 'return' comes before passwords are asked for, so another location does that, for any method.
            head = f"@stackctl_answer_{next(self._answers)}"
            asks = [f"try_files {NO_FILE} {head};"]
            nothing = dict.fromkeys(passing)
            ahead = render("nginx/location.conf.j2", head=place.head, first=before, lines=asks, own=None, **nothing)
            before = []
        text = render(
            "nginx/location.conf.j2",
            head=head,
            first=before,
            lines=lines,
            own=site_file(self.site.name) if own else None,
            **passing,
        )
        return ahead + (giving_way(text, self.own[2], _DEPTH) if own else text)

    def _own_tuning(self, place: Place) -> Tuning:
        passing = place.route is not None and isinstance(place.route.action, Backend)
        return (place.route.tuning if place.route and passing else None) or self.site.tuning

    def _tuning(self, place: Place) -> Tuning:
        own = self._own_tuning(place)
        return replace(own, body_size=self.limits.largest) if self.rules and not place.is_named else own

    def _tried_first(self, place: Place) -> Iterator[str]:
        """Yield the lines that hand a request to the location of its rule."""
        if not self.rules or place.is_named:
            return
        if place.is_root and first(self.own[2], "error_page"):
            yield self.rules.jump
        # The errors of the rule's own location have their pages too.
        yield "recursive_error_pages on;"
        yield f"if ({self.rules.variable}) {{ return {JUMP}; }}"

    def _prefix_lines(self, strip: Strip | None) -> Iterator[str]:
        if strip is not None:
            yield strip.refusal
            yield strip.sets_prefix
        elif any(route.strip for route in self.site.routes):
            # A page of an error may come here from a location that has one.
            yield f'set {PREFIX} "";'

    def _passing_lines(self, location: Directives) -> list[str]:
        """Return the lines of a location that proxies, next to the user's own."""
        outer = self.own[:2]
        lines: list[str] = []
        for name in ("add_header", "proxy_hide_header"):
            lines += outer_lines(name, outer, location)
        return lines + (buffer_lines(location) if sets_buffers(location) else [])

    def _redirect(self, action: Redirect, strip: Strip | None, to: str) -> Iterator[str]:
        if action.to.startswith("/"):
            yield "absolute_redirect off;"
        rest = "" if not action.keep_path else strip.variable if strip else "$request_uri"
        yield f"return {action.status} {joined(to, rest) if to else self.variables.text(text_of(action), rest)};"

    def _answer(self, action: Answer, text: str) -> Iterator[str]:
        if not action.text and action.status != JUMP:
            yield f"return {action.status};"
            return
        yield "types { }"
        yield f"default_type {self.variables.text(action.content_type)};"
        yield f"return {action.status} {joined(text) if text else self.variables.text(action.text)};"
