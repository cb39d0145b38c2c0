"""Execute a plan by the batches and dependencies that it names, with one handler for each kind of operation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from stackctl.adapters.trust_stores import TrustStores
from stackctl.certs.dummy import make_dummy
from stackctl.certs.local_ca import make_ca
from stackctl.certs.shelf import Source
from stackctl.engine.apply import prove
from stackctl.engine.apply.contact import update_contact
from stackctl.engine.apply.delete import delete_certificate
from stackctl.engine.apply.deploy import Deploys
from stackctl.engine.apply.handlers import Errors, Handlers, one_by_one, run_together
from stackctl.engine.apply.keep import hand_over, keep_lineage
from stackctl.engine.apply.live import LiveProxy
from stackctl.engine.apply.services import services_answer
from stackctl.engine.apply.settings import change_settings
from stackctl.engine.apply.staging import Published
from stackctl.engine.apply.start import start
from stackctl.engine.apply.switching import refused_switch
from stackctl.engine.context import Context, Issuer
from stackctl.engine.sources.webroot.repair import repair_lineages
from stackctl.errors import EngineError, NotReady, StackctlError
from stackctl.model.stack import Stack
from stackctl.observed.state import Observed
from stackctl.plan.certificates import (
    AlignSettings,
    CheckNames,
    DeferIssue,
    DeleteCertificate,
    DisableHook,
    Issue,
    RefuseIssue,
)
from stackctl.plan.contact import UpdateContact
from stackctl.plan.copies import CopyLineage, CopyStored, DropCopy, StoreCredentials, WriteDnsPlugin, WriteHook
from stackctl.plan.ignore_files import WriteIgnoreFile
from stackctl.plan.imports import HandOver, RefuseImport, RemoveImported, StoreImported
from stackctl.plan.keep import DropKept, KeepCertificate
from stackctl.plan.local_ca import MakeLocalCa, WriteTrustBundle
from stackctl.plan.operation import Operation, Plan
from stackctl.plan.operations import (
    AwaitService,
    MakeDirectories,
    MakeDummy,
    MoveAside,
    ParkSite,
    Publish,
    PullImage,
    ReloadProxy,
    RemoveContainers,
    StageFiles,
    StartProxy,
    StartService,
    VerifyGone,
    VerifySite,
    WriteCaBundle,
    WriteCustom,
    WriteEabKey,
    WriteSchema,
    WriteStackfile,
)
from stackctl.plan.repair import RepairLineage
from stackctl.plan.retire import RetireLineage
from stackctl.plan.watch import WriteWatch

A = TypeVar("A", CheckNames, Issue)


@dataclass(frozen=True, slots=True)
class Step:
    """How one operation ended: ``done``, ``failed`` with its error, or ``skipped``."""

    operation: Operation
    status: str
    error: StackctlError | None = None

    @property
    def stopped(self) -> bool:
        """Whether it failed, and with it what depends on it; a service that does not answer yet stops nothing."""
        return self.error is not None and not isinstance(self.error, NotReady)


class Executor:
    """Executes one plan for one stack; ``handlers`` adds those for operations of a single command."""

    def __init__(self, context: Context, stack: Stack, observed: Observed, handlers: Handlers | None = None) -> None:
        self._context = context
        self._stack = stack
        self._observed = observed
        self._proxy = context.proxy_of(stack)
        self._live = LiveProxy(context, stack, observed, self._take)
        self._staging = self._live.staging
        self._handlers = {**self._own_handlers(), **(handlers or {})}
        self._failed: set[str] = set()
        self._rejected: list[tuple[StageFiles, StackctlError]] = []
        self._parked: list[Step] = []
        self._over = False
        self._cause: StackctlError | None = None

    def run(self, plan: Plan) -> list[Step]:
        """Execute every operation, and return its step, in the order of the plan."""
        steps: list[Step] = []
        for operations in _batches(plan):
            runnable = [operation for operation in operations if not self._skip(operation)]
            steps += [Step(operation, "skipped") for operation in operations if operation not in runnable]
            if runnable:
                steps += self._run_batch(runnable)
            steps = self._with_rejected(steps)
        order = {id(operation): number for number, operation in enumerate(plan.operations)}
        return [*sorted(steps, key=lambda step: order[id(step.operation)]), *self._parked]

    def _with_rejected(self, steps: list[Step]) -> list[Step]:
        """Return the steps, with the staging of sites that the proxy then rejected as failed."""
        rejected = {id(operation): error for operation, error in self._rejected}
        self._rejected = []
        return [
            self._ended(step.operation, rejected[id(step.operation)]) if id(step.operation) in rejected else step
            for step in steps
        ]

    def _take(self, published: Published) -> None:
        """Note what a publishing rejected and took out."""
        self._rejected = list(published.rejected)
        for site, error in published.parked:
            operation = ParkSite(site=site, cause=error.message, scope=site)
            self._context.report.begin(operation)
            self._parked.append(self._ended(operation, error))

    def _skip(self, operation: Operation) -> bool:
        if self._over or operation.scope in self._failed:
            return True
        if operation.needs_one and operation.needs_one <= self._failed:
            return True
        if operation.needs_all & self._failed:
            return True
        if isinstance(operation, Publish):
            return self._staging.is_empty
        return isinstance(operation, ReloadProxy) and operation.if_published and not self._staging.has_published

    def _run_batch(self, operations: list[Operation]) -> Iterator[Step]:
        for operation in operations:
            self._context.report.begin(operation)
        errors = run_together(self._handlers, operations)
        for operation, error in zip(operations, errors, strict=True):
            yield self._ended(operation, error)

    def _ended(self, operation: Operation, error: StackctlError | None) -> Step:
        self._context.report.end(operation, None if error is None else str(error))
        if error is None:
            return Step(operation, "done")
        if error is self._cause:  # it is shown once
            return Step(operation, "skipped")
        if isinstance(error, EngineError) and error.everywhere:
            self._cause = error
        if operation.scope is None or self._cause is not None:
            self._over = True
        elif isinstance(error, NotReady):
            return Step(operation, "failed", error)  # its site is published: it works as soon as the app answers
        else:
            self._failed.update(operation.scopes)
        return Step(operation, "failed", error)

    def _own_handlers(self) -> Handlers:
        context, directory = self._context, self._context.directory
        return {
            WriteStackfile: one_by_one(lambda op: directory.write_stackfile(op.content, self._observed.stackfile)),
            WriteSchema: one_by_one(lambda op: directory.write_schema(op.content)),
            WriteIgnoreFile: one_by_one(self._write_ignore_file),
            WriteCustom: one_by_one(self._write_custom),
            WriteCaBundle: one_by_one(lambda op: directory.write_ca_bundle(op.content)),
            UpdateContact: one_by_one(partial(update_contact, context, self._observed.project.name, self._stack)),
            MakeLocalCa: one_by_one(lambda op: directory.write_local_ca(*make_ca(op.domains, context.now()))),
            WriteTrustBundle: one_by_one(lambda _: directory.write_trust_bundle(TrustStores().system_bundle() or b"")),
            WriteEabKey: one_by_one(lambda op: directory.write_eab_key(op.key)),
            MoveAside: one_by_one(lambda op: context.delivery(self._proxy.layout).move_aside(op.moves)),
            MakeDirectories: one_by_one(self._make_directories),
            MakeDummy: one_by_one(lambda op: directory.store_pair(op.site, *make_dummy(op.names, context.now()))),
            CopyLineage: one_by_one(lambda op: directory.copy_lineage(op.lineage, context.now())),
            CopyStored: one_by_one(lambda op: directory.copy_stored(op.site, context.now())),
            DropCopy: one_by_one(lambda op: directory.remove_copy(op.lineage)),
            WriteHook: one_by_one(lambda op: directory.write_hook(op.files)),
            StoreCredentials: one_by_one(lambda op: directory.write_credentials(op.path, op.content)),
            WriteDnsPlugin: one_by_one(lambda op: directory.write_hook(op.files)),
            WriteWatch: one_by_one(lambda op: directory.write_watch_files(op.files)),
            PullImage: one_by_one(lambda op: context.images.pull(op.image)),
            **dict.fromkeys((StartService, StartProxy), partial(start, context, self._stack, self._observed)),
            AwaitService: self._await,
            StageFiles: one_by_one(lambda op: self._staging.stage(op, self._failed)),
            Publish: one_by_one(self._publish),
            ReloadProxy: one_by_one(lambda _: self._live.reload()),
            VerifySite: lambda ops: prove.sites_are_served(context, self._stack, ops),
            VerifyGone: one_by_one(lambda op: prove.name_is_refused(context, self._stack, op.name)),
            CheckNames: lambda ops: self._by_source(ops, self._check),
            Issue: lambda ops: self._by_source(ops, self._issue),
            DeferIssue: one_by_one(_refuse),
            **dict.fromkeys((RefuseIssue, RefuseImport), one_by_one(_refuse)),
            **dict.fromkeys((AlignSettings, DisableHook), partial(change_settings, context, self._stack)),
            RemoveContainers: one_by_one(lambda op: context.orchestrator.remove(op.ids)),
            **dict.fromkeys((DeleteCertificate, RetireLineage), one_by_one(self._delete_certificate)),
            RepairLineage: lambda ops: repair_lineages(context, self._stack, [op.lineage for op in ops]),
            KeepCertificate: one_by_one(lambda op: keep_lineage(directory, op.name, op.lineage)),
            DropKept: one_by_one(lambda op: directory.remove_pair(op.name)),
            RemoveImported: one_by_one(lambda op: directory.remove_import(op.name)),
            StoreImported: one_by_one(
                lambda op: directory.store_pair(op.name, op.pair.chain, op.pair.key, Source.IMPORTED)
            ),
            HandOver: one_by_one(lambda op: hand_over(directory, op.site, op.name)),
            **Deploys(context, self._stack, self._observed, self._live).handlers,
        }

    def _write_custom(self, operation: WriteCustom) -> None:
        before = self._observed.before(operation.path)
        self._context.directory.write_custom(operation.path, operation.content, before, secret=operation.secret)

    def _write_ignore_file(self, operation: WriteIgnoreFile) -> None:
        before = self._observed.ignore_files.get(operation.path)
        self._context.directory.write_custom(operation.path, operation.content, before)

    def _make_directories(self, operation: MakeDirectories) -> None:
        self._context.directory.make_directories(operation.paths, self._proxy.layout)
        self._context.delivery(self._proxy.layout).prepare()

    def _publish(self, _operation: Publish) -> None:
        self._live.announce()
        self._live.publish()

    def _await(self, operations: Sequence[AwaitService]) -> Errors:
        errors = services_answer(self._context, self._stack, self._observed.project.name, operations)
        return [
            refused_switch(self._context, self._stack, self._observed.project.name, operation, error) or error
            for operation, error in zip(operations, errors, strict=True)
        ]

    def _by_source(
        self, operations: Sequence[A], run: Callable[[Issuer, Sequence[A]], Sequence[StackctlError | None]]
    ) -> list[StackctlError | None]:
        """Run the operations of each source of certificates together."""
        found: dict[int, StackctlError | None] = {}
        for source in dict.fromkeys(operation.source for operation in operations):
            own = [operation for operation in operations if operation.source == source]
            try:
                errors = run(self._context.issuers[source], own)
            except StackctlError as error:
                errors = [error] * len(own)
            found |= {id(operation): error for operation, error in zip(own, errors, strict=True)}
        return [found[id(operation)] for operation in operations]

    def _check(self, issuer: Issuer, operations: Sequence[CheckNames]) -> list[StackctlError | None]:
        return issuer.preflight(self._context, self._observed.project.name, self._stack, operations)

    def _issue(self, issuer: Issuer, operations: Sequence[Issue]) -> list[StackctlError | None]:
        requests = [operation.request for operation in operations]
        paced = all(operation.paced for operation in operations)
        failures = issuer.issue(self._context, self._observed.project.name, self._stack, requests, paced=paced)
        return [failures.get(request.lineage) for request in requests]

    def _delete_certificate(self, operation: DeleteCertificate | RetireLineage) -> None:
        stored = isinstance(operation, DeleteCertificate)
        delete_certificate(self._context, self._observed.project.name, self._stack, operation.held, stored=stored)


def _batches(plan: Plan) -> Iterable[list[Operation]]:
    """Return the operations in batches, each at the position of its first; one without a batch is alone."""
    batches: dict[object, list[Operation]] = {}
    for operation in plan.operations:
        batches.setdefault(operation.batch or id(operation), []).append(operation)
    return batches.values()


def _refuse(operation: DeferIssue | RefuseIssue | RefuseImport) -> None:
    raise operation.error
