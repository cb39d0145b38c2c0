"""Recognizes a stack whose directory was renamed while its containers exist, and a name that another stack has.

Compose names a project after its directory, so it would start a second one: with new, empty volumes, and with ports
that the first one holds. Two directories of one name are one project for Compose, so that the containers of one stack
would be replaced by those of the other.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from stackctl.engine.context import Context
from stackctl.errors import HostError
from stackctl.model.project import Project
from stackctl.model.stack import Stack
from stackctl.observed.containers import Deployment


def refuse_renamed(context: Context, project: Project, stack: Stack, containers: Deployment) -> None:
    """Refuse to go on under another project name than that of the existing containers, or under another stack's.

    Raises:
        HostError: the directory was renamed, or the name is taken; the hint has both ways out.
    """
    _refuse_foreign(context, project, containers)
    published = context.delivery(context.proxy_of(stack).layout).published()
    if len(containers) or published is None:
        return
    for name, directory in context.orchestrator.stacks().items():
        if not directory or Path(directory).exists():
            continue
        if not _is_this(context, project, stack, name, published):
            continue
        files = context.directory.files
        back = shlex.join(["mv", str(files.project), directory])
        raise HostError(
            f"the containers of this stack belong to the project {name} of {directory}, which no longer exists:"
            " the directory was renamed",
            hint=f"rename it back, which loses no request: {back}. To keep the new name, add the line 'name: {name}'"
            f" to {files.name} and run 'stackctl up', which creates the containers again with their volumes",
        )


def name_taken(name: str, directory: str) -> HostError:
    """Return the error for a project name that the stack of another directory uses."""
    return HostError(
        f"the project name {name} is already used by the stack in {directory}",
        hint="give this stack a name of its own with the line 'COMPOSE_PROJECT_NAME=NAME' in .env;"
        f" or stop the other one with 'docker compose -p {name} down'",
    )


def _refuse_foreign(context: Context, project: Project, containers: Deployment) -> None:
    """Refuse the project name of another directory that exists: its containers would be replaced or removed.

    A directory above or below this one is the same stack with another place of its Compose file.
    """
    own = Path(os.path.realpath(context.directory.files.directory))
    for directory in sorted({one.directory for one in containers if one.directory}):
        other = Path(os.path.realpath(directory))
        if other.exists() and not (other.is_relative_to(own) or own.is_relative_to(other)):
            raise name_taken(project.name, directory)


def _is_this(context: Context, project: Project, stack: Stack, name: str, published: str) -> bool:
    """Return whether the project ``name`` is this stack: by what its proxy serves, or by its services if it is down."""
    found = context.orchestrator.containers(name)
    if any(container.running and container.role == "proxy" for container in found):
        return context.wire.generation(stack.proxy.http.at) == published
    return found.services == {service.name for service in project.services.values() if service.replicas}
