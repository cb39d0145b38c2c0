"""``stackctl maintenance host`` and ``stackctl down --drain``: a load balancer takes this host out first."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from stackctl.adapters.disk.draining import is_drained, set_drained
from stackctl.engine.context import Context
from stackctl.engine.waiting import wait_for
from stackctl.errors import InputError, NotServed
from stackctl.model.fields import Request
from stackctl.model.layout import MARKER_HOST
from stackctl.model.stack import Stack
from stackctl.model.values import Domain
from stackctl.usecases.converge import load_current
from stackctl.usecases.result import Result

_TAKES, _DRAINED = 200, 503
_SECONDS = 10.0
"""How long the proxy may take until it answers as the file says."""


def drain_host(context: Context, *, drained: bool, dry_run: bool = False) -> Result[None]:
    """Let the load balancer take this host out, or in again; the sites are served as before.

    Raises:
        InputError: no load balancer asks this host.
        NotServed: the proxy runs, and its health path does not answer accordingly.
    """
    stack = load_current(context).stack
    path = health_path(stack, field=None)
    layout = context.proxy_of(stack).layout
    changes = is_drained(context.directory.root, layout) is not drained
    if changes and not dry_run:
        set_drained(context.directory.root, layout, drained=drained)
    shown = _answered(context, stack, path, drained=drained) if not dry_run else None
    state = "no more requests" if drained else "requests"
    note = f"{path} answers {shown}: this host takes {state}" if shown else "the proxy does not run"
    notes = ("this host would be changed" if changes else "nothing would change") if dry_run else note
    return Result("maintenance host", None, dry_run=dry_run, notes=(notes,), acted=changes and not dry_run)


def health_path(stack: Stack, field: str | None = "drain") -> str:
    """Return the path that the load balancer asks.

    Raises:
        InputError: there is none.
    """
    if stack.behind is None or stack.behind.health is None:
        raise InputError(
            "no load balancer asks this host, as 'behind' has no 'health'",
            field=field,
            hint="write 'behind: {health: /healthz}' into x-stackctl, and let the load balancer ask that path",
        )
    return stack.behind.health.text


@contextmanager
def drained(context: Context, stack: Stack, seconds: float) -> Iterator[None]:
    """Let the load balancer take this host out for ``seconds``, then run the block.

    Afterwards, or if it is interrupted, the state is as before.

    Raises:
        InputError: no load balancer asks this host.
        NotServed: the health path does not answer 503.
    """
    path = health_path(stack)
    root, layout = context.directory.root, context.proxy_of(stack).layout
    before = is_drained(root, layout)
    try:
        set_drained(root, layout, drained=True)
        if _answered(context, stack, path, drained=True):
            context.report.note(f"{path} answers {_DRAINED}: waiting {seconds:g} s for the load balancer")
            wait_for(lambda: None, seconds)
        yield
    finally:
        set_drained(root, layout, drained=before)


def _answered(context: Context, stack: Stack, path: str, *, drained: bool) -> int | None:
    """Return the status of the health path once it is what it must be; None if nothing answers.

    Raises:
        NotServed: it is another one.
    """
    wanted = _DRAINED if drained else _TAKES
    request = Request("GET", path)

    def status() -> int | None:
        return context.wire.ask(stack.proxy.http.at, Domain(MARKER_HOST), request, tls=False).status

    if wait_for(lambda: True if status() == wanted else None, _SECONDS):
        return wanted
    found = status()
    if found is None:
        return None
    raise NotServed(f"{path} answers {found}, not {wanted}", hint="run 'stackctl up', then this command again")
