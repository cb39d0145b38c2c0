"""Refuses to begin where files or other programs have the place of the stack's own."""

from __future__ import annotations

from stackctl.engine.context import Context
from stackctl.engine.waiting import wait_for
from stackctl.errors import HostError
from stackctl.model.endpoints import PortBinding
from stackctl.model.layout import GENERATIONS
from stackctl.model.project import Project
from stackctl.model.stack import Stack
from stackctl.observed.state import Observed
from stackctl.plan.operation import Plan
from stackctl.plan.operations import StartProxy
from stackctl.proxies.proxy import ProxyLayout

PORT_SECONDS = 3.0
"""How long Docker may take to release a port of the proxy's ended container."""


def refuse_taken_folder(project: Project, stack: Stack, observed: Observed, layout: ProxyLayout) -> None:
    """Refuse to begin a stack in a directory where files of the user's are in the place of stackctl's."""
    if f"{layout.directory}/{GENERATIONS}" not in observed.missing or not observed.in_the_way:
        return
    users = sorted(
        service.name
        for service in project.services.values()
        if service.name != stack.proxy.service
        and any(f"/{layout.directory}/" in f"/{mount.source}/" for mount in service.mounts)
    )
    mounted = f", and the mounts of {', '.join(users)}" if users else ""
    raise HostError(
        f"{', '.join(observed.in_the_way)} already exists, and stackctl did not write it",
        where=f"{layout.directory}/",
        hint=f"stackctl needs this directory: move yours to another name{mounted}; nothing was changed."
        " If it belongs to a proxy that you want to replace, see 'stackctl adopt --help'",
    )


def refuse_taken_ports(context: Context, stack: Stack, observed: Observed, plan: Plan, other: str) -> None:
    """Refuse to start the proxy while another program holds one of its ports; nothing is written yet.

    ``other`` says how to publish others.
    """
    starts = any(isinstance(operation, StartProxy) for operation in plan.operations)
    # The stack's own proxy is replaced, whatever its service was called, and also while it is being restarted.
    if not starts or observed.containers.publishes_as(stack.proxy.service, "proxy"):
        return
    for at in (listener.at for listener in stack.proxy.listeners):
        owner = context.wire.owner(at)
        if owner and observed.containers.of(stack.proxy.service):
            owner = _owner_after_release(context, at)
        if owner:
            holder = context.containers.publisher(at) or owner
            raise HostError(
                f"port {at} cannot be published: it is in use by {holder}",
                hint=f"stop it, or {other}",
            )


def _owner_after_release(context: Context, at: PortBinding) -> str | None:
    """Return the process that holds a port also when Docker has had time to release it; None if it is free."""
    wait_for(lambda: None if context.wire.owner(at) else True, PORT_SECONDS)
    return context.wire.owner(at)
