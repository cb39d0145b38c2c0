"""nginx: limits, headers and compression of a site, as the lines of its servers and of each location."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from stackctl.model.backends import Speaks
from stackctl.model.routing import Site
from stackctl.model.stack import Stack
from stackctl.model.tuning import Tuning
from stackctl.proxies.nginx.blocked import blocked_maps
from stackctl.proxies.nginx.completing import completed
from stackctl.proxies.nginx.compression import compression_lines
from stackctl.proxies.nginx.directives import Directive, first
from stackctl.proxies.nginx.headers import HeaderLines, alternatives, header_variables, lines_of, shared_header_maps
from stackctl.proxies.nginx.layout import DEFINITIONS
from stackctl.proxies.nginx.maps import Map
from stackctl.proxies.nginx.own import Directives, Snippets, header_lines, outer_lines
from stackctl.proxies.nginx.rates import Rates, is_limited, zones_of
from stackctl.proxies.nginx.variables import Variables
from stackctl.templates import render

_NO_LISTS: Directives = ()


class EdgeLines:
    """What is rendered for the limits, the headers and the compression of one site.

    Args:
        own: the user's directives: around all servers, in this site's server, and in its location.
        everywhere: headers of each answer, with the variables that have their values.
        identity: request headers that no client may set, with those.
    """

    def __init__(  # noqa: PLR0913  (a site, and what is around it)
        self,
        site: Site,
        variables: Variables,
        snippets: Snippets,
        own: Sequence[Directives],
        everywhere: Sequence[tuple[str, str]] = (),
        identity: Sequence[tuple[str, str]] = (),
    ) -> None:
        self._site = site
        self._snippets = snippets
        self._own = own
        self._rates = Rates(site, variables)
        self._identity = tuple(identity)
        self._headers = HeaderLines(site, variables, own, everywhere, identity)
        self._request = self._headers.requested(site.tuning)

    def maps(self) -> list[Map]:
        """Return the maps that they need, once all are rendered."""
        return self._rates.maps()

    def server_lines(self) -> list[str]:
        """Return the lines for the servers of the site, beside the user's own there."""
        tuning, http, server = self._site.tuning, self._own[:1], self._own[1]
        lines = self._rates.server_lines()
        lists = {"add_header": self._headers.added(tuning), "proxy_hide_header": self._headers.hidden(tuning)}
        for name, found in lists.items():
            lines += [*outer_lines(name, http, server), *found] if found else []
        if any(one.speaks is Speaks.GRPC for one in self._site.servers):
            lines += self._headers.hidden(tuning, "grpc_hide_header")
        if tuning.compress and first(server, "gzip") is None:
            lines.append("gzip on;")
        lines += header_lines(self._snippets, http, (*server, *self._request))
        return [*lines, *lines_of(self._request)]

    def page_lines(self) -> list[str]:
        """Return the lines for the locations of pages, which are no app's answer."""
        found = self._headers.added(self._site.tuning, by_app=False)
        return [*outer_lines("add_header", self._own[:2], _NO_LISTS), *found]

    def completed(self, files: Mapping[str, bytes | None]) -> dict[str, bytes | None]:
        """Return the user's own files for the site; their blocks keep the headers that they would lose."""
        if all(content is None for content in files.values()):
            return dict(files)
        lists = {
            "add_header": self._headers.added(self._site.tuning),
            "proxy_hide_header": self._headers.hidden(self._site.tuning),
            "proxy_set_header": [*lines_of(self._request), *self._removed()],
        }
        return {kind: None if content is None else completed(content, lists) for kind, content in files.items()}

    def _removed(self) -> list[str]:
        """Return the lines that remove what clients say about their users, where a block of the user's would not."""
        names = {one.arg.lower() for one in self._request}
        return lines_of(one for one in self._snippets.removed if one.arg.lower() not in names) if self._identity else []

    def passing_lines(self, tuning: Tuning | None, location: Directives, *, grpc: bool) -> Iterator[str]:
        """Yield the lines of a location that passes requests on; ``location`` are the user's own directives there."""
        of = tuning or self._site.tuning
        yield from self._rates.location_lines(of)
        yield from self._other_compression(of)
        if grpc:
            yield from self._grpc(of)
            return
        mine = (
            ()
            if of.headers.request == self._site.tuning.headers.request
            else self._headers.requested(of, beside=location)
        )
        outer = [self._own[0], (*self._own[1], *self._request)]
        yield from header_lines(self._snippets, outer, (*location, *mine))
        yield from lines_of(mine)
        yield from self._headers.added(of, beside=location)
        yield from self._headers.hidden(of)

    def answering_lines(self, tuning: Tuning | None) -> Iterator[str]:
        """Yield the lines of a location in which the proxy answers, where nginx counts nothing."""
        if tuning is not None:
            yield from self._other_compression(tuning)
            yield from self._other_added(tuning)

    def _other_compression(self, tuning: Tuning) -> Iterator[str]:
        if tuning.compress is not self._site.tuning.compress:
            yield f"gzip {'on' if tuning.compress else 'off'};"

    def _other_added(self, tuning: Tuning) -> Iterator[str]:
        """Yield the response headers of a location without others, unless it inherits the same."""
        around = self._site.tuning
        if is_limited(tuning) is is_limited(around) and tuning.headers == around.headers:
            return
        own = self._own[:2]
        found = self._headers.added(tuning)
        yield from [*outer_lines("add_header", own, _NO_LISTS), *found] if found else []

    def _grpc(self, tuning: Tuning) -> Iterator[str]:
        mine = self._headers.requested(tuning, "grpc_set_header")
        names = {one.arg.lower() for one in mine}
        if not names:
            yield "include snippets/grpc.conf;"
        else:
            known = (one for one in grpc_headers(self._snippets) if one.arg.lower() not in names)
            yield from lines_of((*known, *mine))
        yield from self._other_added(tuning)
        if tuning.headers != self._site.tuning.headers:
            yield from self._headers.hidden(tuning, "grpc_hide_header")


def shared_edge(stack: Stack) -> tuple[dict[str, object], dict[str, str]]:
    """Return what the template of the shared file has for the limits, headers and compression of all sites.

    Second comes a file for each variable and each zone that files of sites refer to.
    """
    zones = zones_of(stack.sites)
    maps = [*zones.maps, *shared_header_maps(stack.sites), *alternatives(stack), *blocked_maps(stack)]
    found = {one.name.removeprefix("$edge_"): render("nginx/define.j2", maps=[one], lines=[]) for one in maps}
    found |= {f"zone_{name}": render("nginx/define.j2", maps=[], lines=[line]) for name, line in zones.zones.items()}
    lines = [*zones.lines, *compression_lines(stack.sites)]
    snippets = {DEFINITIONS.replace("*", name): text for name, text in found.items()}
    return {"defines": DEFINITIONS if snippets else "", "edge": lines}, snippets


def edge_variables(site: Site) -> int:
    """Return how many variables of its own a site has at most, for limits and headers."""
    return sum(len(one.rates) + header_variables(one.headers) for one in site.tunings)


def grpc_headers(snippets: Snippets) -> Iterator[Directive]:
    """Yield the request headers of every app for one that speaks gRPC, which is never upgraded."""
    for one in snippets.headers:
        if one.arg not in {"Upgrade", "Connection"}:
            yield replace(one, name="grpc_set_header")
