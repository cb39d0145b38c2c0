"""Decide which certificates to request, and which of the requests to defer because the CA would refuse them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from stackctl.certs.held import held
from stackctl.certs.ledger import Refusal
from stackctl.certs.policy import refused
from stackctl.certs.request import CertificateRequest
from stackctl.certs.source import Candidate, CertificateSource, source_of
from stackctl.model.routing import Site
from stackctl.model.stack import Stack
from stackctl.observed.state import Observed
from stackctl.plan.certificates import CheckNames, DeferIssue, Issue, RefuseIssue
from stackctl.plan.intent import Intent


def certificate_requests(
    stack: Stack, sites: Collection[Site], intent: Intent, observed: Observed, sources: Mapping[str, CertificateSource]
) -> Iterator[Issue | DeferIssue | RefuseIssue]:
    """Yield a request for each certificate that its source wants or, with ``intent.renew``, for those it names."""
    requested = set[str]()
    shelf = observed.shelf
    sharers = shelf.sharing(stack.sites)
    for site in sites:
        lineage = shelf.name_of(site)
        sharing = tuple(sharers[lineage])
        source = source_of(sources, stack, *sharing)
        there = held(site, shelf)
        candidate = Candidate(stack, site, sharing, there, observed.now, shelf.local_ca, shelf.imported(site))
        cause = _cause(candidate, source, intent)
        if cause is None or lineage in requested:
            continue
        requested.add(lineage)
        forced = any(one.name in intent.force for one in sharing)
        replaced = forced or any(one.name in intent.replaced for one in sharing)
        request = source.request(candidate, force=replaced)
        others = tuple(one.name for one in sharing if one != site)
        acme = stack.acme_of(*sharing)
        authority = acme.directory if source.authority(stack) is not None else None
        rule = None
        if authority is not None and intent.check and not forced and not request.own_way:
            rule = refused(authority, request.names, acme.profile)
        refusal = None if request.own_way else _refusal(authority, request, intent, observed)
        if request.todo is not None:
            yield RefuseIssue(
                request=request,
                where=site.where,
                cause=request.why_not or cause,
                todo=request.todo,
                forceable=False,
                scope=site.name,
                sharing=others,
            )
        elif rule is not None:
            yield RefuseIssue(
                request=request, where=site.where, cause=rule.text, todo=rule.todo, scope=site.name, sharing=others
            )
        elif refusal is None:
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
    if candidate.site.imported is not None and candidate.import_fault is None:
        return None  # no source is asked while the imported certificate does
    cause = source.wants(candidate) if intent.issue else None
    if cause and candidate.held.own is None and candidate.site.lineage in intent.recorded_lineages:
        return "its recorded certificate no longer exists"
    return cause


def name_checks(
    stack: Stack,
    intent: Intent,
    requests: Collection[Issue | DeferIssue | RefuseIssue],
    sources: Mapping[str, CertificateSource],
) -> Iterator[CheckNames]:
    """Yield a check of the names of each certificate, which runs before the CA's own validation."""
    if not intent.check or not stack.acme.agree_tos:
        return
    for issue in requests:
        if not isinstance(issue, Issue) or issue.scope in intent.force or issue.request.own_way:
            continue
        if sources[issue.source].authority(stack) is not None:
            yield CheckNames(
                names=issue.request.names,
                source=issue.source,
                dns=issue.request.dns,
                cause="failed validations count against a limit",
                scope=issue.scope,
                sharing=issue.sharing,
                batch="names",
            )


def _refusal(authority: str | None, request: CertificateRequest, intent: Intent, observed: Observed) -> Refusal | None:
    """Return why the CA would refuse the request, by the orders in the ledger, or None."""
    if not intent.ledger or authority is None:
        return None
    ledger, now = observed.ledger, observed.now
    refusal = ledger.refusal(authority, request.names, now)
    return refusal or (ledger.backoff(request.names, now) if intent.unattended else None)
