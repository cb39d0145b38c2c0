"""Looks, before the CA is asked, whether names lead here: what is certain to fail is not asked."""

from __future__ import annotations

from collections.abc import Sequence

from stackctl.diagnose.caa import IDENTITIES
from stackctl.diagnose.check import Check
from stackctl.diagnose.preflight import certain_failure
from stackctl.engine.context import Context
from stackctl.engine.probe.dns import Target, look_up
from stackctl.engine.probe.probe_file import placed_probe_file
from stackctl.errors import IssueFailed, StackctlError
from stackctl.model.stack import Stack
from stackctl.observed.network import CaDirectory
from stackctl.plan.operations import CheckNames


def check_names(
    context: Context, project: str, stack: Stack, operations: Sequence[CheckNames]
) -> list[StackctlError | None]:
    """What is certain to fail at the CA for each operation, in their order; all are looked at together."""
    names = [name for operation in operations for name in operation.names]
    containers = context.orchestrator.containers(project)
    with placed_probe_file(context, containers, stack.certbot) as probe_file:
        target = Target(lambda: _ca(context, stack.acme.directory), probe_file, stack.proxy.http.at)
        facts = {one.name: one for one in look_up(context.network, names, target)}
    return [
        next((error for name in operation.names if (error := _refusal(certain_failure(facts[name])))), None)
        for operation in operations
    ]


def _ca(context: Context, directory: str) -> CaDirectory:
    """The CA by what is known of it, else as it describes itself."""
    if directory in IDENTITIES:
        return CaDirectory(directory)
    return context.network.ca_directory(directory, context.directory.ca_bundle())


def _refusal(check: Check | None) -> IssueFailed | None:
    if check is None:
        return None
    hint = f"{check.todo}; 'stackctl doctor {check.subject}' says more, 'stackctl … --force' asks the CA all the same"
    return IssueFailed(f"{check.subject}: not asked for: {check.text}", hint=hint)
