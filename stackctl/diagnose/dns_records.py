"""Check what the certbot container finds about the records by which names are proved over DNS-01."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stackctl.diagnose.check import Check, ok, unknown, wrong

STEPS = ("zone", "delegation", "servers", "write", "seen", "delete")
"""The steps of the check, in the order in which one depends on another."""

OK, WRONG, WARNING = "ok", "wrong", "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding: about the record of a name, at a step. A ``warning`` makes no order fail."""

    name: str
    step: str
    verdict: str
    text: str
    todo: str = ""


def certain_failure(findings: Sequence[Finding]) -> Finding | None:
    """Return the finding because of which the CA would not see the record, or None."""
    return next((one for one in findings if one.verdict == WRONG), None)


def judge_records(findings: Sequence[Finding]) -> list[Check]:
    """Return a check for each finding; a delegation that is wrong is wrong here, although CAs may do with it."""
    return [_check(one) for one in findings]


def _check(one: Finding) -> Check:
    name = f"dns-{one.step}"
    if one.verdict == OK:
        return ok(name, one.text, one.name)
    if one.verdict == WRONG or one.todo:
        return wrong(name, one.text, one.todo or "see 'stackctl logs certbot'", one.name)
    return unknown(name, one.text, None, one.name)
