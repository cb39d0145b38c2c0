"""Check the second certificate of a site: with another kind of key, for the clients that know only that."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from stackctl.certs.held import Held
from stackctl.certs.lineage import Certificate
from stackctl.diagnose.check import Check, ok, unknown, wrong
from stackctl.wording import day

SECOND = "cert-second"


@dataclass(frozen=True, slots=True)
class SecondFacts:
    """Facts about the second certificate of a site.

    Attributes:
        key: the kind of key that it has or would have.
        held: what the site is served with.
        served: what a client that knows only that kind of key is shown; None for nothing.
        visible: whether such a client can be imitated.
    """

    subject: str
    key: str
    held: Held
    served: Certificate | None
    visible: bool
    now: datetime


def judge_second(facts: SecondFacts) -> Check:
    """Return the check of a second certificate: issued, valid, and the one that is served."""
    part, todo = facts.held.second, "run 'stackctl up'"
    key = facts.key.upper()
    if part is None:
        own = facts.held.second_own
        why = "is not issued yet" if own is None else own.problem or "does not go beside the first one"
        return wrong(SECOND, f"its certificate with an {key} key {why}", todo, facts.subject)
    one, left = part.certificate, part.certificate.days_left(facts.now)
    if one.overdue(facts.now):
        text = f"its certificate with an {key} key ends on {day(one.not_after)}: its renewal is overdue"
        return wrong(SECOND, text, f"run 'stackctl renew --force {facts.subject}'", facts.subject)
    if not facts.visible:
        text = (
            f"a certificate with an {key} key, {left} days left; which one is served cannot be seen with TLS 1.3 only"
        )
        return unknown(SECOND, text, subject=facts.subject)
    if facts.served is None or facts.served.fingerprint != one.fingerprint:
        text = f"clients that know only {key} are not shown the certificate on disk"
        return wrong(SECOND, text, todo, facts.subject)
    return ok(SECOND, f"clients that know only {key} get a certificate of theirs, {left} days left", facts.subject)
