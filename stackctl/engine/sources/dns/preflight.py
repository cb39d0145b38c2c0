"""Write, see and delete a test record of each name before an order, so that the CA is not asked in vain."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from stackctl.diagnose.check import Check
from stackctl.diagnose.dns import CaaFacts, judge_caa
from stackctl.diagnose.dns_records import Finding, certain_failure
from stackctl.engine.context import Context
from stackctl.engine.probe.dns import caa_of
from stackctl.engine.probe.dns_records import findings_for, record_findings
from stackctl.engine.sources.webroot.preflight import ca_of, directory_of
from stackctl.errors import EngineError, IssueFailed, StackctlError
from stackctl.model.stack import Stack
from stackctl.model.values import Domain
from stackctl.plan.certificates import CheckNames


def check_records(
    context: Context, project: str, stack: Stack, operations: Sequence[CheckNames]
) -> list[StackctlError | None]:
    """Return, for each operation in order, why the CA would not see its records or not issue, or None."""
    if context.orchestrator.containers(project).running(stack.certbot) is None:
        return [None] * len(operations)  # the request itself fails, and says so
    names = [name for operation in operations for name in operation.names]
    try:
        findings = record_findings(context, stack, names, write=True)
    except EngineError as error:
        return [error] * len(operations)
    forbidden = _forbidden(context, stack, operations)
    found: list[StackctlError | None] = []
    for operation, check in zip(operations, forbidden, strict=True):
        own = [one for name in operation.names for one in findings_for(findings, name)]
        failure = certain_failure(own)
        found.append(_refusal(operation, failure) if failure else _of_caa(check) if check else None)
    return found


def _forbidden(context: Context, stack: Stack, operations: Sequence[CheckNames]) -> list[Check | None]:
    """Return, for each operation, the CAA records that forbid the CA, or None."""
    facts: dict[Domain, CaaFacts] = {}
    for operation in operations:
        ca = partial(ca_of, context, directory_of(stack, operation))
        facts |= zip(operation.names, caa_of(context.network, operation.names, ca), strict=True)
    return [
        next(
            (
                judge_caa(name, facts[name])
                for name in operation.names
                if facts[name].lookup.records and facts[name].permission.allowed is False
            ),
            None,
        )
        for operation in operations
    ]


def _refusal(operation: CheckNames, failure: Finding) -> IssueFailed:
    todo = f"{failure.todo}; " if failure.todo else ""
    hint = f"{todo}'stackctl dns test {failure.name.removeprefix('*.')}' repeats the check"
    return IssueFailed(f"{operation.names[0]}: not requested: {failure.text}", hint=hint)


def _of_caa(check: Check) -> IssueFailed:
    return IssueFailed(f"{check.subject}: not requested: {check.text}", hint=check.todo)
