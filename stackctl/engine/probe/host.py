"""Collect the facts that :mod:`stackctl.diagnose.host` checks."""

from __future__ import annotations

import os
from pathlib import Path

from stackctl.diagnose.host import Disk, Image, Port, Program, ProxyState
from stackctl.engine.context import Context
from stackctl.errors import EngineError, StackctlError
from stackctl.model.endpoints import PortBinding
from stackctl.model.project import Project
from stackctl.model.stack import ProxyService, Stack
from stackctl.observed.containers import Container, Deployment
from stackctl.observed.ports import EngineVersion


def engine(context: Context) -> tuple[Program, EngineVersion | None]:
    """Return the engine and its version, which is None if it does not answer."""
    try:
        version = context.orchestrator.version()
    except StackctlError as error:
        return Program(problem=error.message, hint=error.hint), None
    return Program(f"{version.version}, API {version.api}"), version


def compose(context: Context) -> Program:
    """Return Compose, or why it is unusable."""
    try:
        return Program(context.orchestrator.compose_version())
    except StackctlError as error:
        return Program(problem=error.message, hint=error.hint)


def images(context: Context, project: Project) -> tuple[Image, ...]:
    """Return the images of the project's services."""
    named = {service.image for service in project.services.values() if service.image}
    local = {image: context.images.image_id(image) is not None for image in sorted(named)}
    return tuple(
        Image(name, service.image, local[service.image], service.builds)
        for name, service in project.services.items()
        if service.image and service.replicas
    )


def ports(context: Context, proxy_service: ProxyService, containers: Deployment) -> tuple[Port, ...]:
    """Return which process or container uses the published ports of the proxy."""
    own = containers.publishes_as(proxy_service.service, "proxy")
    return tuple(_port(context, f"{one.scheme}-port", one.at, own=own) for one in proxy_service.listeners)


def _port(context: Context, check: str, at: PortBinding, *, own: bool) -> Port:
    owner = context.wire.owner(at)
    if owner is None or own:
        return Port(check, at, owner, own)
    return Port(check, at, context.containers.publisher(at) or owner, own=False)


def proxy(context: Context, stack: Stack, containers: Deployment) -> ProxyState:
    """Return the proxy's container, and the generation that answers on its port."""
    proxy_service = stack.proxy
    found = containers.best(proxy_service.service)
    state = found.state if found else None
    answers = context.wire.generation(proxy_service.http.at) if state == "running" else None
    return ProxyState(
        proxy_service.service,
        state,
        proxy_service.http.at,
        answers,
        context.delivery(context.proxy_of(stack).layout).published(),
        _ended(context, found) if found is not None and answers is None else None,
    )


def _ended(context: Context, container: Container) -> str | None:
    """Return how a container ended last, and what it printed last; None if it did not end."""
    seen = context.containers.inspect(container.id)
    if seen.running and not seen.restarts:
        return None
    how = "it ran out of memory" if seen.oom_killed else f"it ended with code {seen.exit_code}"
    often = f" and was restarted {seen.restarts} times" if seen.restarts else ""
    try:
        printed = context.containers.log(container.id, 1)
    except EngineError:
        printed = ""  # such as a logging driver that cannot be read
    return f"{how}{often}" + (f"; last log line: {printed}" if printed else "")


def disks(root: Path, engine_root: str | None) -> tuple[Disk, ...]:
    """Return the file systems of the stack and of the engine; only one if they share it."""
    found: dict[int, Disk] = {}
    for path in (root, *([Path(engine_root)] if engine_root else [])):
        try:
            device, usage = path.stat().st_dev, os.statvfs(path)
        except OSError:
            continue  # a remote engine has its own disks
        # Some file systems allocate inodes on demand, and report none.
        inodes = usage.f_favail if usage.f_files else None
        found.setdefault(device, Disk(str(path), usage.f_bavail * usage.f_frsize, inodes))
    return tuple(found.values())
