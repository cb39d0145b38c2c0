"""Refuse to switch a site that works to a server that is known not to answer."""

from __future__ import annotations

from stackctl.engine.apply import prove
from stackctl.engine.context import Context
from stackctl.errors import DeployFailed, NotReady, StackctlError
from stackctl.model.stack import Stack
from stackctl.plan.operations import AwaitService


def refused_switch(
    context: Context, stack: Stack, project: str, operation: AwaitService, error: StackctlError | None
) -> DeployFailed | None:
    """Return why the site of ``operation`` keeps the server that it has; None if it loses nothing by another one.

    What cannot be decided from here, as where containers cannot be reached from this host, is not refused.
    """
    if not operation.displaces or not isinstance(error, NotReady):
        return None
    own = context.orchestrator.containers(project).of(operation.service)
    known = any(one.health not in {None, "healthy"} for one in own) or any(
        context.containers.accepts(one, operation.port) is False for one in own
    )
    sites = [site.name for site in stack.sites if site.name in operation.scopes]
    if not known or not prove.sites_answer(context, stack, sites):
        return None
    return DeployFailed(
        error.message,
        where=next((site.where for site in stack.sites if site.name in sites), None),
        hint=f"{', '.join(sites)} is served as before: {error.hint or 'correct it'}; then run 'stackctl up', "
        "or go back with 'stackctl rollback'",
    )
