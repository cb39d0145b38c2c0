"""Decide which routed services are deployed or scaled, and how: from the containers that there are, and nothing else.

A container is new if it has the definition and the image of the file, else old. So a deploy that was cut short
anywhere is found half done, and the rest of it is planned.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from stackctl.model.backends import Server
from stackctl.model.deploying import CANARY_ROLE, DeploySettings, Reason
from stackctl.model.project import Project, Service
from stackctl.model.routing import Site
from stackctl.model.stack import Stack
from stackctl.observed.containers import Container, Deployment
from stackctl.observed.state import Observed
from stackctl.plan.files import ProxyFiles
from stackctl.plan.services import is_current, start_cause
from stackctl.proxies.proxy import Pins


@dataclass(frozen=True, slots=True)
class Wave:
    """One part of a rollout.

    Attributes:
        count: how many new containers there are once it has started its own.
        starts: how many it starts.
        leaving: the old containers that it removes.
        gone: those that it and the waves before it remove.
    """

    count: int
    starts: int
    leaving: tuple[Container, ...]
    gone: tuple[Container, ...]


@dataclass(frozen=True, slots=True)
class Rollout:
    """A routed service whose containers are replaced, or become more or fewer.

    Attributes:
        old: its running containers of another definition or image, and those that are too many.
        new: its running containers that the file describes.
        ended: its containers that do not run.
        sites: the sites that it serves.
        reason: why old containers are stopped first; None if the new ones start beside them.
        switched: whether its requests go to new containers already.
        moved: whether the live files do not have its port yet.
        ports_before: its new ports, each with that of its old containers; None if these are not known.
        scaled: whether only the number of its containers changes.
        joins: whether it is a canary that gets no requests yet: nothing of it is replaced, and it is as it should be
            before the first client gets it.
    """

    service: Service
    settings: DeploySettings
    old: tuple[Container, ...]
    new: tuple[Container, ...]
    ended: tuple[Container, ...]
    sites: tuple[Site, ...]
    cause: str
    reason: Reason | None
    switched: bool
    moved: bool
    ports_before: Mapping[int, int] | None
    scaled: bool
    joins: bool

    @property
    def ports(self) -> tuple[int, ...]:
        """The ports that its sites use."""
        servers = (server for site in self.sites for server in site.servers if server.service == self.service.name)
        return tuple(dict.fromkeys(server.endpoint.port for server in servers))

    @property
    def serving(self) -> tuple[Container, ...]:
        """The containers that get its requests before the deploy: the old ones, as long as one runs."""
        return self.old or self.new

    @property
    def has_gap(self) -> bool:
        """Whether no container runs for a moment: the old ones stop first, and there are not others to go on."""
        if self.reason is None:
            return False
        service = self.service
        alone = service.publishes or not service.networks or service.container_name or service.addresses
        return bool(alone) or self.ports_before is None or not 0 < service.parallelism < len(self.serving)

    @property
    def waves(self) -> tuple[Wave, ...]:
        """The parts of the rollout, as many containers in each as Compose's ``parallelism`` says."""
        replicas = self.service.replicas
        # Old and new containers serve beside each other only if it is known where the old ones listen.
        together = self.scaled or self.ports_before is None
        at_once = replicas if together else self.service.parallelism or replicas
        count, old, gone = len(self.new), self.old, tuple[Container, ...]()
        if self.scaled and count == replicas and not old:
            return (Wave(count, 0, (), ()),)  # begun earlier, and not awaited to the end
        found: list[Wave] = []
        while count < replicas or old:
            starts = max(min(at_once, replicas - count), 0)
            count += starts
            leaving = old[:starts] if count < replicas else old
            old, gone = old[len(leaving) :], (*gone, *leaving)
            found.append(Wave(count, starts, leaving, gone))
        return tuple(found)


def rollouts(  # noqa: PLR0913  (the services, and what decides about each)
    stack: Stack,
    services: Collection[str],
    observed: Observed,
    pins: Pins,
    files: ProxyFiles,
    rerouted: Collection[Server],
) -> list[Rollout]:
    """Return those of ``services`` to deploy.

    There are none while the proxy does not answer: no client is served then. A proxy of another kind cannot be told
    where requests go, and is replaced.
    """
    if observed.generation is None or observed.other_kind or not observed.containers.is_running(stack.proxy.service):
        return []
    served = {name for site in stack.sites if site.name in files.live_sites for name in site.services}
    moved = {server.service for server in rerouted}
    found = (
        _rollout(stack, observed, pins, observed.project.services[name], files, moved=name in moved)
        for name in services
        if name in served and name in observed.project.services
    )
    return [one for one in found if one is not None]


