"""nginx: takes a prefix off the path of requests, and puts it back into what the app answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stackctl.model.paths import prefix_pattern, sent, sent_pattern
from stackctl.model.routing import Site
from stackctl.proxies.nginx.maps import Map
from stackctl.proxies.nginx.quoting import alternatives, literal
from stackctl.proxies.nginx.variables import Variables

PREFIX = "$edge_prefix"
"""The stripped prefix, which every app gets as ``X-Forwarded-Prefix``."""


@dataclass(frozen=True, slots=True)
class Strip:
    """A prefix that is taken off.

    Attributes:
        prefix: decoded, without a slash at its end.
        variable: the path without it, and the query, both as sent; empty if the path does not begin with it as sent.
    """

    prefix: str
    variable: str

    def map(self) -> Map:
        """Return how the variable is made: from the bytes that were sent, as nginx's own path is decoded."""
        start = prefix_pattern(self.prefix)
        below, itself = (literal(f"~^{start}(/.*)"), '"$1"'), (literal(rf"~^{start}(?=[?#]|\z)(.*)"), '"/$1"')
        return Map("$request_uri", self.variable, (below, itself))

    @property
    def refusal(self) -> str:
        """The line that refuses a path which only matches when it is decoded."""
        return f'if ({self.variable} = "") {{ return 400; }}'

    @property
    def sets_prefix(self) -> str:
        """The line that sends the prefix to the app."""
        return f"set {PREFIX} {literal(sent(self.prefix))};"

    def answers(self, site: Site) -> Iterator[str]:
        """Yield the lines that put the prefix back into redirects and cookies, unless the app has done so."""
        bare, to = sent_pattern(self.prefix[1:]), sent(self.prefix)
        host = rf"(?i:https?://(?:{alternatives(site.domains)})(?::[0-9]+)?)(?=[/?#]|\z)"
        location = rf"~^({host}|(?=/(?!/)))/?+(?!{bare}(?:[/?#]|\z))(.*)$"
        below = rf"~^/(?!{bare}(?:/|\z))(.+)$"
        root = r"~^/\z"
        yield "# A path stays one, without a port that only the container knows."
        yield "absolute_redirect off;"
        yield f"proxy_redirect {literal(location)} {literal(f'$1{to}/$2')};"
        yield f"proxy_cookie_path {literal(root)} {literal(to)};"
        yield f"proxy_cookie_path {literal(below)} {literal(f'{to}/$1')};"


class Strips:
    """The strips of a site, each once."""

    def __init__(self, variables: Variables) -> None:
        self._variables = variables
        self._known: dict[str, Strip] = {}

    def of(self, prefix: str) -> Strip:
        """Return that of a prefix."""
        if prefix not in self._known:
            self._known[prefix] = Strip(prefix, self._variables.named(f"strip{len(self._known) + 1}"))
        return self._known[prefix]

    def maps(self) -> list[Map]:
        """Return the maps of all."""
        return [strip.map() for strip in self._known.values()]
