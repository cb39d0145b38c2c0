"""Check an imported certificate: who accepts it, and how near the end is of what nothing renews."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from stackctl.certs.held import Held
from stackctl.certs.lineage import Certificate
from stackctl.certs.shelf import Source
from stackctl.certs.trust import WORDS, Nearness, Trust, nearness
from stackctl.diagnose.check import Check, ok, unknown, wrong
from stackctl.model.imported import Imported
from stackctl.model.routing import Site
from stackctl.wording import day

TRUST, DAYS, ISSUED = "cert-trust", "cert-days", "cert-issued"


@dataclass(frozen=True, slots=True)
class ImportFacts:
    """Facts about the imported certificate of a site.

    Attributes:
        imported: what the Compose file says about it.
        lack: why the certificate that the file names is not there, or does not cover the site; or None.
        trust: who accepts it; None if that is not known.
        proxied: whether the name resolves to Cloudflare's proxy.
    """

    imported: Imported
    lack: str | None
    trust: Trust | None
    proxied: bool


def todo_of(imported: Imported) -> str:
    """Return how an imported certificate is replaced."""
    if imported.files is not None:
        return f"replace {', '.join(imported.files.paths)} and run 'stackctl up'"
    return f"run 'stackctl cert import {imported.name} --cert FILE --key FILE'"


def ending(site: Site, held: Held, now: datetime) -> str | None:
    """Return that the imported certificate which a site is served with ends soon, and what to do; or None."""
    one = held.certificate
    if site.imported is None or held.source != Source.IMPORTED or one is None:
        return None
    near = nearness(one, now)
    if near is Nearness.FAR:
        return None
    return f"{_end(one, now)}: {todo_of(site.imported)}"


def _end(one: Certificate, now: datetime) -> str:
    left = one.days_left(now)
    if left < 0:
        return f"its imported certificate expired on {day(one.not_after)}"
    return f"its imported certificate ends on {day(one.not_after)}, in {left} day{'' if left == 1 else 's'}"


def judge_import(subject: str, facts: ImportFacts, issuer: str) -> Iterator[Check]:
    """Yield whether the certificate of a site is the one that the Compose file names, and who accepts it."""
    if facts.lack is not None:
        yield wrong(ISSUED, facts.lack, todo_of(facts.imported), subject)
        return
    yield ok(ISSUED, f"imported, issued by {issuer}", subject)
    if facts.trust is Trust.CLOUDFLARE:
        text = f"{WORDS[Trust.CLOUDFLARE]}, to which the name {'resolves' if facts.proxied else 'does not resolve'}"
        todo = "set the record of the name to 'Proxied' at Cloudflare, or import a certificate that browsers accept"
        yield ok(TRUST, text, subject) if facts.proxied else wrong(TRUST, text, todo, subject)
    elif facts.trust in WORDS:
        yield unknown(TRUST, WORDS[facts.trust], subject=subject)
    elif facts.trust is Trust.PUBLIC:
        yield ok(TRUST, "a CA that this host trusts issued it", subject)


def judge_end(subject: str, facts: ImportFacts, one: Certificate, now: datetime) -> Check:
    """Return the check of how near its end is: near it is told, and in the last days it is wrong."""
    near = nearness(one, now)
    if near is Nearness.FAR:
        return ok(DAYS, f"{one.days_left(now)} days left; nothing renews it", subject)
    todo = todo_of(facts.imported)
    if near is Nearness.NEAR:
        return unknown(DAYS, _end(one, now), todo, subject)
    return wrong(DAYS, _end(one, now), todo, subject)
