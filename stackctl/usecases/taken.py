"""Refuses to begin where files or other programs have the place of the stack's own."""

from __future__ import annotations

from stackctl.engine.context import Context
from stackctl.engine.waiting import wait_for
from stackctl.errors import HostError
from stackctl.model.endpoints import PortBinding
from stackctl.model.layout import GENERATIONS
from stackctl.model.project import Project
from stackctl.model.stack import Stack
from stackctl.model.streams import Transport
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
        if service.name not in {stack.proxy.service, stack.certbot}
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
    # The stack's own proxy is replaced, whatever its service was called, and also while it is being restarted.
    if not _starts_proxy(plan) or observed.containers.publishes_as(stack.proxy.service, "proxy"):
        return
    for at in (listener.at for listener in stack.proxy.listeners):
        holder = _holder(context, at)
        if holder and observed.containers.of(stack.proxy.service):
            _await_release(context, at)
            holder = _holder(context, at)
        if holder:
            raise HostError(
                f"port {at} cannot be published: it is in use by {holder}",
                hint=f"stop it, or {other}",
            )


def refuse_taken_stream_ports(context: Context, stack: Stack, observed: Observed, plan: Plan) -> None:
    """Refuse to publish the port of a stream that somebody else holds; nothing is written yet.

    Raises:
        HostError: with the holder.
    """
    if not _starts_proxy(plan):
        return
    own = {one.name for one in observed.containers.of(stack.proxy.service)}
    for stream in stack.streams:
        if stream.port is None:
            continue
        holder = _holder(context, stream.port.at, stream.transport)
        if holder and holder.removeprefix("the container ") not in own:
            raise HostError(
                f"port {stream.port} cannot be published: it is in use by {holder}",
                where=stream.where,
                hint="stop it, or choose another port in 'listen'; nothing was changed",
            )


def _starts_proxy(plan: Plan) -> bool:
    return any(isinstance(operation, StartProxy) for operation in plan.operations)


def _await_release(context: Context, at: PortBinding) -> None:
    """Give Docker time to release a port."""
    wait_for(lambda: None if context.wire.owner(at) else True, PORT_SECONDS)


def _holder(context: Context, at: PortBinding, transport: Transport = Transport.TCP) -> str | None:
    """Return the container or the process that holds a port; None if it is free."""
    owner = context.wire.owner(at, transport)
    return (context.containers.publisher(at, transport) or owner) if owner else None
