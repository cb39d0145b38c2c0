"""What a proxy knows of servers that it asks all the time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from stackctl.model.endpoints import Endpoint
from stackctl.model.values import Domain


@dataclass(frozen=True, slots=True)
class ServerHealth:
    """The state of one server.

    Attributes:
        server: as the Compose file names it.
        address: where it was asked; None for a name that does not resolve.
        since: when it came into this state.
        left_out: whether the proxy passes no requests to it.
        reason: why it is down; empty while it is up.
    """

    site: Domain
    server: str
    address: Endpoint | None
    up: bool
    since: datetime
    left_out: bool = False
    reason: str = ""


@dataclass(frozen=True)
class ServersHealth:
    """The state of all servers that the proxy asks; ``judged`` is when it last was about to ask any, if ever."""

    judged: datetime | None = None
    servers: tuple[ServerHealth, ...] = ()

    def of(self, site: Domain) -> Sequence[ServerHealth]:
        """Return the state of the servers of a site."""
        return self._by_site.get(site, ())

    @cached_property
    def _by_site(self) -> Mapping[Domain, Sequence[ServerHealth]]:
        """Indexed, as each of a thousand sites is looked up."""
        found: dict[Domain, list[ServerHealth]] = {}
        for one in self.servers:
            found.setdefault(one.site, []).append(one)
        return found
