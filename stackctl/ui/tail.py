"""Follows the output of the proxy and the apps once, for all browsers that look at it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event, Lock, Thread

from stackctl.engine.context import Context
from stackctl.errors import StackctlError
from stackctl.model.stack import Stack
from stackctl.model.values import Domain
from stackctl.proxies.logs import LoggedRequest
from stackctl.proxies.proxy import Proxy
from stackctl.ui.feed import Feed
from stackctl.ui.traffic import Traffic
from stackctl.usecases import logs
from stackctl.usecases.converge import load_current

LINES = 5000
"""How many lines are kept."""

_EARLIER = 1000
"""How many lines of each service from before are read."""

_AGAIN_SECONDS = 5.0
"""When the output is asked for again, after the engine did not answer or all containers stopped."""

_NUMBER = re.compile(r"-[0-9]+\Z")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the output.

    Attributes:
        service: that wrote it.
        request: the request that it is about, if it is one of the proxy's lines about requests; ``site`` is then the
            site that it was for, None for a name that is not routed.
    """

    service: str
    text: str
    request: LoggedRequest | None = None
    site: Domain | None = None


class Known:
    """The stack as it was read last: which site a name is of, and what writes about a site."""

    def __init__(self, stack: Stack, proxy: Proxy) -> None:
        self._proxy = proxy
        self._service = stack.proxy.service
        self._names = {name: site.name for site in stack.sites for name in site.domains}
        self._domains = {site.name: site.domains for site in stack.sites}
        self._services = {site.name: frozenset(site.services) for site in stack.sites}

    def line(self, given: logs.Line) -> Line:
        """Return a line of the output, which begins with the container."""
        service = _NUMBER.sub("", given.service)
        site = None if given.request is None else logs.site_of(given.request.host, self._names)
        return Line(service, given.body, given.request, site)

    def is_about(self, line: Line, site: Domain) -> bool:
        """Return whether a line is about a site: written by one of its services, or by the proxy about it."""
        if line.request is not None:
            return line.site == site
        if line.service == self._service:
            return site in self._domains and self._proxy.concerns(line.text, self._domains[site])
        return line.service in self._services.get(site, ())


class Tail:
    """The last lines, and the traffic of each site; ``opened`` returns a context."""

    def __init__(self, opened: Callable[[], Context]) -> None:
        self._opened = opened
        self._lock = Lock()
        self._started = False
        self._again, self._stopped = Event(), Event()
        self.known: Known | None = None
        self.problem: StackctlError | None = None
        self.lines: Feed[Line] = Feed(LINES)
        self.traffic = Traffic()

    def start(self) -> None:
        """Begin to follow, unless that has begun."""
        with self._lock:
            if self._started:
                return
            self._started = True
        Thread(target=self._follow, daemon=True, name="tail").start()

    def forget(self) -> None:
        """Read the stack again, as it was changed."""
        self.known = None
        self._again.set()

    def stop(self) -> None:
        """Follow no longer; a line that is waited for ends it only when it comes."""
        self._stopped.set()
        self._again.set()

    def take(self, known: Known, given: logs.Line) -> None:
        """Add a line of the output."""
        line = known.line(given)
        if line.request is not None and line.site is not None:
            self.traffic.add(line.site, line.request.time, line.request.status)
        self.lines.publish(line)

    def _follow(self) -> None:
        tail = _EARLIER
        while not self._stopped.is_set():
            self._again.clear()
            try:
                for given in logs.logs(self._opened(), logs.Query(tail=tail, follow=True)):
                    if self._stopped.is_set():
                        return
                    self.problem, tail = None, 0
                    self.take(self.known or self.read(), given)
            except StackctlError as error:
                self.problem = error
            except Exception as error:  # noqa: BLE001  (the page shows it)
                self.problem = StackctlError(f"internal error: {type(error).__name__}: {error}")
            if not self._stopped.is_set():
                self._again.wait(_AGAIN_SECONDS)

    def read(self) -> Known:
        """Read the stack."""
        context = self._opened()
        stack = load_current(context).stack
        known = self.known = Known(stack, context.proxy_of(stack))
        return known
