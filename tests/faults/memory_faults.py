"""Clients that hold one site: the proxy's memory stays bounded, and the other site loses no request."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial

from tests.e2e.helpers import inspect
from tests.faults.bed import Bed, Run, bed
from tests.faults.case import case
from tests.hostile.clients import MB, Target, stalled_requests, stalled_uploads

FAMILY = "memory"
LIMIT = "192m"
_HELD_SECONDS = 5.0
_LARGE = (b"X-Large: " + b"x" * 30000 + b"\r\n") * 3


def rows(run: Run) -> None:
    """Run the whole family."""
    with bed(run) as one:
        name = one.add("app")
        one.stack.edit("  mem_limit: 2g\n", f"  mem_limit: {LIMIT}\n")
        one.stack.ok("up")
        expected = one.state()
        target = Target(one.stack.address, name)
        kinds: dict[str, Callable[[], AbstractContextManager[object]]] = {
            "1,000 requests without an end": lambda: stalled_requests(target, 1000),
            "200 requests with 90 KB of headers, without an end": lambda: stalled_requests(target, 200, _LARGE),
            "20 uploads that stall": lambda: stalled_uploads(target, 20, 8 * MB),
        }
        for what, clients in list(kinds.items())[: 1 if run.quick else None]:
            case(one, FAMILY, what, broken=partial(held, one, clients), again=["up"], expected=expected)


def held(one: Bed, clients: Callable[[], AbstractContextManager[object]]) -> str:
    """Hold the site for a while; the proxy's container stays the same."""
    before = inspect(one.stack.container("nginx"))["State"]
    with clients():
        time.sleep(_HELD_SECONDS)
    after = inspect(one.stack.container("nginx"))["State"]
    assert not after["OOMKilled"]
    assert after["StartedAt"] == before["StartedAt"]
    return f"the proxy's {LIMIT} suffice"
