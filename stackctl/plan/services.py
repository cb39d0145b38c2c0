"""Decide which services to start, and why."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from stackctl.model.backends import Server
from stackctl.model.project import Service
from stackctl.model.routing import Site
from stackctl.model.stack import Stack
from stackctl.model.values import ServiceName
from stackctl.observed.containers import Container
from stackctl.observed.state import Observed
from stackctl.plan.operation import Operation
from stackctl.plan.operations import AwaitService, PullImage, StartProxy, StartService

Users = dict[str, list[tuple[Site, Server]]]
"""The sites that each service serves, each with its server."""


def start_services(  # noqa: PLR0913  (the services, and what decides about each)
    stack: Stack,
    sites: Collection[Site],
    stop: Collection[str],
    *,
    everything: bool,
    observed: Observed,
    rerouted: Mapping[Server, bool] | None = None,
    among: Callable[[str], bool] = lambda _: True,
    batch: str = "services",
) -> Iterator[Operation]:
    """Pull and start the services of ``sites``; with ``everything`` the file's other services too.

    Those that are started are awaited. One that runs as defined and is unhealthy delays no change of another app's.
    ``rerouted`` are servers that no live site uses yet, and whether each displaces another one: a running service is
    awaited there like a new one. Only
    services that ``among`` accepts are started.

    It includes certbot, so that one call of Compose starts all, unless :func:`start_proxy` starts it.
    """
    users = _users(sites)
    own = {stack.proxy.service}
    if start_cause(observed, stack.proxy.service):
        own.add(stack.certbot)
    else:
        users[stack.certbot] = []
    for name in _followers(observed, [*users]):
        users.setdefault(name, [])
    if everything:
        others = [name for name in observed.project.services if name not in own]
        users = {name: users.get(name, []) for name in dict.fromkeys([*users, *others])}
    users = {name: routed for name, routed in users.items() if among(name)}
    yield from _start(stack, users, stop, observed, batch, rerouted or {})


def start_proxy(stack: Stack, cause: str, observed: Observed) -> Iterator[Operation]:
    """Start the proxy together with certbot: nothing needs certbot earlier, and it is the same call of Compose."""
    yield from _start(stack, {stack.certbot: []}, (), observed, "proxy", {})
    if observed.containers.is_running(stack.proxy.service):
        cause = f"{cause}: its ports are closed for about a second"
    yield StartProxy(service=stack.proxy.service, cause=cause, batch="proxy")


def _start(  # noqa: PLR0913  (the services, and what decides about each)
    stack: Stack,
    users: Users,
    stop: Collection[str],
    observed: Observed,
    batch: str,
    rerouted: Mapping[Server, bool],
) -> Iterator[Operation]:
    causes = {
        service: start_cause(observed, service, routed=bool(routed) or service == stack.certbot)
        for service, routed in users.items()
        if service not in stop
    }
    scopes = {service: _scope(service, users[service], rerouted) for service in causes}
    starts = {service: cause for service, cause in causes.items() if cause}
    for service in starts:
        yield from pull_image(observed, service, scopes[service])
    for service, why in starts.items():
        yield StartService(service=service, cause=why, scope=scopes[service], batch=batch)
    displacing = {(one.service, one.endpoint.port) for one, displaces in rerouted.items() if displaces}
    awaits: set[tuple[str, str, int]] = set()
    for service, cause in causes.items():
        for site, server in users[service]:
            new = "newly routed" if server in rerouted and observed.containers.of(service) else None
            if (awaited := cause or new) is not None:
                scope = site.name if _holds_up(site, server, rerouted) else f"service:{service}"
                port = server.endpoint.port
                if (service, scope, port) in awaits:
                    continue
                awaits.add((service, scope, port))
                yield AwaitService(
                    service=service,
                    port=port,
                    displaces=(service, port) in displacing,
                    cause=awaited,
                    scope=scope,
                    batch=f"{batch} answer",
                )


def _users(sites: Collection[Site]) -> Users:
    users: Users = {}
    for site in sites:
        for server in site.servers:
            if server.service is not None:
                users.setdefault(server.service, []).append((site, server))
    return users


def _scope(service: str, users: Sequence[tuple[Site, Server]], rerouted: Collection[Server]) -> str:
    """Return the scope of a service: its site if only one uses it and waits for it, else the service itself."""
    names = {site.name for site, _ in users}
    alone = len(names) == 1 and any(_holds_up(site, server, rerouted) for site, server in users)
    return names.pop() if alone else f"service:{service}"


def _holds_up(site: Site, server: Server, rerouted: Collection[Server]) -> bool:
    """Return whether a site is not changed without this server: one that has others too, goes on without it."""
    return len(site.services) == 1 or server in rerouted


def pull_image(observed: Observed, service: str, scope: str | None) -> Iterator[PullImage]:
    """Pull a service's image if it is not available locally and not built."""
    resolved = observed.project.services.get(service)
    if resolved is None or resolved.image is None or resolved.builds:
        return
    if observed.images.get(resolved.image) is None:
        yield PullImage(image=resolved.image, cause="not on this host", scope=scope)


