"""What visitors get during a maintenance, with every proxy."""

from __future__ import annotations

from collections.abc import Callable
from email.utils import format_datetime

from stackctl.model.pages import Maintenance, PageFile
from stackctl.model.routing import Site
from stackctl.templates import render

_RETRY_SECONDS = 300
_GENERAL = "We will be back soon."


def retry_after(maintenance: Maintenance) -> str:
    """Return the value of ``Retry-After`` (RFC 9110, section 10.2.3): its end, or when to look again, in seconds."""
    until = maintenance.until
    return str(_RETRY_SECONDS) if until is None else format_datetime(until, usegmt=True)


def page_of(site: Site, maintenance: Maintenance) -> PageFile | None:
    """Return the page that visitors see; None for :func:`text_of`."""
    return maintenance.page or (None if maintenance.message else site.errors.of(503))


def text_of(site: Site, maintenance: Maintenance, escaped: Callable[[str], str]) -> str:
    """Return the page without a file; ``escaped`` makes a text one of HTML, as the proxy reads it."""
    return render("compose/maintenance.html.j2", name=site.name, message=escaped(maintenance.message or _GENERAL))
