"""Carry out deploys: pin, start beside, wait, switch, drain, retire."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence

from stackctl.engine.apply import prove
from stackctl.engine.apply.handlers import Errors, Handlers, one_by_one
from stackctl.engine.apply.live import RESOLVED_SECONDS, LiveProxy
from stackctl.engine.apply.ready import Readiness, serves_on
from stackctl.engine.context import Context
from stackctl.engine.probe.apps import proxy_networks
from stackctl.engine.waiting import wait_for
from stackctl.errors import DeployFailed, EngineError, StackctlError
from stackctl.model.stack import Stack
from stackctl.model.values import ServiceName
from stackctl.observed.containers import Container, Deployment
from stackctl.observed.state import Observed
from stackctl.plan.deploy import (
    AwaitNew,
    Drain,
    PinService,
    ReplaceService,
    RetireContainers,
    RunBefore,
    StartBeside,
    StopRouting,
    SwitchService,
    UnpinServices,
)
from stackctl.plan.operations import StageFiles
from stackctl.plan.pins import right_pins
from stackctl.proxies.proxy import Files, Pins

GAP_SECONDS = 15.0
"""How long the proxy may take to find the new containers of a service that was stopped first."""

_LINES = 10


class Deploys:
    """The handlers of one plan's deploys."""

    def __init__(self, context: Context, stack: Stack, observed: Observed, live: LiveProxy) -> None:
        self._context = context
        self._stack = stack
        self._project = observed.project.name
        self._proxy = context.proxy_of(stack)
        self._live = live

    @property
    def handlers(self) -> Handlers:
        """The handler of each kind of operation."""
        return {
            RunBefore: one_by_one(self._run_before),
            PinService: self._pin,
            StartBeside: one_by_one(self._start),
            AwaitNew: self._await,
            SwitchService: self._switch,
            StopRouting: self._stop_routing,
            Drain: self._drain,
            RetireContainers: self._retire,
            ReplaceService: one_by_one(self._replace),
            UnpinServices: one_by_one(self._unpin),
        }

    def _containers(self) -> Deployment:
        return self._context.orchestrator.containers(self._project)

    def _run_before(self, operation: RunBefore) -> None:
        done = self._context.orchestrator.run_one_off(operation.service, operation.command)
        if done.code:
            said = "\n".join(done.text.strip().splitlines()[-_LINES:])
            raise DeployFailed(
                f"'before' of {operation.service} failed with exit code {done.code}\n{said}",
                hint=serves_on(operation),
            )

    def _start(self, operation: StartBeside) -> None:
        there = self._containers().of(operation.service)
        new = [one for one in there if one.id not in operation.old]
        missing = max(operation.count - len(new), 0)
        if not missing and all(one.running for one in new):
            return
        try:
            self._context.orchestrator.add(operation.service, len(there) + missing)
        except EngineError as error:
            left = self._containers().of(operation.service)
            self._context.orchestrator.remove(
                [one.id for one in left if one.id not in operation.old and (operation.joins or not one.running)]
            )
            if error.everywhere:
                raise
            raise DeployFailed(
                f"no new container of {operation.service} starts: {error.message}",
                hint=serves_on(operation),
            ) from error

    def _await(self, operations: Sequence[AwaitNew]) -> Errors:
        waiting = Readiness(self._context, self._stack, self._project, operations)
        waiting.wait()
        late = [one for ids in waiting.late.values() for one in ids]
        if late:
            self._context.orchestrator.remove(late)
        return [waiting.failed.get(id(operation)) for operation in operations]

    # Where requests go

    def _pin(self, operations: Sequence[PinService]) -> Errors:
        chosen = {one.service: {key: one.ports_of(key) for key in one.ids} for one in operations}
        return self._route(operations, chosen, (), self._containers())

    def _switch(self, operations: Sequence[SwitchService]) -> Errors:
        containers = self._containers()
        chosen = {
            one.service: {
                found.id: one.ports_of(found.id)
                for found in containers.of(one.service)
                if found.running and found.id not in one.leaving
            }
            for one in operations
        }
        return self._route(operations, chosen, [stage for one in operations for stage in one.first], containers)

    def _stop_routing(self, operations: Sequence[StopRouting]) -> Errors:
        live = self._live.staging.live
        none: Pins = {host: {} for operation in operations for host in self._stack.hosts_of(operation.service)}
        pins = right_pins(self._stack, self._proxy.pins(live), self._containers())
        rejected = self._change(self._proxy.pinned(live, {**pins, **none}))
        return [next(iter(rejected.values()), None)] * len(operations)

    def _unpin(self, operation: UnpinServices) -> None:
        """Go back to the names, which the proxy has resolved before: without the containers that are removed by now.

        Where an address is wrong by now, nothing is waited for: its name has been resolved, or nobody is served.
        """
        live = self._live.staging.live
        pins = right_pins(self._stack, self._proxy.pins(live), self._containers())
        known = self._proxy.pinned(live, pins, beside=True)
        if pins and known != live and not self._change(known):
            time.sleep(RESOLVED_SECONDS)
        hosts = {host for service in operation.services for host in self._stack.hosts_of(service)}
        left = {name: addresses for name, addresses in pins.items() if name not in hosts}
        rejected = self._change(self._proxy.pinned(self._live.staging.live, left))
        if rejected:
            raise next(iter(rejected.values()))

    def _route(
        self,
        operations: Sequence[PinService | SwitchService],
        chosen: Mapping[ServiceName, Mapping[str, Mapping[int, int]]],
        first: Sequence[StageFiles],
        containers: Deployment,
    ) -> Errors:
        """Let the proxy send requests for services to the chosen ones of the ``containers`` only.

        Each has the ports that it has instead of those in the files.
        """
        live = self._live.staging.live
        networks = proxy_networks(self._context, self._stack.proxy, containers)
        pins = dict(right_pins(self._stack, self._proxy.pins(live), containers))
        errors = dict[str, StackctlError]()
        for service, ports in chosen.items():
            try:
                own = [one for one in containers.of(service) if one.id in ports]
                found = self._addresses(service, own, networks or frozenset())
                to = {at: ports[one] for at, one in sorted(found.items())}
                pins |= dict.fromkeys(self._stack.hosts_of(service), to)
            except StackctlError as error:
                errors[service] = error
        files = dict(live)
        for stage in first:
            files = {path: body for path, body in files.items() if path not in stage.leave_out} | dict(stage.files)
        rejected = self._change(self._proxy.pinned(files, pins))
        failed: list[StackctlError | None] = []
        for operation in operations:
            sites = (rejected[name] for name in (None, *operation.sharing) if name in rejected)
            failed.append(errors.get(operation.service) or next(sites, None))
        return failed

    def _addresses(self, service: str, own: Sequence[Container], networks: Collection[str]) -> dict[str, str]:
        """Return the id of each container by its address on a network of the proxy's."""
        found: dict[str, str] = {}
        for one in own:
            seen = self._context.containers.inspect(one.id)
            address = next((at for name, at in sorted(seen.networks.items()) if name in networks and at), None)
            if one.running and address is not None:
                found[address] = one.id
        if not found:
            raise DeployFailed(f"no container of {service} runs on a network of the proxy", hint="run 'stackctl up'")
        return found

    def _change(self, files: Files) -> dict[str | None, StackctlError]:
        """Make ``files`` live, let the proxy load them, and return what it rejects, by site."""
        live = self._live.staging.live
        by_site: dict[str | None, tuple[dict[str, bytes], list[str]]] = {}
        for path in sorted({**live, **files}):
            if live.get(path) != files.get(path):
                changed, left = by_site.setdefault(self._proxy.site_of(path), ({}, []))
                if path in files:
                    changed[path] = files[path]
                else:
                    left.append(path)
        for site, (changed, left) in by_site.items():
            self._live.staging.stage(StageFiles(files=changed, leave_out=tuple(left), cause="a deploy", scope=site), ())
        rejected: dict[str | None, StackctlError] = {}
        if by_site:
            rejected = {operation.scope: error for operation, error in self._live.publish().rejected}
        if self._containers().is_running(self._stack.proxy.service) and not self._live.is_loaded():
            self._live.reload()
        return rejected

    # What old workers and old containers still do

    def _drain(self, operations: Sequence[Drain]) -> Errors:
        seconds = max(operation.seconds for operation in operations)
        leaving = {one for operation in operations for one in operation.leaving}
        containers = self._containers()
        addresses = {at for one in containers if one.id in leaving for at in one.addresses}
        proxy = containers.require(self._stack.proxy.service).id
        if not self._live.workers.wait(proxy, addresses, seconds):
            names = ", ".join(dict.fromkeys(operation.service for operation in operations))
            self._context.report.note(
                f"{names}: the proxy still has connections of before after {seconds:g} s;"
                " those to the old containers end now"
            )
        return [None] * len(operations)

    def _retire(self, operations: Sequence[RetireContainers]) -> Errors:
        self._context.orchestrator.remove([one for operation in operations for one in operation.ids])
        return [None] * len(operations)

    def _replace(self, operation: ReplaceService) -> None:
        """Let Compose stop the old containers and start the new ones, and report for how long none answered."""
        began = time.monotonic()
        self._context.orchestrator.up([operation.service])
        waiting = Readiness(self._context, self._stack, self._project, [operation])
        waiting.wait()
        if waiting.failed:
            raise waiting.failed[id(operation)]
        wait_for(lambda: True if self._answers(operation) else None, GAP_SECONDS)
        gap = time.monotonic() - began
        self._context.report.note(f"{operation.service}: stopped first, and answered again after {gap:.1f} s")

    def _answers(self, operation: ReplaceService) -> bool:
        """Whether the proxy reaches the service for each of its sites."""
        health = operation.settings.health
        path = health.path if health else "/"
        return prove.sites_answer(self._context, self._stack, operation.sharing, path)
