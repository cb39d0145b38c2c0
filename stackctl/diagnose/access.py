"""The hop of a request at which the rules of access decide, with their place in the Compose file."""

from __future__ import annotations

from collections.abc import Iterator

from stackctl.diagnose.check import Verdict
from stackctl.diagnose.hops import Hop, HopKind
from stackctl.model.access import Access, decision, skips
from stackctl.model.fields import Request
from stackctl.model.router import Routed
from stackctl.model.routing import Site

_FORBIDDEN = 403


def judge_access(site: Site, routed: Routed, request: Request, status: int | None) -> Iterator[Hop]:
    """Yield what the rules say about a request; ``status`` is that of its answer, None if it was not sent."""
    route = routed.route
    access = ((route.tuning if route else None) or site.tuning).access
    if not access:
        return
    skipped = skips(access, request.target)
    if request.source is None and (access.allow or access.deny):
        yield _unknown_source(access, skipped=skipped, refused=status == _FORBIDDEN)
        return
    found = decision(access, request.source, skipped=skipped)
    where = found.where or None
    if found.refused:
        todo = "add the address to 'allow', or remove it from 'deny'; behind a CDN or a balancer, see the key 'behind'"
        yield Hop(HopKind.ACCESS, Verdict.WRONG, f"the proxy answers 403: {found.refused}", where, todo)
    elif found.needs:
        text = (" or " if found.one_of else " and ").join(found.needs)
        yield Hop(HopKind.ACCESS, Verdict.OK, f"it needs {text}", where)
    else:
        text = "the path is in 'skip'" if skipped else "the address is in 'allow'" if access.allow else "it is let in"
        yield Hop(HopKind.ACCESS, Verdict.OK, text, where)


def _unknown_source(access: Access, *, skipped: bool, refused: bool) -> Hop:
    """Return the hop for a request from this host, whose address the proxy may see as another one."""
    key = "deny" if skipped or not access.allow else "allow"
    where = access.where(key) or None
    text = f"the address of the client decides, by '{key}': none was given"
    if not refused:
        return Hop(HopKind.ACCESS, Verdict.OK, text, where)
    todo = "trace the request of the client that is meant: give its address"
    return Hop(HopKind.ACCESS, Verdict.WRONG, f"403: the address of this host is refused by '{key}'", where, todo)
