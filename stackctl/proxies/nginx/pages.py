"""nginx: pages of the stack in the place of nginx's own, and the answer during a maintenance."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from stackctl.model.layout import CHALLENGES, MARKER_PATH
from stackctl.model.pages import CONTENT_TYPES, ErrorPages, Maintenance, PageFile
from stackctl.model.routing import Site
from stackctl.model.stack import Stack, UnknownNames
from stackctl.proxies.maintenance import page_of, retry_after, text_of
from stackctl.proxies.nginx.directives import first
from stackctl.proxies.nginx.layout import NGINX, SNIPPETS
from stackctl.proxies.nginx.maps import Map
from stackctl.proxies.nginx.own import Directives
from stackctl.proxies.nginx.quoting import nginx_quote
from stackctl.proxies.nginx.variables import Variables
from stackctl.proxies.proxy import Files
from stackctl.templates import render

FOLDER = f"{SNIPPETS}/pages"
"""In a generation: the pages, by their paths in the stack. Nothing includes them."""

_OWN = MARKER_PATH.rpartition("/")[0]
"""Below it are paths that no app gets."""

PAGES = f"{_OWN}/pages"
MAINTENANCE = f"{_OWN}/maintenance"
_MAINTENANCE_PAGE = f"{MAINTENANCE}/page"
_SILENT = 444
"""nginx closes the connection."""

_KEPT = f"^(/{CHALLENGES}|{_OWN})/"
"""The paths that no rule of a site is for: those of the challenges, and those of pages."""

_UNTOUCHED = (f'if ($uri ~ "{_KEPT}") {{', "    break;", "}")


@dataclass(frozen=True, slots=True)
class OwnAnswers:
    """What nginx itself answers for a site, as lines of nginx.

    Attributes:
        maps: for the ``http`` block.
        gate: for the site's servers, behind ``untouched``: sends requests to :data:`MAINTENANCE`.
        untouched: lets the paths of the challenges and of pages alone.
        settings: for the site's servers.
        locations: for the site's servers.
    """

    maps: list[Map]
    gate: list[str]
    settings: list[str]
    locations: str
    untouched: tuple[str, ...] = _UNTOUCHED


def own_answers(
    site: Site, variables: Variables, own: Directives, headers: Sequence[str] = (), refusals: Sequence[str] = ()
) -> OwnAnswers:
    """Return what is rendered for the pages and the maintenance of a site; ``own`` are the user's directives there.

    ``headers`` are lines for the headers of all its answers, ``refusals`` those that refuse clients.
    """
    maps = list(_maintenance_maps(site.maintenance, variables)) if site.maintenance else []
    jump = f"rewrite ^ {MAINTENANCE} last;"
    gate = [f"if ({maps[-1].name}) {{", f"    {jump}", "}"] if maps else [jump]
    lines = list(_error_lines(site.errors, intercepts=first(own, "proxy_intercept_errors") is None))
    gate = [*refusals, *(gate if site.maintenance else [])]
    return OwnAnswers(maps, gate, lines, _page_locations(site, tuple(headers)))


def _maintenance_maps(maintenance: Maintenance, variables: Variables) -> Iterator[Map]:
    """Yield the variables of which the last one is empty for a request that the app gets.

    nginx itself looks at its clock, so that a maintenance ends by itself.
    """
    active = "1"
    if maintenance.allow:
        active = variables.named("visitor")
        yield Map("", active, tuple((str(network), '""') for network in maintenance.allow), "1", "geo")
    if maintenance.until is not None:
        after = "|".join(_not_before(int(maintenance.until.timestamp())))
        yield Map("$msec", variables.named("maintenance"), ((f'"~^(?:{after})[.]"', '""'),), active)


def _not_before(seconds: int) -> Iterator[str]:
    """Yield regexes that together match each number of as many digits that is not less: nginx compares texts only."""
    digits = str(seconds)
    yield digits
    for position, digit in reversed(list(enumerate(digits))):
        if digit != "9":
            rest = len(digits) - position - 1
            tail = f"[0-9]{{{rest}}}" if rest else ""
            yield f"{digits[:position]}[{int(digit) + 1}-9]{tail}"


def _error_lines(errors: ErrorPages, *, intercepts: bool) -> Iterator[str]:
    """Yield which page nginx shows for which status; ``intercepts`` is whether the user leaves to us where else."""
    by_page: dict[PageFile, list[int]] = {}
    for status, page in errors.pages:
        by_page.setdefault(page, []).append(status)
    for page, found in by_page.items():
        yield f"error_page {' '.join(map(str, found))} {PAGES}/{page.path};"
    if by_page and errors.intercept and intercepts:
        yield "proxy_intercept_errors on;"


@dataclass(frozen=True, slots=True)
class Shown:
    """A location that only nginx itself sends requests to.

    Attributes:
        text: the body of its answer, as a parameter of nginx.
        page: the location that has the body, for any method: nginx answers a file to GET and HEAD only.
        file: the file that is the body.
        headers: lines for the headers of its answer.
    """

    uri: str
    content_type: str = ""
    text: str | None = None
    page: str | None = None
    file: str | None = None
    headers: tuple[str, ...] = ()


def _page_locations(site: Site, headers: tuple[str, ...]) -> str:
    """Return the locations of the pages of a site, for each of its servers; empty if it has none."""
    pages = dict.fromkeys(page for _, page in site.errors.pages)
    found = [Shown(f"{PAGES}/{page.path}", page.content_type, file=_file(page)) for page in pages]
    if site.maintenance is not None:
        found = [*_maintenance(site, site.maintenance), *found]
    found = [replace(one, headers=(*one.headers, *headers)) for one in found]
    return render("nginx/pages.j2", found=found) if found else ""


def _maintenance(site: Site, maintenance: Maintenance) -> list[Shown]:
    retry = f'add_header Retry-After "{retry_after(maintenance)}" always;'
    headers = (retry, "add_header Cache-Control no-store always;")
    page = page_of(site, maintenance)
    if page is not None:
        shown = Shown(_MAINTENANCE_PAGE, page.content_type, file=_file(page), headers=headers)
        return [Shown(MAINTENANCE, page=_MAINTENANCE_PAGE), shown]
    text = f'"{text_of(site, maintenance, _escaped)}"'
    return [Shown(MAINTENANCE, CONTENT_TYPES["html"], text=text, headers=headers)]


def _file(page: PageFile) -> str:
    return f"{NGINX.mount}/{FOLDER}/{page.path}"


def _escaped(text: str) -> str:
    """Return ``text`` for HTML inside a quoted parameter of nginx, which replaces variables in it."""
    return html.escape(text).replace("$", "&#36;").replace("\\", "&#92;")


def page_files(stack: Stack) -> Files:
    """Return the copies of all pages in a generation."""
    shown = {page.path for page in stack.shown_pages}
    return {f"{FOLDER}/{path}": content for path, content in stack.pages.items() if path in shown}


def unknown_lines(unknown: UnknownNames) -> list[str]:
    """Return the lines of the location for unknown names on port 80."""
    if unknown.redirect is not None:
        return [f"return {unknown.redirect.status} {nginx_quote(unknown.redirect.to)};"]
    if unknown.page is not None:
        kind = f'default_type "{unknown.page.content_type}";'
        return [f"root {NGINX.mount}/{FOLDER};", "types { }", kind, f"try_files /{unknown.page.path} =404;"]
    return [f"return {unknown.status or _SILENT};"]