def _rollout(  # noqa: PLR0913  (the service, and what decides about it)
    stack: Stack, observed: Observed, pins: Pins, service: Service, files: ProxyFiles, *, moved: bool
) -> Rollout | None:
    containers = observed.containers.of(service.name)
    current = [one for one in containers if is_current(observed, service, one)]
    up = [one for one in containers if one.running]
    left = {at: ports for host in stack.hosts_of(service.name) for at, ports in pins.get(host, {}).items()}
    pinned = frozenset(left)
    scaled = len(current) == len(containers)
    joins = service.role == CANARY_ROLE and moved and all(one in current for one in up) and service.replicas > 0
    is_whole = not service.counted or len(containers) == service.replicas
    if scaled and not joins and is_whole and not _is_half_awaited(up, pinned):
        return None
    cause = start_cause(observed, service.name) or ("it gets no requests yet" if joins else "a deploy was interrupted")
    if not joins and (not up or not service.replicas or service.name in observed.restarting):
        return None
    if not all(one.addresses for one in up):
        return None  # an engine that does not report the addresses of containers
    if _is_out_of_reach(observed, stack, service):
        return None  # nothing can be switched to it: the proxy is replaced after it
    # Compose gives new containers the next number.
    new = tuple(sorted((one for one in up if one in current), key=lambda one: (len(one.name), one.name)))
    new = new[: service.replicas] if service.counted else new
    settings = stack.deploys.get(service.name, DeploySettings())
    old = tuple(one for one in up if one not in new)
    sites = tuple(site for site in stack.sites if service.name in site.services)
    return Rollout(
        service=service,
        settings=settings,
        old=old,
        new=new,
        ended=tuple(one for one in containers if not one.running),
        sites=sites,
        cause=cause,
        reason=None
        if scaled or joins
        else settings.stop_first or stop_reason(observed.project, observed.containers, stack, service),
        switched=bool(pinned) and pinned <= {address for one in new for address in one.addresses},
        moved=moved,
        ports_before=files.ports_before(sites, service.name) if moved else _known_ports(old, left),
        scaled=scaled and not joins,
        joins=joins,
    )


def _known_ports(old: Collection[Container], left: Mapping[str, Mapping[int, int]]) -> dict[int, int]:
    """Return the ports of ``old`` containers that an interrupted deploy ``left`` behind in the files."""
    known = (left[at] for one in old for at in one.addresses if at in left)
    return {port: before for ports in known for port, before in ports.items()}


def _is_half_awaited(up: Collection[Container], pinned: frozenset[str]) -> bool:
    """Return whether requests go to some of a service's containers only: the others were not known to be ready."""
    return bool(pinned) and not {at for one in up for at in one.addresses} <= pinned


def _is_out_of_reach(observed: Observed, stack: Stack, service: Service) -> bool:
    """Return whether new containers would share no network with the running proxy, which follows them there."""
    proxy = observed.containers.best(stack.proxy.service)
    reached = proxy.networks if proxy else frozenset[str]()
    return bool(reached and service.networks) and not reached & observed.project.networks_of(service)


def stop_reason(project: Project, containers: Deployment, stack: Stack, service: Service) -> Reason | None:
    """Return what besides its own definition prevents a second container, or None."""
    settings = stack.deploys.get(service.name, DeploySettings())
    for other in project.services.values():
        used = (one.removeprefix("service:").partition(":")[0] for keys in other.uses.values() for one in keys)
        if service.name in {*other.follows, *used}:
            where = stack.deploys[other.name].where if other.name in stack.deploys else str(other.name)
            return Reason(f"the service {other.name} uses its container", where)
    # A volume that only the image declares belongs to its container: a second one would begin with an empty one.
    named = {mount.target.rstrip("/") for mount in service.mounts}
    own = next((target for one in containers.of(service.name) for target in one.writes if target not in named), None)
    if own is not None and not settings.start_first:
        return Reason(f"it has a volume of its own at {own}", settings.where)
    return None


def dependents(project: Project, names: Collection[str]) -> frozenset[str]:
    """Return the services that Compose would not start without starting ``names`` first."""
    found: set[str] = set()
    while True:
        reached = {*names, *found}
        more = {str(one.name) for one in project.services.values() if one.needs & reached} - reached
        if not more:
            return frozenset(found)
        found |= more