def start_cause(observed: Observed, service: str, *, routed: bool = True) -> str | None:
    """Return why a service must be started, or None if it runs as defined; ``routed`` ones must not end."""
    resolved = observed.project.services.get(service)
    if resolved is None or not resolved.replicas:
        return None  # its profile is not active, or it is scaled to zero: Compose would not start it either
    containers = observed.containers.of(service)
    if not containers:
        return "not running yet"
    if service in observed.restarting:
        return "it keeps restarting"
    down = [container for container in containers if not container.running]
    # A job that succeeded is not started again at every run; an app that ended is.
    stopped = next((container.state for container in down if routed or not container.succeeded), None)
    if stopped:
        return f"it is {stopped}"
    return _change(observed, resolved) or _other_number(resolved, containers)


def _other_number(resolved: Service, containers: Sequence[Container]) -> str | None:
    """Return what is wrong with the number of a service's containers; one that the file does not say may differ."""
    count = len(containers)
    if not resolved.counted or count == resolved.replicas:
        return None
    return f"it has {count} container{'s' if count > 1 else ''}, and is to have {resolved.replicas}"


def scaled_to_zero(observed: Observed, sites: Collection[Site], *, everything: bool) -> list[ServiceName]:
    """Return the services of ``sites``, or of the whole file, that have containers and are to have none."""
    routed = {name for site in sites for name in site.services}
    wanted = (one for one in observed.project.services.values() if everything or one.name in routed)
    return [one.name for one in wanted if not one.replicas and observed.containers.of(one.name)]


def _change(observed: Observed, resolved: Service) -> str | None:
    """Return why the containers of a service are replaced when it is started, or None."""
    containers = [one for one in observed.containers.of(resolved.name) if not is_current(observed, resolved, one)]
    if any(container.config_hash != resolved.config_hash for container in containers):
        return "its definition changed"
    if containers:
        return "its image changed"
    replaced = next((one for one in sorted(resolved.follows) if _is_replaced(observed, one)), None)
    return None if replaced is None else f"the service {replaced}, which it uses, is replaced"


def is_current(observed: Observed, service: Service, container: Container) -> bool:
    """Return whether a container has the definition and the image that its service has by now."""
    image_id = observed.images.get(observed.project.image_of(service) or "")
    return container.config_hash == service.config_hash and image_id in {None, container.image_id}


def _is_replaced(observed: Observed, service: str) -> bool:
    """Return whether starting a service creates its container anew."""
    resolved = observed.project.services.get(service)
    if resolved is None or not resolved.replicas:
        return False
    return not observed.containers.of(service) or _change(observed, resolved) is not None


def _followers(observed: Observed, services: Collection[str]) -> list[str]:
    """Return the services that would be left with a container that no longer exists if ``services`` are started."""
    found = list[str]()
    replaced = [name for name in services if _is_replaced(observed, name)]
    while replaced:
        name = replaced.pop()
        following = [one.name for one in observed.project.services.values() if name in one.follows]
        new = [one for one in following if one not in found and observed.containers.of(one)]
        found += new
        replaced += new
    return found
