"""The sections of ``stackctl doctor`` about apps and their certificates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from urllib.parse import quote

from stackctl.certs.shelf import Source
from stackctl.diagnose import apps as judged_apps
from stackctl.diagnose import certificates as judged_certificates
from stackctl.diagnose import copies as judged_copies
from stackctl.diagnose import loop as judged_loop
from stackctl.diagnose import renewal as judged_renewal
from stackctl.diagnose import settings as judged_settings
from stackctl.diagnose.alerts import judge_alerts
from stackctl.diagnose.check import Check, found_wrong, skipped, unknown
from stackctl.diagnose.health import judge_asking
from stackctl.diagnose.maintenance import judge_maintenance
from stackctl.diagnose.second import judge_second
from stackctl.engine.probe import apps as probe_apps
from stackctl.engine.probe import certificates as probe_certificates
from stackctl.engine.probe import health as probe_health
from stackctl.engine.probe.loop import loop
from stackctl.engine.probe.parked import parked_and_pinned
from stackctl.engine.probe.trace import refused_tls
from stackctl.engine.probe.watch_state import alert_facts
from stackctl.errors import StackctlError
from stackctl.model.backends import Server
from stackctl.model.layout import site_of_file
from stackctl.model.project import Project
from stackctl.model.routing import Route, Site
from stackctl.model.stack import Stack
from stackctl.observed.containers import Deployment
from stackctl.plan.retire import unused_lineages
from stackctl.usecases.doctor.inputs import DoctorInputs
from stackctl.usecases.doctor.prefix_checks import prefix_checks

_LOOP = (judged_loop.LOOP, judged_loop.ROUND)
_PROXY = ("proxy", "http-port", "https-port")
_CERTIFICATE = (judged_certificates.ISSUED, *judged_certificates.ON_DISK, judged_copies.COPY, judged_renewal.FILE)
_IN_THE_WAY = frozenset(
    (*_PROXY, "engine", "compose", "compose-file", "webroot", "challenge", "clock", "cname", "dns", "caa", "reach")
) | {"limits", "certbot", "certbot-dns", "certbot-route"}
"""Checks that must pass before a certificate can be issued."""


def app_checks(inputs: DoctorInputs, sites: Sequence[Site]) -> Iterator[Check]:
    """Yield the sites that are parked or half deployed, and the checks of whether the proxy can reach each app."""
    stack, project, containers = inputs.stack, inputs.project, inputs.containers
    if stack is not None:
        reasons, pins = parked_and_pinned(inputs.context, stack)
        yield from (judged_apps.parked(site.name, reasons[site.name]) for site in sites if site.name in reasons)
        yield from (judged_apps.pinned(site.name, name) for site in sites for name in site.services if name in pins)
    yield from (check for site in sites for check in judge_maintenance(site, inputs.context.now()))
    routed = [(site, route, server) for site in sites for route, server in site.routed]
    if stack is None or project is None or containers is None or not containers:
        because = inputs.broken or "the stack is down"
        for site, _, server in routed:
            yield from skipped(_app_names(server), because, site.name)
        return
    here = [one for one in routed if not _waits_for_image(inputs, project, containers, one[2])]
    gathered = probe_apps.apps(inputs.context, stack, project, containers, here)
    asking = probe_health.asking(inputs.context, stack, containers)
    if asking is not None:
        yield judge_asking(asking)
    facts = {(site.name, server): one for (site, _, server), one in zip(here, gathered, strict=True)}
    for site, route, server in routed:
        if (site.name, server) in facts:
            checks = judged_apps.judge_app(facts[site.name, server])
            yield from checks
            yield from _tls_checks(inputs, stack, project, site, route, server, checks)
            yield from prefix_checks(inputs, stack, project, site, server, checks)
        else:
            yield from skipped(_app_names(server), "its image is not available locally", site.name)


def _tls_checks(  # noqa: PLR0913  (the stack, the site, and its checks so far)
    inputs: DoctorInputs,
    stack: Stack,
    project: Project,
    site: Site,
    route: Route,
    server: Server,
    earlier: Sequence[Check],
) -> Iterator[Check]:
    """Yield the check of the handshake with an app that speaks HTTPS, if it can be reached."""
    if server.tls is None:
        return
    failed = found_wrong(earlier)
    if site.maintenance is not None and not site.maintenance.has_ended(inputs.context.now()):
        yield from skipped([judged_apps.TLS], "the site is in maintenance", site.name)
        return
    if failed:
        yield from skipped([judged_apps.TLS], f"{failed[0].name} fails", site.name)
        return
    path = _path_to(route)
    if path is None:
        yield unknown(judged_apps.TLS, "only requests with the conditions of a rule reach it", subject=site.name)
        return
    try:
        refused = refused_tls(inputs.context, stack, project, site.name, path)
    except StackctlError as error:
        yield from skipped([judged_apps.TLS], error.message, site.name)
    else:
        yield judged_apps.judge_tls(site.name, server, refused)


def _path_to(route: Route) -> str | None:
    """Return a path of which a plain request reaches the server of ``route``, if there is one."""
    paths = route.match.all_of.paths
    return None if route.is_rule or not paths else quote(paths[0].text)


def _app_names(server: Server) -> Sequence[str]:
    tls = [] if server.tls is None else [judged_apps.TLS]
    if server.service is None:
        return [judged_apps.OUTSIDE, *tls]
    return [judged_apps.CONTAINER, judged_apps.HEALTH, judged_apps.NETWORK, judged_apps.PORT, *tls]


def _waits_for_image(inputs: DoctorInputs, project: Project, containers: Deployment, server: Server) -> bool:
    """Return whether a service has no container because of its missing image, which another check reports."""
    service = project.services.get(server.service or "")
    if service is None or service.image is None or service.builds:
        return False
    return not containers.of(service.name) and inputs.context.images.image_id(service.image) is None


def certificate_checks(inputs: DoctorInputs, sites: Sequence[Site], earlier: Sequence[Check]) -> Iterator[Check]:
    """Yield the checks of the renewal loop and of each site's certificate; these depend on ``earlier``."""
    stack, containers = inputs.stack, inputs.containers
    if stack is None or containers is None:
        yield from skipped(_LOOP, inputs.broken or "the stack is down")
        for site in sites:
            yield from skipped(_CERTIFICATE, inputs.broken or "the stack is down", site.name)
        return
    stopped = found_wrong(earlier, ["certbot"])
    if containers and not stopped:
        renewals = loop(inputs.context, stack, containers)
        yield from judged_loop.judge_loop(renewals)
        if stack.alerts.receivers and inputs.project is not None:
            yield from judge_alerts(alert_facts(inputs.context, stack, inputs.project, renewals))
    else:
        because = f"{stack.certbot} is not running" if stopped else "the stack is down"
        yield from skipped(_LOOP, because, stack.certbot)
    try:
        settings = inputs.context.directory.certbot_tree().settings(stack.acme.directory)
        yield judged_settings.judge_settings(stack.certbot, settings.global_changes(stack.acme))
        gathered = probe_certificates.certificates(
            inputs.context, stack, sites, proxy_up=bool(containers) and not found_wrong(earlier, _PROXY)
        )
    except StackctlError as error:
        yield from skipped([judged_settings.SETTINGS], error.message, stack.certbot)
        for site in sites:
            yield from skipped(_CERTIFICATE, error.message, site.name)
        return
    for site, one in zip(sites, gathered, strict=True):
        there, reason = one.certificate.held, _why_not_issued(site, earlier)
        lost = there.on_disk is None or (there.own is not None and (there.own.gone or there.own.certificate is None))
        lost = lost and (there.own is None or there.own.repair is None)  # a repair needs no CA
        if lost and reason is not None:
            yield from skipped(_CERTIFICATE, reason, site.name)
            continue
        *checks, wire = judged_certificates.judge_certificate(one.certificate)
        copy = judged_copies.judge_copy(one.copy)
        yield from (*checks, copy)
        waits = found_wrong([copy], [judged_copies.COPY])
        yield from skipped([wire.name], "the proxy has no copy of it", site.name) if waits else [wire]
        yield from _renewal_checks(site, one)
        if one.second is not None:
            yield judge_second(one.second)


