"""``stackctl renew``: what is due, and nothing else."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from stackctl.certs.lineage import Lineage
from stackctl.engine.apply.execute import Step
from stackctl.engine.context import Context
from stackctl.errors import InputError
from stackctl.model.stack import Site
from stackctl.model.values import Domain
from stackctl.plan.intent import Intent
from stackctl.plan.operations import Issue
from stackctl.stackfile.read import read_sites
from stackctl.usecases.converge import converge, load, open_document
from stackctl.usecases.result import Result

RECENT = timedelta(days=1)
"""Four times the interval at which the proxy reloads by itself."""


def renew(
    context: Context,
    *,
    force: Collection[Domain] = (),
    ledger: bool = True,
    unattended: bool = False,
    dry_run: bool = False,
) -> Result:
    """Renew every certificate that is due, and those of ``force`` in any case.

    Finding out that nothing is due starts no container, and asks no engine unless something was issued today.
    """
    doc = open_document(context)
    sites = read_sites(doc)
    forced = {_site_named(sites, name).name for name in force}
    lineages = context.directory.certificates(sites)
    now = context.now()
    causes: dict[Domain, str] = {}
    for site in sites:
        lineage = lineages.get(site.lineage)
        if site.name in forced:
            causes[site.name] = "asked for with --force"
        elif lineage is not None and lineage.usable and lineage.certificate and lineage.certificate.due(now):
            causes[site.name] = f"it is due: {lineage.certificate.days_left(now)} days left"
    recent = {site.name for site in sites if _is_recent(lineages.get(site.lineage), now)}
    if not causes and not recent:
        return Result("renew", dry_run=dry_run, data={"apps": _rows(sites, lineages, (), now)})
    intent = Intent(
        doc.text,
        focus=frozenset(causes) | recent,
        renew=causes,
        force=frozenset(forced),
        ledger=ledger,
        unattended=unattended,
    )
    result = converge(context, "renew", load(context, doc), intent, dry_run=dry_run)
    if dry_run:
        rows = _rows(sites, lineages, (), now)
        planned = [{**row, "status": "planned", "reason": causes[row["app"]]} for row in rows if row["app"] in causes]
        return replace(result, data={"apps": [*planned, *(row for row in rows if row["app"] not in causes)]})
    after = context.directory.certificates(sites) if result.steps else lineages
    return replace(result, data={"apps": _rows(sites, after, result.steps, now, lineages)})


def _is_recent(lineage: Lineage | None, now: datetime) -> bool:
    """Whether a crash may have kept the proxy from taking it up: an older one the proxy's own loop has."""
    return lineage is not None and lineage.certificate is not None and now - lineage.certificate.not_before < RECENT


def _site_named(sites: Collection[Site], name: Domain) -> Site:
    for site in sites:
        if name in site.domains:
            return site
    raise InputError(f"{name} is not routed here", where="--force", hint="see 'stackctl status' for the names that are")


def _rows(
    sites: Collection[Site],
    lineages: dict[str, Lineage],
    steps: Collection[Step],
    now: datetime,
    before: dict[str, Lineage] | None = None,
) -> list[dict[str, Any]]:
    """One row per app: ``renewed``, ``failed`` or ``skipped``, with the reason."""
    failed = {name: step.error for step in steps if step.error is not None for name in step.operation.scopes}
    asked = {step.operation.request.lineage for step in steps if isinstance(step.operation, Issue)}
    rows: list[dict[str, Any]] = []
    for site in sites:
        lineage = lineages.get(site.lineage)
        certificate = lineage.certificate if lineage else None
        row: dict[str, Any] = {"app": site.name, "days_left": certificate.days_left(now) if certificate else None}
        old = (before or {}).get(site.lineage)
        if site.name in failed:
            row |= {"status": "failed", "reason": str(failed[site.name])}
        elif site.lineage in asked and old != lineage:
            row |= {"status": "renewed", "reason": None}
        elif site.lineage in asked:
            row |= {"status": "skipped", "reason": "certbot sees no need to renew it yet"}
        else:
            row |= {"status": "skipped", "reason": _why_skipped(lineage)}
        rows.append(row)
    return rows


def _why_skipped(lineage: Lineage | None) -> str:
    if lineage is None:
        return "never issued: run 'stackctl up'"
    return "not due" if lineage.usable else f"{lineage.problem}: run 'stackctl up'"
