"""Refuses streams that cannot work, before anything is written."""

from __future__ import annotations

from stackctl.engine.context import Context
from stackctl.errors import HostError, StackfileError
from stackctl.model.stack import Stack
from stackctl.observed.state import Observed
from stackctl.plan.operation import Plan
from stackctl.plan.operations import StartProxy


def refuse_unable(stack: Stack) -> None:
    """Refuse streams if the proxy's image has none; ``stack`` is fitted to it.

    Raises:
        StackfileError: with the place of the first.
    """
    if stack.streams and stack.proxy.streams is None:
        raise StackfileError(
            f"the image {stack.proxy.image} cannot pass streams on: its proxy has no stream module",
            where=stack.streams[0].where,
            hint="use an image that has it: the official ones do; Debian has it in a package of its own",
        )


def refuse_taken_stream_ports(context: Context, stack: Stack, observed: Observed, plan: Plan) -> None:
    """Refuse to publish the port of a stream that somebody else holds; nothing is written yet.

    Raises:
        HostError: with the holder.
    """
    if not any(isinstance(operation, StartProxy) for operation in plan.operations):
        return
    own = {one.name for one in observed.containers.of(stack.proxy.service)}
    for stream in stack.streams:
        if stream.port is None:
            continue
        owner = context.wire.owner(stream.port.at, stream.transport)
        holder = owner and (context.containers.publisher(stream.port.at, stream.transport) or owner)
        if holder and holder.removeprefix("the container ") not in own:
            raise HostError(
                f"port {stream.port} cannot be published: it is in use by {holder}",
                where=stream.where,
                hint="stop it, or choose another port in 'listen'; nothing was changed",
            )
