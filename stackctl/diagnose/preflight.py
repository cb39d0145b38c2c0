"""Find names that the CA is certain to refuse, before it is asked; a name in doubt is not held back."""

from __future__ import annotations

from stackctl.diagnose.check import Check, found_wrong
from stackctl.diagnose.dns import NameFacts, judge_name
from stackctl.observed.network import Answer, Fetched, Reach


def certain_failure(facts: NameFacts) -> Check | None:
    """Return the check because of which the CA is certain to refuse the name, or None."""
    wrong = {check.name: check for check in reversed(found_wrong(judge_name(facts)))}
    if not facts.found:
        # A DNS server that fails may answer the CA later; one that returns no record has answered.
        final = {facts.v4.answer, facts.v6.answer} <= {Answer.NO_NAME, Answer.EMPTY} or facts.v4.loop
        return (wrong.get("cname") or wrong.get("dns")) if final else None
    if facts.caa is not None and facts.caa.lookup.records and facts.caa.permission.allowed is False:
        return wrong["caa"]
    return wrong.get("reach") if _never_reaches_proxy(facts) else None


def _never_reaches_proxy(facts: NameFacts) -> bool:
    """Whether no address that the CA may choose reaches this stack.

    CAs prefer IPv6, and fall back to IPv4 if there is no answer.
    """
    fetched = facts.fetched or ()
    if not fetched:
        return False

    def other(one: Fetched) -> bool:
        return one.reach is Reach.ANSWERED and not facts.reaches_proxy(one)

    ipv6 = [one for one in fetched if ":" in one.address]
    return (bool(ipv6) and all(map(other, ipv6))) or all(other(one) or facts.dead(one) for one in fetched)
