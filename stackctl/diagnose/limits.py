"""The hops of a request that count it: limits of requests, each with its place in the Compose file."""

from __future__ import annotations

from collections.abc import Iterator

from stackctl.diagnose.check import Verdict
from stackctl.diagnose.hops import Hop, HopKind
from stackctl.model.backends import Backend
from stackctl.model.limits import CountedBy, Rate
from stackctl.model.matching import EVERY_PATH
from stackctl.model.router import Routed
from stackctl.model.routing import Site


def judge_limits(site: Site, routed: Routed, *, refused: bool) -> Iterator[Hop]:
    """Yield the limits that count a request; ``refused`` is whether one of them has refused it."""
    route = routed.route
    if route is None or routed.path is None or routed.seen is None or not isinstance(route.action, Backend):
        return
    tuning = route.tuning or site.tuning
    verdict = Verdict.WRONG if refused else Verdict.OK
    for rate in tuning.rates:
        if _is_for(rate, routed.path):
            todo = f"ask again in {rate.wait} s, or raise the limit" if refused else None
            yield Hop(HopKind.LIMIT, verdict, _described(rate), rate.where or None, todo)
    if tuning.connections:
        todo = "wait until others have ended, or raise the limit" if refused else None
        text = f"{tuning.connections} requests of a client at the same time"
        yield Hop(HopKind.LIMIT, verdict, text, route.where or site.where or None, todo)


def _is_for(rate: Rate, path: str) -> bool:
    return not rate.paths or any(one == EVERY_PATH or f"{path}/".startswith(f"{one.text}/") for one in rate.paths)


def _described(rate: Rate) -> str:
    whose = "each client" if rate.by is CountedBy.CLIENT else "all clients together"
    paths = f" below {', '.join(one.text for one in rate.paths)}" if rate.paths else ""
    return f"{rate} of {whose}{paths}, and {rate.burst} more at once"
