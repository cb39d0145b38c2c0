"""``stackctl logs``: returns the output of the proxy, the apps and certbot, and the requests in it as values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from stackctl.engine.context import Context
from stackctl.errors import InputError
from stackctl.model.routing import Site
from stackctl.model.stack import Stack
from stackctl.model.values import Domain, seconds
from stackctl.model.wildcards import wildcard_of
from stackctl.proxies.logs import LoggedRequest
from stackctl.usecases.converge import load_current

LAST = 100
"""The lines of each service that are read, unless a number or a time is asked for, or some requests only."""

_STATUS = re.compile(r"(?:([1-5])xx|([1-5][0-9]{2})(?:-([1-5][0-9]{2}))?)\Z")


@dataclass(frozen=True, slots=True)
class LogsReport:
    """The number of lines printed."""

    lines: int


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the output of a service.

    Attributes:
        text: as Compose prints it, with the container in front.
        request: None if it is not about a request.
        site: whose name the request was for; None if no site has it.
    """

    text: str
    service: str
    request: LoggedRequest | None = None
    site: Domain | None = None

    @property
    def body(self) -> str:
        """What the service wrote."""
        return body_of(self.text)


@dataclass(frozen=True, slots=True)
class Query:
    """Which lines are wanted.

    Attributes:
        domain: those about one site.
        status: ranges of the statuses of requests; empty for all lines.
        slower: requests that took so many seconds or more; None for all lines.
        since: the seconds back from now; None for any time.
        tail: how many lines of each service are read, the last ones; None for :data:`LAST`, or for all lines if others
            of these are set.
        follow: also those that are written from now on.
        requests: only requests.
    """

    domain: Domain | None = None
    status: tuple[range, ...] = ()
    slower: float | None = None
    since: int | None = None
    tail: int | None = None
    follow: bool = False
    requests: bool = False

    @property
    def is_about_requests(self) -> bool:
        """Whether it leaves out everything but requests."""
        return self.requests or bool(self.status) or self.slower is not None

    @property
    def read(self) -> int | None:
        """How many lines of each service are read; None for all."""
        narrowed = self.is_about_requests or self.since is not None
        return self.tail if self.tail is not None or narrowed else LAST

    def wants(self, request: LoggedRequest) -> bool:
        """Return whether a request is one of those."""
        return (not self.status or any(request.status in one for one in self.status)) and (
            self.slower is None or (request.seconds is not None and request.seconds >= self.slower)
        )


def statuses(text: str) -> tuple[range, ...]:
    """Return the ranges of ``text``, such as ``5xx``, ``404`` or ``400-499,503``."""
    found = []
    for part in text.split(","):
        match = _STATUS.match(part.strip())
        if match is None:
            hint = "write 404, 5xx, 400-499, or several with commas"
            raise InputError(f"{part.strip()!r} is no status", field="status", hint=hint)
        first = int(match[1]) * 100 if match[1] else int(match[2])
        last = first + 99 if match[1] else int(match[3] or match[2])
        found.append(range(first, last + 1))
    return tuple(found)


def time_of(text: str, field: str) -> float:
    """Return a time, such as ``90s``, ``1h`` or ``2d``, in seconds; ``field`` is what it is about."""
    try:
        return seconds(text)
    except InputError as error:
        raise error.of(field) from None


def logs(context: Context, query: Query) -> Iterator[Line]:
    """Yield the lines of all services; with a domain, those of its services and those of the proxy about it.

    The proxy's notices of signals are left out.

    Raises:
        InputError: no site has the domain.
    """
    return lines_of(context, load_current(context).stack, query)


def lines_of(context: Context, stack: Stack, query: Query) -> Iterator[Line]:
    """Yield the same lines of a stack that was read already."""
    site = stack.site(query.domain) if query.domain is not None else None
    if query.domain is not None and site is None:
        raise InputError(
            f"{query.domain} is not routed by this stack", hint="list the routed names with 'stackctl status'"
        )
    own = [] if site is None or query.is_about_requests else site.services
    services = [stack.proxy.service, *own] if site is not None or query.is_about_requests else []
    return _lines(context, stack, site, query, services)


def _lines(context: Context, stack: Stack, site: Site | None, query: Query, services: Sequence[str]) -> Iterator[Line]:
    proxy, sites = context.proxy_of(stack), {name: one.name for one in stack.sites for name in one.domains}
    printed = context.orchestrator.follow(services, tail=query.read, follow=query.follow, since=query.since)
    for text in printed:
        service, body = text.partition("|")[0], body_of(text)
        if not _is_of(service.strip(), stack.proxy.service):
            yield Line(text, service.strip())
            continue
        request = proxy.logged_request(body)
        if request is None:
            is_other = site is not None and not proxy.concerns(body, site.domains)
            if not query.is_about_requests and not is_other and not proxy.is_routine(body):
                yield Line(text, service.strip())
            continue
        found = site_of(request.host, sites)
        if (site is None or found == site.name) and query.wants(request):
            yield Line(text, service.strip(), request, found)


def body_of(text: str) -> str:
    """Return a line without the container that Compose prints in front."""
    return text.partition("|")[2].removeprefix(" ")


def _is_of(container: str, service: str) -> bool:
    """Return whether Compose's name of a container in its output is one of a service."""
    return re.fullmatch(rf"{re.escape(service)}(?:-[0-9]+)?", container) is not None


def site_of(host: str, sites: Mapping[Domain, Domain]) -> Domain | None:
    """Return the site of a host; ``sites`` has that of each name."""
    return sites.get(Domain(host)) or sites.get(wildcard_of(host))
