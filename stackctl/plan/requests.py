"""Which certificates must be requested, and which of those requests the CA would refuse."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from stackctl.certs.held import held
from stackctl.certs.ledger import Refusal
from stackctl.certs.request import CertificateRequest
from stackctl.certs.source import Candidate, CertificateSource, source_of
from stackctl.model.routing import Site
from stackctl.model.stack import Stack
from stackctl.observed.state import Observed
from stackctl.plan.intent import Intent
from stackctl.plan.operations import CheckNames, DeferIssue, Issue


def certificate_requests(
    stack: Stack, sites: Collection[Site], intent: Intent, observed: Observed, sources: Mapping[str, CertificateSource]
) -> Iterator[Issue | DeferIssue]:
    """Request each certificate that its source wants or, with ``intent.renew``, those it names."""
    asked = set[str]()
    sharers: dict[str, list[Site]] = {}
    for site in stack.sites:
        sharers.setdefault(site.lineage, []).append(site)
    for site in sites:
        sharing = tuple(sharers[site.lineage])
        source = source_of(sources, stack, site)
        candidate = Candidate(stack, site, sharing, held(site, observed.shelf), observed.now)
        cause = _cause(candidate, source, intent)
        if cause is None or site.lineage in asked:
            continue
        asked.add(site.lineage)
        request = source.request(candidate, force=any(one.name in intent.force for one in sharing))
        others = tuple(one.name for one in sharing if one != site)
        refusal = _refusal(source.authority(stack), request, intent, observed)
        if refusal is None:
            paced = intent.ledger
            yield Issue(
                request=request,
                source=source.name,
                paced=paced,
                cause=cause,
                scope=site.name,
                sharing=others,
                batch="certificates",
            )
        else:
            yield DeferIssue(
                request=request, until=refusal.until, cause=refusal.reason, scope=site.name, sharing=others
            )


def _cause(candidate: Candidate, source: CertificateSource, intent: Intent) -> str | None:
    """Return why the certificate is requested, or None."""
    if intent.renew is not None:
        return intent.renew.get(candidate.site.name)
    cause = source.wants(candidate) if intent.issue else None
    if cause and candidate.held.own is None and candidate.site.lineage in intent.recorded_lineages:
        return "the one it had then is gone: it is issued anew"
    return cause


def name_checks(
    stack: Stack,
    intent: Intent,
    requests: Collection[Issue | DeferIssue],
    sources: Mapping[str, CertificateSource],
) -> Iterator[CheckNames]:
    """Check the names of each certificate before the CA does."""
    if not intent.check or not stack.acme.agree_tos:
        return
    for asked in requests:
        if not isinstance(asked, Issue) or asked.scope in intent.force:
            continue
        if sources[asked.source].authority(stack) is not None:
            yield CheckNames(
                names=asked.request.names,
                source=asked.source,
                cause="a refusal of the CA would count",
                scope=asked.scope,
                sharing=asked.sharing,
                batch="names",
            )


def _refusal(authority: str | None, request: CertificateRequest, intent: Intent, observed: Observed) -> Refusal | None:
    """Return why the CA would refuse the request by what it was asked before, or None."""
    if not intent.ledger or authority is None:
        return None
    ledger, now = observed.ledger, observed.now
    refusal = ledger.refusal(authority, request.names, now)
    return refusal or (ledger.backoff(request.names, now) if intent.unattended else None)
