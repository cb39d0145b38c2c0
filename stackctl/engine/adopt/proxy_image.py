"""Find the proxy of a foreign project, and its image."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import partial

from stackctl.adopt.compose_layouts import Layout, read_layout
from stackctl.engine.context import Context
from stackctl.errors import EngineError, InputError
from stackctl.model.project import Project, Service


def find_layout(context: Context, project: Project) -> Layout:
    """Return the proxy, certbot and helper services of a project; the proxy has the name of its image.

    Raises:
        InputError: there is no proxy, or its image is not built yet.
    """
    layout = read_layout(project, partial(_runs, context, project))
    image = _image(context, project, layout.proxy)
    if layout.proxy.builds and context.images.image_id(image) is None:
        raise InputError(
            f"the image of the service {layout.proxy.name} is not built yet",
            hint=f"build it: 'docker compose build {layout.proxy.name}'",
        )
    return replace(layout, proxy=replace(layout.proxy, image=image))


def _image(context: Context, project: Project, service: Service) -> str:
    """Return the name of a service's image; one that only has a ``build`` is named by Compose."""
    if service.image is not None:
        return service.image
    container = context.orchestrator.containers(project.name).best(service.name)
    return (container and context.containers.inspect(container.id).image) or f"{project.name}-{service.name}"


_PROGRAMS = {
    "nginx": ("nginx: master process", ("nginx", "-v")),
    "haproxy": ("haproxy ", ("haproxy", "-v")),
    "certbot": ("certbot", ("certbot", "--version")),
}
"""How a program is found among the processes of a container, and in an image."""


def _runs(context: Context, project: Project, service: Service, program: str) -> bool:
    process, command = _PROGRAMS[program]
    container = context.orchestrator.containers(project.name).running(service.name)
    if container is not None and any(process in one.command for one in context.containers.processes(container.id)):
        return True
    if container is not None and program != "certbot":
        return False
    image = _image(context, project, service)
    if context.images.image_id(image) is None:
        return False
    with suppress(EngineError):  # the image has no such program
        return context.sandbox.run_once(image, command).code == 0
    return False
