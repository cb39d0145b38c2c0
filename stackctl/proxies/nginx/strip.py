"""nginx: takes a prefix off the path of requests, and puts it back into what the app answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stackctl.model.paths import sent, sent_pattern
from stackctl.model.routing import Site
from stackctl.proxies.nginx.quoting import alternatives, literal
from stackctl.proxies.nginx.variables import Variables

PREFIX = "$edge_prefix"
"""The stripped prefix, which every app gets as ``X-Forwarded-Prefix``."""


@dataclass(frozen=True, slots=True)
class Map:
    """A ``map``: its rows are parameters of nginx as they are, tried in order.

    Attributes:
        kind: ``map``, or ``geo`` with networks as keys.
        source: what is compared.
        default: None for an empty text.
    """

    source: str
    name: str
    rows: tuple[tuple[str, str], ...]
    default: str = '""'
    kind: str = "map"


@dataclass(frozen=True, slots=True)
class Strip:
    """A prefix that is taken off.

    Attributes:
        prefix: decoded, without a slash at its end; or an exact path.
        variable: the path without it, and the query, both as sent; empty if the path does not begin with it as sent.
        exact: whether only this path is taken.
    """

    prefix: str
    variable: str
    exact: bool

    def map(self) -> Map:
        """Return how the variable is made: from the bytes that were sent, as nginx's own path is decoded."""
        start = sent_pattern(self.prefix)
        rows = [(literal(rf"~^{start}(?=[?#]|\z)(.*)"), '"/$1"')]
        if not self.exact:
            rows.append((literal(f"~^{start}(/.*)"), '"$1"'))
        return Map("$request_uri", self.variable, tuple(rows))

    @property
    def refusal(self) -> str:
        """The line that refuses a path which only matches when it is decoded."""
        return f'if ({self.variable} = "") {{ return 400; }}'

    @property
    def sets_prefix(self) -> str:
        """The line that tells the app."""
        return f"set {PREFIX} {literal(sent(self.prefix))};"

    def answers(self, site: Site) -> Iterator[str]:
        """Yield the lines that put the prefix back into redirects and cookies, unless the app has done so."""
        bare, to = sent_pattern(self.prefix[1:]), sent(self.prefix)
        host = rf"(?i:https?://(?:{alternatives(site.domains)})(?::[0-9]+)?)(?=[/?#]|\z)"
        location = rf"~^({host}|(?=/(?!/)))/?+(?!{bare}(?:[/?#]|\z))(.*)$"
        below = rf"~^/(?!{bare}(?:/|\z))(.+)$"
        root = r"~^/\z"
        yield f"proxy_redirect {literal(location)} {literal(f'$1{to}/$2')};"
        yield f"proxy_cookie_path {literal(root)} {literal(to)};"
        yield f"proxy_cookie_path {literal(below)} {literal(f'{to}/$1')};"


class Strips:
    """The strips of a site, each once."""

    def __init__(self, variables: Variables) -> None:
        self._variables = variables
        self._known: dict[tuple[str, bool], Strip] = {}

    def of(self, prefix: str, *, exact: bool) -> Strip | None:
        """Return that of a path; None for the prefix of every path, which leaves nothing to take off."""
        if prefix == "/":
            return None
        key = (prefix, exact)
        if key not in self._known:
            variable = self._variables.named(f"strip{len(self._known) + 1}")
            self._known[key] = Strip(prefix, variable, exact)
        return self._known[key]

    def maps(self) -> list[Map]:
        """Return the maps of all."""
        return [strip.map() for strip in self._known.values()]
