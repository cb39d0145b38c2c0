"""Decide which certificates to request, and which of the requests to defer because the CA would refuse them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from stackctl.certs.held import held
from stackctl.certs.ledger import Refusal
from stackctl.certs.policy import refused
from stackctl.certs.request import CertificateRequest
from stackctl.certs.shelf import Shelf
from stackctl.certs.source import Candidate, CertificateSource, source_of
from stackctl.model.routing import Site
from stackctl.model.second import with_seconds
from stackctl.model.stack import Stack
from stackctl.model.values import Domain
from stackctl.observed.state import Observed
from stackctl.plan.certificates import CheckNames, DeferIssue, Issue, RefuseIssue, second_scope
from stackctl.plan.intent import Intent


def certificate_requests(
    stack: Stack, sites: Collection[Site], intent: Intent, observed: Observed, sources: Mapping[str, CertificateSource]
) -> Iterator[Issue | DeferIssue | RefuseIssue]:
    """Yield a request for each certificate that its source wants or, with ``intent.renew``, for those it names."""
    if stack.proxy.https is None and intent.renew is None:
        return  # TLS ends in front of the proxy
    requested = set[str]()
    shelf = observed.shelf
    sharers = shelf.sharing(with_seconds(stack.sites))
    for site in with_seconds(sites):
        lineage = shelf.name_of(site)
        sharing = tuple(sharers[lineage])
        source = source_of(sources, stack, *sharing)
        there = held(site, shelf)
        candidate = Candidate(stack, site, sharing, there, observed.now, shelf.local_ca, shelf.imported(site))
        cause = _cause(candidate, source, intent)
        if cause is None or lineage in requested or (site.is_second and _renews_its_own_way(stack, site, shelf)):
            continue
        requested.add(lineage)
        forced = any(one.name in intent.force for one in sharing)
        replaced = forced or any(one.name in intent.replaced for one in sharing if not one.is_second)
        request = replace(source.request(candidate, force=replaced), beside=site.is_second)
        scope, *others = (second_scope(one.name) if one.is_second else one.name for one in _first(site, sharing))
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
                scope=scope,
                sharing=tuple(others),
            )
        elif rule is not None:
            yield RefuseIssue(
                request=request, where=site.where, cause=rule.text, todo=rule.todo, scope=scope, sharing=tuple(others)
            )
        elif refusal is None:
            paced = intent.ledger
            yield Issue(
                request=request,
                source=source.name,
                paced=paced,
                cause=cause,
                scope=scope,
                sharing=tuple(others),
                batch="certificates",
            )
        else:
            yield DeferIssue(
                request=request, until=refusal.until, cause=refusal.reason, scope=scope, sharing=tuple(others)
            )


def _first(site: Site, sharing: Sequence[Site]) -> list[Site]:
    """Return the sites that share a certificate, ``site`` first."""
    return [site, *(one for one in sharing if one != site)]


def _renews_its_own_way(stack: Stack, second: Site, shelf: Shelf) -> bool:
    """Return whether only certbot can renew the first certificate of a site: its key stays as it is."""
    first = stack.site(second.name)
    own = None if first is None else shelf.own(first)
    return own is not None and own.own_way


def _cause(candidate: Candidate, source: CertificateSource, intent: Intent) -> str | None:
    """Return why the certificate is requested, or None."""
    if intent.renew is not None and not candidate.site.is_second:
        return intent.renew.get(candidate.site.name)
    if intent.renew is not None:
        own, forced = candidate.held.own, candidate.site.name in intent.force
        due = own is not None and own.certificate is not None and own.certificate.due(candidate.now)
        return intent.renew.get(candidate.site.name) if forced or due else None
    if candidate.site.imported is not None and candidate.import_fault is None:
        return None  # no source is asked while the imported certificate does
    cause = source.wants(candidate) if intent.issue else None
    if cause and candidate.held.own is None and candidate.site.lineage in intent.recorded_lineages:
        return "its recorded certificate no longer exists"
    return cause


def issued_by(
    stack: Stack, requests: Collection[Issue | DeferIssue | RefuseIssue]
) -> tuple[dict[Site, CertificateRequest], dict[Site, CertificateRequest]]:
    """Return the sites that get a certificate by ``requests``, each with its own; and likewise their second ones."""
    issues = [one for one in requests if isinstance(one, Issue)]
    sites = {site.name: site for site in stack.sites} if issues else {}
    first = {sites[Domain(name)]: one.request for one in issues for name in one.scopes if name in sites}
    if not any(one.request.beside for one in issues):
        return first, {}
    beside = {second_scope(name): site for name, site in sites.items()}
    return first, {beside[Domain(name)]: one.request for one in issues for name in one.scopes if name in beside}


def name_checks(
    stack: Stack,
    intent: Intent,
    requests: Collection[Issue | DeferIssue | RefuseIssue],
    sources: Mapping[str, CertificateSource],
) -> Iterator[CheckNames]:
    """Yield a check of the names of each certificate, which runs before the CA's own validation."""
    if not intent.check or not stack.acme.agree_tos:
        return
    issues = [one for one in requests if isinstance(one, Issue)]
    beside = {scope for one in issues if one.request.beside for scope in one.scopes}
    checked = {second_scope(scope) for one in issues if not one.request.beside for scope in one.scopes}
    forced = {*intent.force, *map(second_scope, intent.force)}
    for issue in issues:
        if issue.request.own_way or issue.scope in forced or (issue.request.beside and issue.scope in checked):
            continue  # one check is for both certificates of a site
        seconds = tuple(scope for scope in map(second_scope, issue.scopes) if scope in beside)
        if sources[issue.source].authority(stack) is not None:
            yield CheckNames(
                names=issue.request.names,
                source=issue.source,
                dns=issue.request.dns,
                cause="failed validations count against a limit",
                scope=issue.scope,
                sharing=(*issue.sharing, *seconds),
                batch="names",
            )


def _refusal(authority: str | None, request: CertificateRequest, intent: Intent, observed: Observed) -> Refusal | None:
    """Return why the CA would refuse the request, by the orders in the ledger, or None."""
    if not intent.ledger or authority is None:
        return None
    ledger, now = observed.ledger, observed.now
    refusal = ledger.refusal(authority, request.names, now)
    return refusal or (ledger.backoff(request.names, now) if intent.unattended else None)
