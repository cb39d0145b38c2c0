"""``stackctl up``, ``stackctl plan``, which shows what ``up`` would do, and ``stackctl down``."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace

from stackctl.engine.context import Context
from stackctl.errors import ExitCode, HostError
from stackctl.plan.diff import FileDiff, file_diff
from stackctl.plan.intent import Intent
from stackctl.usecases.converge import converge, load_current
from stackctl.usecases.draining import drained, health_path
from stackctl.usecases.refresh import load_refreshed
from stackctl.usecases.renamed import refuse_renamed
from stackctl.usecases.result import Result
from stackctl.usecases.unreadable import unreadable_files


def up(  # noqa: PLR0913  (one parameter per option)
    context: Context,
    *,
    issue: bool = True,
    check: bool = True,
    ledger: bool = True,
    unattended: bool = False,
    dry_run: bool = False,
) -> Result[None]:
    """Bring the stack to the state that the Compose file describes, after an edit or a crash."""
    loaded = load_refreshed(context)
    intent = Intent(issue=issue, check=check, ledger=ledger, unattended=unattended)
    for one in unreadable_files(context, loaded.stack):
        context.report.note(f"{one.path} has mode {one.mode:04o}, {one.why}: chmod {one.wanted:o} {one.path}")
    return converge(context, "up", loaded, intent, dry_run=dry_run)


def plan(
    context: Context, *, issue: bool = True, ledger: bool = True, unattended: bool = False, check: bool = False
) -> Result[None]:
    """Plan what :func:`up` with the same options would do; with ``check``, changes set the exit code."""
    loaded = load_refreshed(context)
    intent = Intent(issue=issue, ledger=ledger, unattended=unattended)
    result = converge(context, "plan", loaded, intent, dry_run=True)
    found = ExitCode.CHANGES if check and result.plan else ExitCode.OK
    return replace(result, found=found, edited=_edited(context, loaded.before or "") if result.plan else ())


def _edited(context: Context, text: str) -> tuple[FileDiff, ...]:
    """Return the changes of the Compose file since the last history entry; none if that cannot be read."""
    path = context.directory.main_path
    try:
        last = context.directory.history.last()
        before = context.directory.history.files(last.number).get(path) if last is not None else None
    except HostError:
        return ()
    return () if before is None else tuple(file_diff(path, before, text.encode()))


@dataclass(frozen=True, slots=True)
class DownReport:
    """The services whose containers were removed."""

    stopped: tuple[str, ...]


def down(context: Context, *, drain: float | None = None, dry_run: bool = False) -> Result[DownReport]:
    """Stop the stack: remove its containers and networks, keep all data.

    With ``drain`` a load balancer is given as many seconds to take this host out first.

    Raises:
        InputError: no load balancer asks this host.
    """
    loaded = load_current(context)
    containers = context.orchestrator.containers(loaded.project.name)
    refuse_renamed(context, loaded.project, loaded.stack, containers)
    names = tuple(sorted(containers.services))
    if drain is not None:
        health_path(loaded.stack)
    if names and not dry_run:
        with drained(context, loaded.stack, drain) if drain is not None else nullcontext():
            context.orchestrator.down()
    return Result("down", DownReport(names), dry_run=dry_run, acted=bool(names) and not dry_run)
