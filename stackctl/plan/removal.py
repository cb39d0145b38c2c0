"""Plan the removal of containers whose service is no longer wanted; a canary's only once no client gets it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from stackctl.model.deploying import CANARY_ROLE, DeploySettings, base_of
from stackctl.model.routing import Site
from stackctl.model.stack import Stack
from stackctl.model.values import ServiceName
from stackctl.observed.state import Observed
from stackctl.plan.deploy import Drain, StopRouting, UnpinServices
from stackctl.plan.files import ProxyFiles
from stackctl.plan.operation import Operation
from stackctl.plan.operations import RemoveContainers


def removal(observed: Observed, service: str, cause: str) -> RemoveContainers:
    """Return the removal of all containers of ``service``."""
    ids = tuple(container.id for container in observed.containers.of(service))
    return RemoveContainers(service=service, ids=ids, cause=cause, scope=f"service:{service}")


def orphans(stack: Stack, observed: Observed, *, proxy: bool) -> Iterator[RemoveContainers]:
    """Yield the removal of containers that stackctl created for services that the Compose file no longer has."""
    known = {*observed.project.services, *stack.services}
    for service in sorted(observed.containers.services - known):
        roles = {container.role for container in observed.containers.of(service)}
        if None not in roles and ("proxy" in roles) is proxy:
            yield removal(observed, service, "the Compose file no longer has this service")


def removals(
    stack: Stack, observed: Observed, files: ProxyFiles, sites: Collection[Site], stop: Collection[str]
) -> Iterator[Operation]:
    """Yield the removal of the services in ``stop``, and of orphans; ``sites`` are those that the plan changes."""
    asked = [removal(observed, one, "its app is removed") for one in sorted(stop) if observed.containers.of(one)]
    for one in (*asked, *(one for one in orphans(stack, observed, proxy=False) if one.service not in stop)):
        roles = {container.role for container in observed.containers.of(one.service)}
        yield from _of_canary(one, stack, observed, files, sites) if CANARY_ROLE in roles else (one,)


def emptied(
    stack: Stack, observed: Observed, files: ProxyFiles, services: Collection[ServiceName]
) -> Iterator[Operation]:
    """Yield what removes all containers of ``services``, which are to have none, once their requests have ended."""
    serves = observed.containers.is_running(stack.proxy.service)
    routed = [one for one in services if serves and files.users(one) and observed.containers.is_running(one)]
    why = "the Compose file says that it has no containers"
    for one in routed:
        yield StopRouting(service=one, cause=why, scope=f"service:{one}", batch="stop routing")
    for one in routed:
        yield Drain(
            service=one,
            leaving=tuple(container.id for container in observed.containers.of(one)),
            seconds=stack.deploys.get(one, DeploySettings()).drain,
            whole=True,
            cause="they are removed next",
            scope=f"service:{one}",
            batch="drain all",
        )
    for one in services:
        yield removal(observed, one, why)
    if routed:
        yield UnpinServices(services=tuple(sorted(routed)), cause="they have no containers")


def _of_canary(
    one: RemoveContainers, stack: Stack, observed: Observed, files: ProxyFiles, sites: Collection[Site]
) -> Iterator[Operation]:
    """Yield what removes a canary after each site that has it; nothing while a site keeps it that does not change."""
    users = files.users(one.service)
    if users - {site.name for site in sites} - {*files.gone()}:
        return
    if observed.containers.is_running(stack.proxy.service):
        settings = stack.deploys.get(base_of(one.service), DeploySettings())
        yield Drain(
            service=ServiceName(one.service),
            leaving=one.ids,
            seconds=settings.drain,
            whole=True,
            cause="they are removed next",
            scope=one.scope,
            needs_all=users,
            batch="drain canaries",
        )
    yield replace(one, needs_all=users)
