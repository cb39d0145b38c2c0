"""Carries a plan out. It decides nothing: one rule says what is skipped after a failure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TypeVar

from stackctl.certs.dummy import make_dummy
from stackctl.certs.held import Held
from stackctl.engine.apply import prove
from stackctl.engine.apply.publish import Staging
from stackctl.engine.context import Context, Issuer
from stackctl.errors import EngineError, IssueFailed, StackctlError
from stackctl.model.stack import Stack
from stackctl.observed.state import Observed
from stackctl.plan.operation import Operation, Plan
from stackctl.plan.operations import (
    AwaitService,
    CheckNames,
    DeferIssue,
    DeleteCertificate,
    Issue,
    MakeDirectories,
    MakeDummy,
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

A = TypeVar("A", CheckNames, Issue)


@dataclass(frozen=True, slots=True)
class Step:
    """How one operation ended: ``done``, ``failed`` with its error, or ``skipped``."""

    operation: Operation
    status: str
    error: StackctlError | None = None


class Executor:
    """Runs one plan for one stack; ``more`` does the operations that only some command has."""

    def __init__(
        self, context: Context, stack: Stack, observed: Observed, more: Callable[[Operation], None] | None = None
    ) -> None:
        self._more = more
        self._context = context
        self._stack = stack
        self._observed = observed
        self._proxy = context.proxy_of(stack)
        self._staging = Staging(context, stack, observed)
        self._failed: set[str] = set()
        self._parked: list[tuple[StageFiles, StackctlError]] = []
        self._over = False
        self._just_tested = False

    def run(self, plan: Plan) -> list[Step]:
        """Every operation in its order; each ends as a step."""
        steps: list[Step] = []
        # Neighbours of some kinds go to the outside together: one Compose call, one batch of certificates.
        for kind, group in groupby(plan.operations, key=_kind):
            operations = list(group)
            runnable = [operation for operation in operations if not self._skip(operation)]
            steps += [Step(operation, "skipped") for operation in operations if operation not in runnable]
            if runnable:
                steps += self._run_group(kind, runnable)
            steps = self._with_parked(steps)
        return steps

    def _with_parked(self, steps: list[Step]) -> list[Step]:
        """What was staged for a site that the proxy then refused was not done after all."""
        parked = {id(operation): error for operation, error in self._parked}
        self._parked = []
        return [
            self._ended(step.operation, parked[id(step.operation)]) if id(step.operation) in parked else step
            for step in steps
        ]

    def _skip(self, operation: Operation) -> bool:
        if self._over or operation.scope in self._failed:
            return True
        if isinstance(operation, StageFiles):
            return bool(operation.needs & self._failed)
        if isinstance(operation, Publish):
            return self._staging.is_empty
        if isinstance(operation, ReloadProxy):
            useless = operation.if_published and not self._staging.has_published
            return useless or (operation.after is not None and operation.after <= self._failed)
        return False

    def _run_group(self, kind: object, operations: list[Operation]) -> Iterator[Step]:
        for operation in operations:
            self._context.report.begin(operation)
        if kind is StartService:
            errors = self._start([op for op in operations if isinstance(op, StartService | StartProxy)])
        elif kind is Issue:
            errors = self._by_source([op for op in operations if isinstance(op, Issue)], self._issue)
        elif kind is CheckNames:
            errors = self._by_source([op for op in operations if isinstance(op, CheckNames)], self._check)
        elif kind is AwaitService:
            errors = self._await([op for op in operations if isinstance(op, AwaitService)])
        elif kind is VerifySite:
            sites = [op for op in operations if isinstance(op, VerifySite)]
            errors = prove.sites_are_served(self._context, self._stack, sites)
        else:
            errors = [self._try(operations[0])]
        for operation, error in zip(operations, errors, strict=True):
            yield self._ended(operation, error)

    def _ended(self, operation: Operation, error: StackctlError | None) -> Step:
        self._context.report.end(operation, None if error is None else str(error))
        if error is None:
            return Step(operation, "done")
        if operation.scope is None:
            self._over = True
        else:
            self._failed.update(operation.scopes)
        return Step(operation, "failed", error)

    def _try(self, operation: Operation) -> StackctlError | None:
        try:
            self._do(operation)
        except StackctlError as error:
            return error
        return None

    def _do(self, operation: Operation) -> None:  # noqa: C901, PLR0912  (one line for each kind of operation)
        context = self._context
        match operation:
            case WriteStackfile():
                context.directory.write_stackfile(operation.content, self._observed.stackfile)
            case WriteSchema():
                context.directory.write_schema(operation.content)
            case WriteCustom():
                context.directory.write_custom(
                    operation.path, operation.content, self._observed.custom.get(operation.name)
                )
            case MakeDirectories():
                context.directory.make_directories(operation.paths, self._proxy.layout)
                context.delivery(self._proxy.layout).prepare()
            case MakeDummy():
                context.directory.store_pair(operation.site, *make_dummy(operation.names, context.now()))
            case PullImage():
                context.images.pull(operation.image)
            case WriteCaBundle():
                context.directory.write_ca_bundle(operation.content)
            case WriteEabKey():
                context.directory.write_eab_key(operation.key)
            case StageFiles():
                self._staging.stage(operation)
            case Publish():
                delivery = context.delivery(self._proxy.layout)
                before = delivery.published()
                self._parked = self._staging.publish()
                self._just_tested = delivery.published() != before
            case ReloadProxy():
                self._reload()
            case VerifyGone():
                prove.name_is_refused(context, self._stack.proxy.https.at, operation.name)
            case DeferIssue():
                raise IssueFailed(
                    f"{operation.request.lineage}: not asked for: {operation.cause}",
                    hint=f"asked for again from {operation.until:%Y-%m-%d %H:%M:%S %Z} on;"
                    " 'stackctl … --ignore-ledger' asks now",
                    lineage=operation.request.lineage,
                    why="not asked for",
                    detail=operation.cause,
                )
            case RemoveContainers():
                context.orchestrator.remove(operation.ids)
            case DeleteCertificate():
                self._delete_certificate(operation.held)
            case _:
                assert self._more is not None, operation
                self._more(operation)

    def _start(self, operations: list[StartService | StartProxy]) -> list[StackctlError | None]:
        errors = self._up([operation.service for operation in operations])
        # The proxy is the last of its neighbours; that it answers is part of its start.
        if isinstance(operations[-1], StartProxy) and errors[-1] is None:
            try:
                prove.generation_answers(self._context, self._stack, self._observed.project.name)
            except StackctlError as error:
                errors[-1] = error
        return errors

    def _up(self, services: list[str]) -> list[StackctlError | None]:
        """All services by one call; one by one where that fails, to know whose fault it is."""
        try:
            self._context.orchestrator.up(services)
        except StackctlError as error:
            return [error] if len(services) == 1 else [only for one in services for only in self._up([one])]
        return [None] * len(services)

    def _await(self, operations: Sequence[AwaitService]) -> list[StackctlError | None]:
        try:
            return prove.services_answer(self._context, self._observed.project.name, operations)
        except StackctlError as error:
            return [error] * len(operations)

    def _by_source(
        self, operations: Sequence[A], run: Callable[[Issuer, Sequence[A]], Sequence[StackctlError | None]]
    ) -> list[StackctlError | None]:
        """Have each source of certificates do its operations together."""
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

    def _reload(self) -> None:
        containers, container = self._context.containers, self._container(self._stack.proxy.service)
        # The command reads all sites once more before it sends the same signal: after a test it adds nothing.
        reload = self._proxy.reload
        if not (self._just_tested and containers.signal(container, reload.signal, reload.process)):
            done = containers.execute(container, reload.command)
            if done.code:
                raise EngineError(f"the proxy did not reload: {done.text.strip()}")
        self._just_tested = False
        prove.generation_answers(self._context, self._stack, self._observed.project.name)

    def _delete_certificate(self, held: Held) -> None:
        issuer = self._context.issuers.get(held.source)
        if issuer is not None:  # else nothing but what is stored: an imported certificate or a dummy
            issuer.delete(self._context, self._observed.project.name, self._stack, held)
        self._context.directory.remove_pair(held.site)

    def _container(self, service: str) -> str:
        container = self._context.orchestrator.containers(self._observed.project.name).running(service)
        if container is None:
            raise EngineError(f"the service {service} is not running", hint="run 'stackctl up'")
        return container.id


def _kind(operation: Operation) -> object:
    """What neighbours have in common that are carried out together; else the operation itself."""
    for kinds in ((StartService, StartProxy), (AwaitService,), (CheckNames,), (Issue,), (VerifySite,)):
        if isinstance(operation, kinds):
            return kinds[0]
    return operation
