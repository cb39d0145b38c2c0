"""Carries an adoption out, and gives the stack back."""

from __future__ import annotations

from dataclasses import dataclass, replace

from stackctl.adapters.disk.files import read_or_none
from stackctl.adopt.compose_layouts import read_layout
from stackctl.engine.adopt.take_over import TakeOver, downtime_meter, take_back
from stackctl.engine.apply import prove
from stackctl.engine.apply.execute import Executor
from stackctl.engine.context import Context
from stackctl.errors import InputError, StackctlError
from stackctl.model.endpoints import HTTP_PORT, HTTPS_PORT
from stackctl.model.history import HistoryEntry
from stackctl.model.values import Domain
from stackctl.plan.intent import Intent
from stackctl.plan.operation import Plan
from stackctl.usecases.adopt.proposal import Adoption, AdoptReport
from stackctl.usecases.recording import record_change
from stackctl.usecases.result import Result


def carry_out(context: Context, adoption: Adoption) -> Result[AdoptReport]:
    """Take the stack over. All that can fail does so before anything that runs is touched.

    Raises:
        StackctlError: something would be lost, and nobody said to go on.
    """
    if adoption.stops:
        raise StackctlError(
            "adoption stops: some of what was found has no place in the new stack",
            hint="see what 'cannot be kept' says; change it, or go on without it ('stackctl adopt --force')",
        )
    stack, observed = adoption.loaded.stack, adoption.observed
    lineages = list(adoption.foreign.lineages.values())
    take_over = TakeOver(context, adoption.loaded.project.name, stack, lineages)
    result = Result("adopt", adoption.report(), adoption.plan)
    last = context.directory.history.last()
    steps = Executor(context, stack, observed, take_over.handlers).run(Plan(adoption.before))
    notes: tuple[str, ...] = ()
    if any(step.error for step in steps):
        notes = _given_up(context, last, switched=False)
    else:
        steps += Executor(context, stack, observed, take_over.handlers).run(Plan(adoption.switch))
        if any(step.error for step in steps):
            notes = _given_up(context, last, switched=True)
        else:
            unrecorded = record_change(context, adoption.loaded.doc.text, stack, Intent(), observed, steps)
            notes = (unrecorded,) if unrecorded else ()
    report = replace(result.payload, gap_ms=take_over.gap)
    return replace(result, payload=report, steps=tuple(steps), notes=notes)


def _given_up(context: Context, before: HistoryEntry | None, *, switched: bool) -> tuple[str, ...]:
    """After a failure: the old files, and where anything was switched the old containers too."""
    entry = context.directory.history.last()
    if entry is None or entry == before:
        return ("nothing was switched: the old stack runs as it did",)
    if not switched:
        take_back(context, entry, lambda: None)
        return ("nothing was switched: the old stack runs as it did",)
    return ("the old stack was put back", *undo_adoption(context, entry).notes)


@dataclass(frozen=True, slots=True)
class GivenBack:
    """The entry with the old stack, and for how long nothing answered while its proxy was started."""

    entry: int
    gap_ms: int | None


def undo_adoption(context: Context, entry: HistoryEntry, *, dry_run: bool = False) -> Result[GivenBack]:
    """Give a stack back as it was before ``entry``, of kind ``foreign``, was recorded.

    The old files are put back, the old containers are started by plain Compose, and the gap is measured.
    What was made in the meantime (nginx/, data/certs, renewed certificates) stays.

    Raises:
        NotServed: the old proxy does not answer.
    """
    old = context.directory.history.files(entry.number)
    if entry.file not in old:
        raise InputError(f"entry {entry.number} is damaged: it has no {entry.file}", hint="see 'stackctl history'")
    text = old[entry.file].decode()
    project = context.orchestrator.resolve(text)
    proxy = read_layout(project).proxy
    at = {port.target: port.at for port in proxy.ports}
    http = at.get(HTTP_PORT) or at[HTTPS_PORT]
    lineages = context.directory.lineages()
    names = [
        Domain(name)
        for lineage in entry.lineages
        if HTTPS_PORT in at and (one := lineages.get(lineage)) and one.certificate
        for name in one.certificate.names[:1]
    ]
    gap: list[int] = []

    def replace_proxy() -> None:
        gone = [
            one
            for one in context.orchestrator.containers(project.name)
            if one.service not in project.services and one.role
        ]
        with downtime_meter(context, http, at.get(HTTPS_PORT, http), names) as prober:
            context.orchestrator.up([proxy.name])
            prove.old_proxy_answers(context, http, at.get(HTTPS_PORT), names)
        context.orchestrator.up([])
        context.orchestrator.remove([one.id for one in gone])
        gap.append(prober.milliseconds)

    if dry_run:
        now = {path for path, content in old.items() if read_or_none(context.directory.root / path) != content}
        plan = (f"would put {', '.join(sorted(now)) or 'no file'} back, and replace the proxy {proxy.name}",)
        return Result("rollback", GivenBack(entry.number, None), dry_run=True, notes=plan)
    written = take_back(context, entry, replace_proxy)
    notes = (f"{', '.join(written) or 'no file'} put back", f"the proxy was replaced: {gap[0]} ms without an answer")
    return Result("rollback", GivenBack(entry.number, gap[0]), acted=True, notes=notes)
