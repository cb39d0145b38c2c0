"""HAProxy: whose requests a route refuses by their address.

The lines are the first ones of a back end, so no line of the user's and no answer of the proxy comes before them. Their
status 403 has the page of the site, if there is one. Paths in ``skip`` are compared as the client sent them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from stackctl.model.access import Access, skip_pattern
from stackctl.model.matching import Network
from stackctl.proxies.haproxy.quoting import regex
from stackctl.proxies.haproxy.rules import WORDS, as_compared

_DENIED, _ALLOWED = "access_denied", "access_allowed"


def access_lines(access: Access) -> Iterator[str]:
    """Yield the lines of a back end that refuse clients; none if everybody may make requests."""
    if access.deny:
        yield from _sources(_DENIED, access.deny)
        yield f"http-request deny deny_status 403 if {_DENIED}"
    if access.allow:
        yield from _sources(_ALLOWED, access.allow)
        skipped = f" !{{ pathq -m reg -- {regex(skip_pattern(access))} }}" if access.skip else ""
        yield f"http-request deny deny_status 403 if !{_ALLOWED}{skipped}"


def _sources(name: str, networks: Sequence[Network]) -> Iterator[str]:
    parts = as_compared(networks)
    for start in range(0, len(parts), WORDS):
        yield f"acl {name} src -- {' '.join(parts[start : start + WORDS])}"
