"""What the proxy itself answers with: pages for errors, and maintenance."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address

from stackctl.model.matching import Network

CONTENT_TYPES = {
    "html": "text/html; charset=utf-8",
    "htm": "text/html; charset=utf-8",
    "txt": "text/plain; charset=utf-8",
    "json": "application/json",
    "xml": "application/xml",
}
"""The content types of pages, by the ending of the file's name."""


@dataclass(frozen=True, slots=True)
class PageFile:
    """A file of the stack that the proxy answers with.

    Attributes:
        path: relative to the stack's directory.
        where: ``file:line`` of the key that names it.
    """

    path: str
    where: str = field(default="", compare=False)

    @property
    def content_type(self) -> str:
        """The content type of the answer, by the ending of the name."""
        return CONTENT_TYPES[self.path.rpartition(".")[2]]


@dataclass(frozen=True, slots=True)
class ErrorPages:
    """The pages of a site, by status.

    Attributes:
        intercept: whether they replace what the app itself answers with such a status.
    """

    pages: tuple[tuple[int, PageFile], ...] = ()
    intercept: bool = False

    def of(self, status: int) -> PageFile | None:
        """Return the page for ``status``."""
        return dict(self.pages).get(status)


@dataclass(frozen=True, slots=True)
class Maintenance:
    """Every request of a site is answered with 503, except those of some clients.

    Attributes:
        message: a sentence for visitors; empty for a general one.
        page: the page to show instead.
        until: when it ends by itself; None for never.
        allow: the networks of clients that see the app.
    """

    message: str = ""
    page: PageFile | None = None
    until: datetime | None = None
    allow: tuple[Network, ...] = ()

    def has_ended(self, now: datetime) -> bool:
        """Return whether it has ended by itself."""
        return self.until is not None and self.until <= now

    def is_for(self, source: IPv4Address | IPv6Address | None, now: datetime) -> bool:
        """Return whether a client gets 503; None is one whose address is not known."""
        return not self.has_ended(now) and not (source and any(source in network for network in self.allow))
