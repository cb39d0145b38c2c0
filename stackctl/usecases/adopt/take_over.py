"""Carries out an adoption, and undoes it."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace

from stackctl.adapters.disk.files import read_or_none
from stackctl.engine.adopt.proxy_image import find_layout
from stackctl.engine.adopt.take_over import TakeOver, downtime_meter, take_back
from stackctl.engine.apply import prove
from stackctl.engine.apply.execute import Executor
from stackctl.engine.context import Context
from stackctl.engine.downtime import DowntimeMeter
from stackctl.errors import InputError, StackctlError
from stackctl.model.endpoints import HTTP_PORT, HTTPS_PORT
from stackctl.model.history import HistoryEntry
from stackctl.model.values import Domain
from stackctl.plan.intent import Intent
from stackctl.plan.operation import Plan
from stackctl.usecases.adopt.adoption import Adoption
from stackctl.usecases.adopt.report import AdoptReport
from stackctl.usecases.recording import record_change
from stackctl.usecases.result import Result


def adopt(context: Context, adoption: Adoption) -> Result[AdoptReport]:
    """Adopt the stack. Every operation that can fail runs before a running container is changed.

    Raises:
        StackctlError: settings would be lost, and ``force`` is not set.
    """
    if adoption.stops:
        raise StackctlError(
            "the stack was not adopted: some of its settings are not supported",
            hint="change what 'not supported' lists, or adopt the stack without it: 'stackctl adopt --force'",
        )
    stack, observed = adoption.loaded.stack, adoption.observed
    lineages = list(adoption.foreign.lineages.values())
    take_over = TakeOver(context, adoption.loaded.project.name, stack, lineages, adoption.foreign)
    result = Result("adopt", adoption.report(), adoption.plan)
    last = context.directory.history.last()
    # One for both: the switch reloads the proxy if what was done before it went live.
    executor = Executor(context, stack, observed, take_over.handlers)
    steps = executor.run(Plan(adoption.before))
    notes: tuple[str, ...] = ()
    if any(step.error for step in steps):
        notes = _restore_old_stack(context, adoption, last, switched=False)
    else:
        with take_over.measured(adoption.switch):
            steps += executor.run(Plan(adoption.switch))
            if any(step.error for step in steps):
                notes = _restore_old_stack(context, adoption, last, switched=True, meter=take_over.meter)
            else:
                unrecorded = record_change(context, adoption.loaded.doc.text, stack, Intent(), observed, steps)
                notes = (unrecorded,) if unrecorded else ()
    report = replace(result.payload, gap_ms=take_over.meter.milliseconds if take_over.meter else None)
    return replace(result, payload=report, steps=tuple(steps), notes=notes)


def _restore_old_stack(
    context: Context,
    adoption: Adoption,
    before: HistoryEntry | None,
    *,
    switched: bool,
    meter: DowntimeMeter | None = None,
) -> tuple[str, ...]:
    """Restore the old files after a failure, and the old containers if any were replaced."""
    entry = context.directory.history.last()
    if entry is None or entry == before:
        return ("nothing was replaced: the old stack keeps running",)
    if not switched:
        take_back(context, entry, context.proxy_of(adoption.loaded.stack).layout, lambda: None)
        return ("nothing was replaced: the old stack keeps running",)
    return ("the old stack is restored", *undo_adoption(context, entry, meter=meter).notes)


@dataclass(frozen=True, slots=True)
class UndoReport:
    """The restored entry with the old stack, and the downtime; None if no proxy ran before."""

    entry: int
    gap_ms: int | None


def undo_adoption(
    context: Context, entry: HistoryEntry, *, dry_run: bool = False, meter: DowntimeMeter | None = None
) -> Result[UndoReport]:
    """Restore the stack of ``entry``, which is of kind ``foreign``: the state before stackctl.

    Restore the old files, start the old containers with Compose, and measure the downtime. Files made since
    (nginx/, data/certs, renewed certificates) stay. ``meter`` is one that measures already.

    Raises:
        NotServed: the old proxy does not respond.
    """
    old = context.directory.history.files(entry.number)
    if entry.file not in old:
        raise InputError(
            f"entry {entry.number} is damaged: {entry.file} is missing",
            hint="choose another entry of 'stackctl history'",
        )
    text = old[entry.file].decode()
    project = context.orchestrator.resolve(text)
    layout = find_layout(context, project)
    proxy = layout.proxy
    at = {port.target: port.at for port in proxy.ports if port.is_tcp}
    http = at.get(HTTP_PORT) or at[HTTPS_PORT]
    lineages = context.directory.lineages()
    names = [
        Domain(name)
        for lineage in entry.lineages
        if HTTPS_PORT in at and (one := lineages.get(lineage)) and one.certificate
        for name in one.certificate.names[:1]
    ]
    gap: list[int | None] = []

    def replace_proxy() -> None:
        gone = [
            one
            for one in context.orchestrator.containers(project.name)
            if one.service not in project.services and one.role
        ]
        own = downtime_meter(context, http, at.get(HTTPS_PORT, http), names)
        with own if meter is None else nullcontext(meter) as running:
            context.orchestrator.up([proxy.name])
            prove.old_proxy_answers(context, http, at.get(HTTPS_PORT), names)
            context.orchestrator.up([])  # may replace the proxy again, if it depends on another service
            running.finish()
        context.orchestrator.remove([one.id for one in gone])
        gap.append(running.milliseconds)

    if dry_run:
        now = {path for path, content in old.items() if read_or_none(context.directory.root / path) != content}
        plan = (f"would restore {', '.join(sorted(now)) or 'no file'}, and replace the proxy {proxy.name}",)
        return Result("rollback", UndoReport(entry.number, None), dry_run=True, notes=plan)
    written = take_back(context, entry, context.proxies[layout.program].layout, replace_proxy)
    started = "the proxy was started; it was not running before"
    outcome = started if gap[0] is None else f"the proxy was replaced: {gap[0]} ms of downtime"
    notes = (f"restored {', '.join(written) or 'no file'}", outcome)
    return Result("rollback", UndoReport(entry.number, gap[0]), acted=True, notes=notes)
