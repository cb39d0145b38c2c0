"""HAProxy: the back ends of a site, one for each of its routes."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from stackctl.model.backends import Backend, Server
from stackctl.model.layout import site_file
from stackctl.model.pages import CONTENT_TYPES, Maintenance
from stackctl.model.routing import Answer, Redirect, Route, Site
from stackctl.model.stack import Stack
from stackctl.model.tuning import Tuning
from stackctl.proxies.haproxy.access import access_lines
from stackctl.proxies.haproxy.behind import secure
from stackctl.proxies.haproxy.edge import tuning_lines
from stackctl.proxies.haproxy.layout import SITES, backend_of
from stackctl.proxies.haproxy.pages import DENIED, page_answer, page_lines
from stackctl.proxies.haproxy.quoting import fmt, word
from stackctl.proxies.haproxy.rates import Rates
from stackctl.proxies.haproxy.servers import server_lines
from stackctl.proxies.haproxy.strip import strip_lines
from stackctl.proxies.haproxy.units import milliseconds, size, time
from stackctl.proxies.maintenance import page_of, retry_after, text_of

MAINTENANCE, CANARY = "maintenance", "canary"


@dataclass(frozen=True, slots=True)
class Section:
    """A back end.

    Attributes:
        about: the requests that it is for.
        before: the lines that come before the user's own.
    """

    name: str
    lines: Sequence[str]
    about: str = ""
    before: Sequence[str] = ()


@dataclass(frozen=True)
class Backends:
    """Renders the back ends of one site; ``counter`` is the first one that its limits may use."""

    stack: Stack
    site: Site
    counter: int

    def all(self) -> Iterator[Section]:
        """Yield the back ends of the site."""
        rates = Rates(self.site, self.counter)
        own = self._before(rates, self.site.tuning)
        root = next((route for route in self.site.routes if route.is_root), None)
        if root is None:
            lines = [*self._pages(), "http-request deny deny_status 404"]
            yield Section(backend_of(self.site.name), lines, before=own)
        for number, route in enumerate(self.site.routes, start=1):
            name = backend_of(self.site.name, "" if route is root else number)
            before = own if route.tuning is None else self._before(rates, route.tuning)
            yield Section(name, [*self._lines(route)], f"{route.match}: {_shown(route)}", before)
            if isinstance(route.action, Backend) and route.action.canary is not None:
                lines = [*self._lines(route, (route.action.canary.server,))]
                yield Section(canary_of(name), lines, f"{route.match}: the canary", before)
        if self.site.maintenance is not None:
            name = backend_of(self.site.name, MAINTENANCE)
            yield Section(name, [*_maintenance(self.site, self.site.maintenance)], before=self._edge(self.site.tuning))
        for name, table in rates.tables():
            yield Section(name, [table], "counts for 'rate-limit' and 'connections'")

    def _before(self, rates: Rates, tuning: Tuning) -> list[str]:
        """Return the lines that come before the user's own."""
        return [*rates.lines(tuning), *self._edge(tuning)]

    def _edge(self, tuning: Tuning) -> list[str]:
        return [*access_lines(tuning.access), *tuning_lines(tuning, secure(self.stack))]

    def _lines(self, route: Route, only: Sequence[Server] = ()) -> Iterator[str]:
        yield from self._pages()
        if route.strip:
            yield from strip_lines(self.site, route)
        action = route.action
        if isinstance(action, Redirect):
            to = fmt(action.to.rstrip("/") if action.keep_path else action.to)
            yield f"http-request redirect code {action.status} location {_format(to, action)}"
        elif isinstance(action, Answer):
            yield from self._answer(action)
        else:
            yield from self._passing(route, action, only or action.servers)

    def _passing(self, route: Route, action: Backend, servers: Sequence[Server]) -> Iterator[str]:
        tuning = route.tuning or self.site.tuning
        if limit := size(tuning.body_size):
            yield f"http-request deny deny_status 413 if {{ req.body_size gt {limit} }}"
        yield f"timeout connect {time(tuning.connect_timeout)}"
        wait = time(max(tuning.read_timeout, tuning.send_timeout, key=milliseconds))
        yield f"timeout server {wait}"
        yield f"timeout tunnel {wait}"
        yield from server_lines(self.site, action, servers, self.stack.proxy.hosts)

    def _answer(self, action: Answer) -> Iterator[str]:
        if not action.text:
            deny = action.status in DENIED
            yield f"http-request {'deny deny_status' if deny else 'return status'} {action.status}"
            return
        yield (
            f"http-request return status {action.status} content-type {word(action.content_type)}"
            f" file {word(answer_file(self.site, action))}"
        )

    def _pages(self) -> Iterator[str]:
        yield from page_lines(self.site.errors)


def _format(to: str, action: Redirect) -> str:
    return word(to) + ("%[pathq]" if action.keep_path else "")


def _shown(route: Route) -> str:
    return re.sub(r"[\x00-\x1f\x7f]", "?", str(route.action))[:1000]


def canary_of(name: str) -> str:
    """Return the back end of the canary of a back end."""
    return f"{name}:{CANARY}" if ":" in name else f"{name}:0:{CANARY}"


def answer_file(site: Site, action: Answer) -> str:
    """Return the path of a fixed answer's text, from the folder of the sites."""
    answers = list(dict.fromkeys(one.action for one in site.routes if isinstance(one.action, Answer)))
    return f"{site_file(site.name)}.answer{answers.index(action) + 1}"


def answer_files(site: Site) -> dict[str, bytes]:
    """Return the texts of the fixed answers of a site: a line of a configuration cannot have line breaks."""
    answers = (one.action for one in site.routes if isinstance(one.action, Answer) and one.action.text)
    return {f"{SITES}/{answer_file(site, one)}": one.text.encode() for one in answers}


def _maintenance(site: Site, maintenance: Maintenance) -> Iterator[str]:
    headers = f"hdr Retry-After {word(retry_after(maintenance))} hdr Cache-Control no-store"
    page = page_of(site, maintenance)
    if page is not None:
        yield f"http-request return {page_answer(503, page)} {headers}"
        return
    file = maintenance_file(site).rpartition("/")[2]
    yield f"http-request return status 503 content-type {word(CONTENT_TYPES['html'])} file {word(file)} {headers}"


def maintenance_file(site: Site) -> str:
    """Return the path of the text that visitors get meanwhile."""
    return f"{SITES}/{site_file(site.name)}.maintenance"


def maintenance_files(site: Site) -> dict[str, bytes]:
    """Return the text that visitors get meanwhile, where it is no page of the stack's."""
    maintenance = site.maintenance
    if maintenance is None or page_of(site, maintenance) is not None:
        return {}
    return {maintenance_file(site): text_of(site, maintenance, html.escape).encode()}
