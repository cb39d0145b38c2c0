"""Find the port on which a service serves: it says so itself in most projects."""

from __future__ import annotations

from stackctl.engine.context import Context
from stackctl.errors import InputError
from stackctl.model.project import Service

_DEFAULT = 8000


def candidate_ports(context: Context, service: Service | None, image: str | None) -> tuple[int, ...]:
    """Return the ports in the service's ``expose`` and ``ports``, else those that its image exposes."""
    if service is not None and service.exposed:
        return service.exposed
    if image is None or context.images.image_id(image) is None:
        return ()
    return context.images.exposed_ports(image)


def app_port(context: Context, name: str, service: Service | None, image: str | None) -> int:
    """Return the only candidate, or the default if there is none.

    Raises:
        InputError: there are several.
    """
    ports = candidate_ports(context, service, image)
    if len(ports) > 1:
        raise InputError(
            f"the service {name} has several ports: {', '.join(map(str, ports))}",
            field="port",
            hint=f"choose the one that serves HTTP, such as {ports[0]}",
        )
    return ports[0] if ports else _DEFAULT
