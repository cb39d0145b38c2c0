"""Check that names resolve to this host before a request, so that no request is sent that is certain to fail."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from stackctl.diagnose.caa import IDENTITIES
from stackctl.diagnose.check import Check
from stackctl.diagnose.dns import NameFacts
from stackctl.diagnose.preflight import certain_failure
from stackctl.engine.context import Context
from stackctl.engine.probe.dns import Target, look_up
from stackctl.engine.probe.probe_file import placed_probe_file
from stackctl.errors import IssueFailed, StackctlError
from stackctl.model.stack import Stack
from stackctl.model.values import Domain
from stackctl.observed.network import CaDirectory
from stackctl.plan.certificates import CheckNames


def check_names(
    context: Context, project: str, stack: Stack, operations: Sequence[CheckNames]
) -> list[StackctlError | None]:
    """Return, for each operation in order, the failure that is certain at the CA, or None; all run in parallel."""
    containers = context.orchestrator.containers(project)
    by_ca: dict[str, list[Domain]] = {}
    for operation in operations:
        by_ca.setdefault(directory_of(stack, operation), []).extend(operation.names)
    facts: dict[Domain, NameFacts] = {}
    with placed_probe_file(context, containers, stack.certbot) as probe_file:
        for directory, names in by_ca.items():
            target = Target(partial(ca_of, context, directory), probe_file, stack.proxy.http.at)
            facts |= {one.name: one for one in look_up(context.network, names, target)}
    return [
        next((error for name in operation.names if (error := _refusal(certain_failure(facts[name])))), None)
        for operation in operations
    ]


def directory_of(stack: Stack, operation: CheckNames) -> str:
    """Return the directory of the CA that is to issue for the names."""
    site = stack.site(operation.names[0])
    return (stack.acme_of(site) if site is not None else stack.acme).directory


def ca_of(context: Context, directory: str) -> CaDirectory:
    """Return the CA by its known identities, else as its directory describes it."""
    if directory in IDENTITIES:
        return CaDirectory(directory)
    return context.network.ca_directory(directory, context.directory.ca_bundle())


def _refusal(check: Check | None) -> IssueFailed | None:
    if check is None:
        return None
    hint = (
        f"{check.todo}; 'stackctl doctor {check.subject}' shows details, 'stackctl … --force' sends the request anyway"
    )
    return IssueFailed(f"{check.subject}: not requested: {check.text}", hint=hint)
