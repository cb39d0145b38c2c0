"""What is certain to fail at the CA, told before it is asked; what cannot be told from here goes on."""

from __future__ import annotations

from stackctl.diagnose.check import Check, found_wrong
from stackctl.diagnose.dns import NameFacts, judge_name
from stackctl.observed.network import Answer, Fetched, Reach


def certain_failure(facts: NameFacts) -> Check | None:
    """The check for which the CA is certain to refuse the name, or None."""
    wrong = {check.name: check for check in reversed(found_wrong(judge_name(facts)))}
    if not facts.found:
        # A server that fails may do better when the CA asks; one that says there is nothing has answered.
        final = {facts.v4.answer, facts.v6.answer} <= {Answer.NO_NAME, Answer.EMPTY} or facts.v4.loop
        return (wrong.get("cname") or wrong.get("dns")) if final else None
    if facts.caa is not None and facts.caa.lookup.records and facts.caa.permission.allowed is False:
        return wrong["caa"]
    return wrong.get("reach") if _misled(facts) else None


def _misled(facts: NameFacts) -> bool:
    """Whether no way of choosing an address leads to this stack: CAs prefer IPv6, and fall back where none answers."""
    fetched = facts.fetched or ()
    if not fetched:
        return False

    def other(one: Fetched) -> bool:
        return one.reach is Reach.ANSWERED and not facts.led_here(one)

    six = [one for one in fetched if ":" in one.address]
    return (bool(six) and all(map(other, six))) or all(other(one) or facts.dead(one) for one in fetched)
