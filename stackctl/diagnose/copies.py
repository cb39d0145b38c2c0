"""Check that the proxy has a copy of each certificate as it is now, and say what it serves if it has not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from stackctl.certs.copied import Copy, copy_cause, differs
from stackctl.certs.held import Held
from stackctl.diagnose.check import Check, ok, skipped, wrong
from stackctl.model.layout import site_certs
from stackctl.wording import day

COPY = "cert-copy"


@dataclass(frozen=True, slots=True)
class CopyFacts:
    """Facts about the copies of a site's certificate.

    Attributes:
        subject: the app's first name.
        held: the certificate that the site is served with.
        copy: the copy of the site's own lineage or, without one, of what is stored for it; None without a copy.
        refused: why certbot's deploy hook did not copy the lineage when it last tried, or None.
        stored_problem: why what is stored for the site cannot be served, or None.
        stored_name: under which it is stored.
    """

    subject: str
    held: Held
    copy: Copy | None
    refused: str | None
    stored_problem: str | None
    stored_name: str
    now: datetime


def judge_copy(facts: CopyFacts) -> Check:
    """Check the copy of the site's own lineage or, without one, of what is stored for the site."""
    lineage, stored = facts.held.own, facts.held.stored
    if lineage is not None:
        cause = copy_cause(lineage, facts.copy, facts.now)
        if cause is not None:
            why = facts.refused or "certbot's deploy hook did not run"
            return wrong(COPY, f"{cause}: {why}", "run 'stackctl up', which copies it", facts.subject)
        return _kept(facts, lineage.problem or (lineage.flaw if _is_older(facts) else None))
    if stored is None or facts.held.lineage is not None:
        return skipped([COPY], "the site has no certificate of its own", facts.subject)[0]
    if facts.stored_problem is not None:
        folder = site_certs(facts.stored_name)
        text = f"{folder}: {facts.stored_problem}: the proxy serves its last good copy"
        return wrong(COPY, text, f"put both files into {folder} again, then run 'stackctl up'", facts.subject)
    cause = differs(stored.version, facts.copy) if stored.version else None
    if cause is not None:
        return wrong(COPY, cause, "run 'stackctl up', which copies it", facts.subject)
    return ok(COPY, "the proxy has a copy of it", facts.subject)


def _is_older(facts: CopyFacts) -> bool:
    """Return whether the copy is not of the lineage as it is now."""
    lineage = facts.held.own
    return lineage is not None and facts.copy is not None and facts.copy.version != lineage.version


def _kept(facts: CopyFacts, problem: str | None) -> Check:
    """Return the check of a copy that the lineage does not replace."""
    if facts.copy is None:
        return skipped([COPY], "there is nothing to copy", facts.subject)[0]
    if problem is None and not _is_older(facts):
        return ok(COPY, "the proxy has a copy of it", facts.subject)
    if not facts.copy.valid(facts.now):
        return skipped([COPY], "its last good copy has expired", facts.subject)[0]
    until = day(facts.copy.certificate.not_after)
    return ok(COPY, f"the proxy serves its last good copy, which is valid until {until}", facts.subject)
