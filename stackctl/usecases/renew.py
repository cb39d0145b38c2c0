"""``stackctl renew``: renews the certificates that are due."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from stackctl.certs.held import Held, held
from stackctl.certs.shelf import Source, import_fault, only_imported
from stackctl.engine.apply.execute import Step
from stackctl.engine.context import Context
from stackctl.engine.sources.webroot.rules import difference
from stackctl.errors import InputError
from stackctl.model.routing import Site
from stackctl.model.stack import Stack
from stackctl.model.values import Domain
from stackctl.plan.certificates import Issue
from stackctl.plan.intent import Intent
from stackctl.stackfile.read import read_sites
from stackctl.usecases.converge import converge, interpolated, load, open_document
from stackctl.usecases.result import Result, json_name

RECENT = timedelta(days=1)
"""Four times the interval of the proxy's own reloads."""


@dataclass(frozen=True, slots=True)
class SiteRenewal:
    """The outcome of the renewal of one site's certificate.

    Attributes:
        days_left: whole days until the certificate expires, after the command.
        status: ``renewed``, ``failed`` or ``skipped``; ``planned`` by a dry run.
        reason: why the renewal failed, was skipped or is planned.
    """

    name: Domain = field(metadata=json_name("app"))
    days_left: int | None
    status: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class RenewReport:
    """Each site, in the order of the Compose file; the renewals planned by a dry run come first."""

    sites: tuple[SiteRenewal, ...] = field(metadata=json_name("apps"))


def renew(  # noqa: PLR0913  (one parameter per option)
    context: Context,
    *,
    force: Collection[Domain] = (),
    ledger: bool = True,
    unattended: bool = False,
    changed: bool = False,
    dry_run: bool = False,
) -> Result[RenewReport]:
    """Renew every certificate that is due, and those of the domains in ``force`` in any case.

    With ``changed`` also those whose CA, key or profile is not what the Compose file says.

    If nothing is due, no container is started, and the engine is not used unless a certificate is new.
    """
    doc = open_document(context)
    sites = read_sites(interpolated(context, doc))
    forced = {_forced(_site_named(sites, name)) for name in force}
    now = context.now()
    shelf = context.directory.shelf((site.name for site in sites), now)
    before = {site.name: held(site, shelf) for site in sites}
    causes: dict[Domain, str] = {}
    for site in sites:
        there = before[site.name]
        if site.name in forced:
            causes[site.name] = "its renewal is forced"
        elif there.lineage is None and site.imported is not None:
            fault = import_fault(site, shelf.imported(site), now)
            if fault is not None and site.imported.fallback is not None:
                causes[site.name] = fault
        elif there.real and not there.borrowed and there.certificate and there.certificate.due(now):
            causes[site.name] = f"it is due: {there.certificate.days_left(now)} days left"
        elif there.second is not None and there.second.certificate.due(now):
            left = there.second.certificate.days_left(now)
            causes[site.name] = f"its second certificate is due: {left} days left"
    loaded = load(context, doc, doc.text) if changed else None
    differing = _differing(loaded.stack, before) if loaded else {}
    causes = {**differing, **causes}
    recent = {site.name for site in sites if _is_recent(before[site.name], now)}
    if not causes and not recent:
        return Result("renew", RenewReport(_rows(sites, before, (), now)), dry_run=dry_run)
    intent = Intent(
        focus=frozenset(causes) | recent,
        renew=causes,
        force=frozenset(forced),
        replaced=frozenset(differing),
        ledger=ledger,
        unattended=unattended,
    )
    result = converge(context, "renew", loaded or load(context, doc, doc.text), intent, dry_run=dry_run)
    if dry_run:
        rows = _rows(sites, before, (), now)
        planned = [replace(row, status="planned", reason=causes[row.name]) for row in rows if row.name in causes]
        return result.carrying(RenewReport((*planned, *(row for row in rows if row.name not in causes))))
    after = _held(context, sites) if result.steps else before
    return result.carrying(RenewReport(_rows(sites, after, result.steps, now, before)))


def _differing(stack: Stack, held: Mapping[Domain, Held]) -> dict[Domain, str]:
    """Return in what certbot's certificates differ from what would be requested now, by site."""
    found: dict[Domain, str] = {}
    for site in stack.sites:
        own = held[site.name].own
        if own is not None and not own.own_way and (cause := difference(stack.acme_of(site), own)) is not None:
            found[site.name] = cause
    return found


def _held(context: Context, sites: Collection[Site]) -> dict[Domain, Held]:
    shelf = context.directory.shelf((site.name for site in sites), context.now())
    return {site.name: held(site, shelf) for site in sites}


def _is_recent(there: Held, now: datetime) -> bool:
    """Return whether a crash may have prevented a reload; an older certificate is loaded by the proxy's own loop."""
    return there.on_disk is not None and now - there.on_disk.not_before < RECENT


def _site_named(sites: Collection[Site], name: Domain) -> Site:
    for site in sites:
        if name in site.domains:
            return site
    raise InputError(
        f"{name} is not routed by this stack", field="force", hint="list the routed names with 'stackctl status'"
    )


def _forced(site: Site) -> Domain:
    """Return the name of a site whose certificate can be renewed on demand.

    Raises:
        InputError: only the user has its certificate.
    """
    if site.imported is not None and only_imported(site):
        raise InputError(
            f"the certificate of {site.name} is imported",
            field="force",
            hint=f"replace it with 'stackctl cert import {site.imported.name} --cert FILE --key FILE'",
        )
    return site.name


def _rows(
    sites: Collection[Site],
    there: Mapping[Domain, Held],
    steps: Collection[Step],
    now: datetime,
    before: Mapping[Domain, Held] | None = None,
) -> tuple[SiteRenewal, ...]:
    failed = {name: step.error for step in steps if step.error is not None for name in step.operation.scopes}
    asked = {step.operation.request.lineage for step in steps if isinstance(step.operation, Issue)}
    rows: list[SiteRenewal] = []
    for site in sites:
        one = there[site.name]
        certificate = one.on_disk
        days = certificate.days_left(now) if certificate else None
        old = (before or there)[site.name]
        if site.name in failed:
            status, reason = "failed", str(failed[site.name])
        elif asked & {site.lineage, *old.lineages} and old != one:
            status, reason = "renewed", None
        elif asked & {site.lineage, *old.lineages}:
            status, reason = "skipped", "certbot does not consider it due yet"
        else:
            status, reason = "skipped", _why_skipped(site, one)
        rows.append(SiteRenewal(site.name, days, status, reason))
    return tuple(rows)


def _why_skipped(site: Site, there: Held) -> str:
    if there.problem is not None:
        return f"{there.problem}: run 'stackctl up'"
    if site.imported is not None and there.source == Source.IMPORTED:
        by_ca = "not due: it is imported, and the CA is asked near its end"
        return "it is imported: nothing renews it" if only_imported(site) else by_ca
    return "not due" if there.real and not there.borrowed else "never issued: run 'stackctl up'"
