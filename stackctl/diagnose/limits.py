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
from stackctl.proxies.trace import Advice


def judge_limits(site: Site, routed: Routed, refusal: Advice | None) -> Iterator[Hop]:
    """Yield the limits that count a request; ``refusal`` is what the proxy logged if one of them has refused it."""
    route = routed.route
    if route is None or routed.path is None or routed.seen is None or not isinstance(route.action, Backend):
        return
    tuning = route.tuning or site.tuning
    for number, rate in enumerate(tuning.rates, start=1):
        if _is_for(rate, routed.path):
            todo = f"ask again in {rate.wait} s, or raise the limit"
            yield _hop(refusal, number, _described(rate), rate.where, todo)
    if tuning.connections:
        todo = "wait until others have ended, or raise the limit"
        text = f"{tuning.connections} requests of a client at the same time"
        yield _hop(refusal, 0, text, route.where or site.where, todo)


def _hop(refusal: Advice | None, number: int, text: str, where: str, todo: str) -> Hop:
    wrong = refusal is not None and refusal.limit in {number, None}
    return Hop(HopKind.LIMIT, Verdict.WRONG if wrong else Verdict.OK, text, where or None, todo if wrong else None)


def _is_for(rate: Rate, path: str) -> bool:
    return not rate.paths or any(one == EVERY_PATH or f"{path}/".startswith(f"{one.text}/") for one in rate.paths)


def _described(rate: Rate) -> str:
    whose = "each client" if rate.by is CountedBy.CLIENT else "all clients together"
    paths = f" below {', '.join(one.text for one in rate.paths)}" if rate.paths else ""
    return f"{rate} of {whose}{paths}, and {rate.burst} more at once"
