"""Which certificates must be asked for, and which of them the CA would refuse."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime

from stackctl.certs.held import Held, Source, held
from stackctl.certs.ledger import Refusal
from stackctl.certs.lineage import Certificate, Lineage
from stackctl.certs.request import CertificateRequest
from stackctl.model.layout import CERTS
from stackctl.model.routing import Site
from stackctl.model.stack import LETSENCRYPT_STAGING, Stack
from stackctl.model.values import Domain
from stackctl.observed.state import Observed
from stackctl.plan.intent import Intent
from stackctl.plan.operations import CheckNames, DeferIssue, Issue


def certificate_requests(
    stack: Stack, sites: Collection[Site], intent: Intent, observed: Observed
) -> Iterator[Issue | DeferIssue]:
    """Ask for each certificate that is missing or, with ``wish.renew``, for those it names."""
    asked = set[str]()
    sharers: dict[str, list[Site]] = {}
    for site in stack.sites:
        sharers.setdefault(site.lineage, []).append(site)
    for site in sites:
        there = held(site, observed.shelf)
        lineage = there.own
        if intent.renew is not None:
            cause = intent.renew.get(site.name)
        else:
            cause = _fault(stack, site, sharers[site.lineage], lineage) if intent.issue else None
            if cause and lineage is None:
                cause = _need(site, there, observed.now)
            if cause and lineage is None and site.lineage in intent.recorded_lineages:
                cause = "the one it had then is gone: it is issued anew"
        if cause is None or site.lineage in asked:
            continue
        asked.add(site.lineage)
        sharing = sharers[site.lineage]
        force = any(one.name in intent.force for one in sharing) or (
            lineage is not None and _to_promote(stack, lineage)
        )
        request = CertificateRequest(site.lineage, _names(site, sharing, lineage), force=force)
        others = tuple(one.name for one in sharing if one != site)
        refusal = _refusal(stack, request, intent, observed)
        if refusal is None:
            yield Issue(request=request, paced=intent.ledger, cause=cause, scope=site.name, sharing=others)
        else:
            yield DeferIssue(
                request=request, until=refusal.until, cause=refusal.reason, scope=site.name, sharing=others
            )


def name_checks(stack: Stack, intent: Intent, requests: Collection[Issue | DeferIssue]) -> Iterator[CheckNames]:
    """Before the CA is asked: whether the names of each certificate lead here."""
    if not intent.check or not stack.acme.agree_tos:
        return
    for asked in requests:
        if isinstance(asked, Issue) and asked.scope not in intent.force:
            yield CheckNames(
                names=asked.request.names,
                cause="a refusal of the CA would count",
                scope=asked.scope,
                sharing=asked.sharing,
            )


def _names(site: Site, sharing: Collection[Site], lineage: Lineage | None) -> tuple[Domain, ...]:
    """The names to ask for: all of those who share it and, of one the file names, those it has already."""
    names = dict.fromkeys([*site.domains, *(name for one in sharing for name in one.domains)])
    if lineage is not None and lineage.certificate and any(one.certificate for one in sharing):
        # HTTP-01 proves no wildcard.
        names |= dict.fromkeys(Domain(name) for name in lineage.certificate.names if not name.startswith("*."))
    return tuple(names)


def _need(site: Site, there: Held, now: datetime) -> str | None:
    """Why an app without a lineage needs one: not while it has a certificate from elsewhere."""
    if there.stored is None or there.stored.source == Source.DUMMY:
        return "it has none yet"
    imported = there.stored.certificate
    if not all(imported.covers(name) for name in site.domains):
        return f"the one in {CERTS.path} is not for all of its names"
    return f"the one in {CERTS.path} is due" if imported.due(now) else None


def _fault(stack: Stack, site: Site, sharing: Collection[Site], lineage: Lineage | None) -> str | None:
    """Why a lineage is not what the app needs, or None."""
    if lineage is None:
        return "it has none yet"
    if not lineage.usable or lineage.certificate is None:
        return f"the one on disk cannot be used: {lineage.problem}"
    if not _fits(site, sharing, lineage.certificate):
        return "its names changed"
    if not lineage.renewable:
        return "a part of the one on disk is lost: of its chain, its renewal file or its links"
    return "the one on disk is of the staging CA" if _to_promote(stack, lineage) else None


def _fits(site: Site, sharing: Collection[Site], certificate: Certificate) -> bool:
    """Whether it is for exactly the app's names; with a wildcard, or named in the file, it may be for more."""
    names = frozenset(certificate.names)
    wide = any(one.certificate for one in sharing) or any(name.startswith("*.") for name in names)
    return frozenset(site.domains) == names or (wide and all(certificate.covers(name) for name in site.domains))


def _to_promote(stack: Stack, lineage: Lineage) -> bool:
    """Whether it is a certificate of the staging CA in a stack that has left staging."""
    return lineage.from_staging and stack.acme.directory != LETSENCRYPT_STAGING


def _refusal(stack: Stack, request: CertificateRequest, intent: Intent, observed: Observed) -> Refusal | None:
    if not intent.ledger:
        return None
    ledger, now = observed.ledger, observed.now
    refusal = ledger.refusal(stack.acme.directory, request.names, now)
    return refusal or (ledger.backoff(request.names, now) if intent.unattended else None)
