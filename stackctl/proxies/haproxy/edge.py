"""HAProxy: headers, compression, and the clients that no site answers."""

from __future__ import annotations

from collections.abc import Iterator

from stackctl.model.headers import Headers
from stackctl.model.layout import site_file
from stackctl.model.routing import Site
from stackctl.model.stack import Stack
from stackctl.model.tuning import Tuning
from stackctl.model.values import Domain
from stackctl.proxies.compression import LEAST, TYPES, is_compressed
from stackctl.proxies.haproxy.behind import secure
from stackctl.proxies.haproxy.layout import MAPS, PAGES
from stackctl.proxies.haproxy.pages import page_answer
from stackctl.proxies.haproxy.quoting import fmt, word
from stackctl.proxies.haproxy.rules import network_rows, of_site
from stackctl.proxies.proxy import Version

_HSTS = "Strict-Transport-Security"
_HAS_LEAST_SINCE = (3, 2)
_TYPES = " ".join(("text/html", *TYPES))
_HSTS_MAP = f"{MAPS}/hsts.map"
_BLOCKED = f"{MAPS}/blocked.list"


def tuning_lines(tuning: Tuning, over_https: str) -> Iterator[str]:
    """Yield the lines of a back end for headers and compression.

    ``over_https`` is the condition that the visitor uses HTTPS.
    They come before the user's own lines, which therefore decide where both are about the same header.
    """
    yield from _requested(tuning.headers)
    yield from _added(tuning.headers, over_https)
    if tuning.compress:
        yield "compression algo gzip"
        yield f"compression type {_TYPES}"
        # Caches keep both forms apart; HAProxy says so in compressed answers only.
        yield "http-request set-var(txn.plain) bool(true) if !{ req.hdr(accept-encoding) -m sub gzip }"
        kind = f"{{ res.hdr(content-type),field(1,;),lower -m str {_TYPES} }}"
        yield f"http-response add-header Vary Accept-Encoding if {{ var(txn.plain) -m bool }} {kind}"


def _requested(headers: Headers) -> Iterator[str]:
    """Yield the lines with what the app gets."""
    for name, value in headers.request.set:
        yield f"http-request set-header {name} {word(fmt(value))}"
    for name in headers.request.remove:
        yield f"http-request del-header {name}"


def _added(headers: Headers, over_https: str) -> Iterator[str]:
    """Yield the lines for all answers, HAProxy's own ones included."""
    for name, value in headers.defaults.items():
        yield f"http-after-response set-header {name} {word(fmt(value))} if !{{ res.fhdr_cnt({name}) gt 0 }}"
    if headers.hsts is not None:
        yield f"http-after-response del-header {_HSTS}"
        yield f"http-after-response set-header {_HSTS} {word(str(headers.hsts))} if {over_https}"
    for name, value in headers.response.set:
        yield f"http-after-response set-header {name} {word(fmt(value))}"
    for name in headers.response.remove:
        yield f"http-after-response del-header {name}"


def compression_lines(stack: Stack, version: Version) -> Iterator[str]:
    """Yield the lines of ``defaults`` for all that is compressed."""
    if version >= _HAS_LEAST_SINCE and is_compressed(stack.sites):
        yield f"compression minsize-res {LEAST}"


def blocked_lines(stack: Stack) -> Iterator[str]:
    """Yield the lines of the frontend that refuse clients, on each port and before any redirect."""
    if stack.blocked:
        yield f"http-request deny deny_status 403 if {{ var(txn.site) -m found }} {{ src -f {_BLOCKED} }}"
    for site in stack.sites:
        if site.blocked:
            yield f"http-request {_refusal(site)} if {of_site(site)} {{ src -f {blocked_by(site.name)} }}"


def _refusal(site: Site) -> str:
    """Return what refuses a client: the site's own page, or HAProxy's."""
    page = dict(site.errors.pages).get(403)
    if page is None:
        return "deny deny_status 403"
    return f"return {page_answer(403, page, PAGES)}"


def blocked_files(stack: Stack) -> dict[str, str]:
    """Return the lists of those clients."""
    lists = {_BLOCKED: stack.blocked, **{blocked_by(site.name): site.blocked for site in stack.sites}}
    return {path: network_rows(blocked.all(stack.pages)) for path, blocked in lists.items() if blocked}


def blocked_by(site: Domain) -> str:
    """Return the path of the list of those that a site alone refuses."""
    return f"{MAPS}/{site_file(site)}.blocked.list"


def hsts_lines(stack: Stack) -> Iterator[str]:
    """Yield the line of the frontend for its own answers over HTTPS, such as a redirect to the canonical name."""
    if _hsts(stack):
        value = f"var(txn.site),map_str({_HSTS_MAP})"
        yield (
            f"http-after-response set-header {_HSTS} %[{value}] if {secure(stack)} !{{ var(txn.route) -m found }}"
            f" {{ {value} -m found }}"
        )


def hsts_file(stack: Stack) -> dict[str, str]:
    """Return the map with what each site says to browsers."""
    rows = _hsts(stack)
    return {_HSTS_MAP: "".join(f"{site} {value}\n" for site, value in rows.items())} if rows else {}


def _hsts(stack: Stack) -> dict[str, str]:
    found = {site.name: site.tuning.headers.hsts for site in stack.sites}
    return {site_file(name): str(hsts) for name, hsts in found.items() if hsts is not None}