def _renewal_checks(site: Site, one: probe_certificates.SiteFacts) -> Iterator[Check]:
    """Yield the check of how certbot renews the certificate, unless that is none of its tasks."""
    there = one.certificate.held
    if there.own is None and there.source in {Source.IMPORTED, Source.LOCAL}:
        return
    if there.on_disk is None:
        yield from skipped([judged_renewal.FILE], "no certificate is issued", site.name)
    elif there.own is None or there.own.gone or there.own.certificate is None or one.renewal is None:
        yield from skipped([judged_renewal.FILE], "certbot has no certificate for the site", site.name)
    else:
        yield judged_renewal.judge_renewal(one.renewal)


def _why_not_issued(site: Site, earlier: Sequence[Check]) -> str | None:
    """Return why the first certificate was not issued, if an earlier check reports the cause."""
    wrong = [check for check in found_wrong(earlier, _IN_THE_WAY) if check.subject in {None, *site.domains}]
    return f"no certificate is issued, because {wrong[0].name} fails" if wrong else None


def unused_checks(inputs: DoctorInputs) -> Iterator[Check]:
    """Yield a check of each certificate that no site uses: certbot's loop goes on renewing it."""
    if inputs.stack is None:
        return
    sites = inputs.stack.sites
    try:
        shelf = inputs.context.directory.shelf([site.name for site in sites], inputs.context.now())
    except StackctlError:
        return
    for one in unused_lineages(shelf, sites):
        text = "no site uses it, and it is renewed until its name no longer resolves to this host"
        name = site_of_file(one.name)
        yield unknown("cert-unused", text, f"run 'stackctl cert retire {name}', which deletes it", name)
