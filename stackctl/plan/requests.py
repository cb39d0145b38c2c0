"""Which certificates must be asked for, and which of them the CA would refuse."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from stackctl.certs.ledger import Refusal
from stackctl.certs.lineage import Certificate, Lineage
from stackctl.certs.request import CertificateRequest
from stackctl.model.stack import LETSENCRYPT_STAGING, App, Stack
from stackctl.plan.observed import Observed
from stackctl.plan.operations import HoldBack, Issue
from stackctl.plan.wish import Wish


def certificate_requests(
    stack: Stack, apps: Collection[App], wish: Wish, observed: Observed
) -> Iterator[Issue | HoldBack]:
    """Ask for each certificate that is missing or, with ``wish.renew``, for those it names."""
    for app in apps:
        lineage = observed.lineages.get(app.name)
        if wish.renew is not None:
            cause = wish.renew.get(app.name)
        else:
            cause = _fault(stack, app, lineage) if wish.issue else None
        if cause is None:
            continue
        force = app.name in wish.force or (lineage is not None and _to_promote(stack, lineage))
        request = CertificateRequest(app.name, app.domains, force=force)
        refusal = _refusal(stack, app, wish, observed)
        if refusal is None:
            yield Issue(request=request, paced=wish.ledger, cause=cause, scope=app.name)
        else:
            yield HoldBack(request=request, until=refusal.until, cause=refusal.reason, scope=app.name)


def _fault(stack: Stack, app: App, lineage: Lineage | None) -> str | None:
    """Why a lineage is not what the app needs, or None."""
    if lineage is None:
        return "it has none yet"
    if not lineage.usable or lineage.certificate is None:
        return f"the one on disk cannot be used: {lineage.problem}"
    if not _fits(app, lineage.certificate):
        return "its names changed"
    if not lineage.renewable:
        return "a part of the one on disk is lost: of its chain, its renewal file or its links"
    return "the one on disk is of the staging CA" if _to_promote(stack, lineage) else None


def _fits(app: App, certificate: Certificate) -> bool:
    """Whether it is for exactly the app's names; one with a wildcard may be for more."""
    names = frozenset(certificate.names)
    return frozenset(app.domains) == names or (
        any(name.startswith("*.") for name in names) and all(certificate.covers(name) for name in app.domains)
    )


def _to_promote(stack: Stack, lineage: Lineage) -> bool:
    """Whether it is a certificate of the staging CA in a stack that has left staging."""
    return lineage.from_staging and stack.acme.directory != LETSENCRYPT_STAGING


def _refusal(stack: Stack, app: App, wish: Wish, observed: Observed) -> Refusal | None:
    if not wish.ledger:
        return None
    ledger, now = observed.ledger, observed.now
    refusal = ledger.refusal(stack.acme.directory, app.domains, now)
    return refusal or (ledger.backoff(app.domains, now) if wish.unattended else None)
