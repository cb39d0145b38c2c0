"""``stackctl doctor``: runs every check, and reports the first failure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from stackctl.adapters.trust_stores import TrustStores
from stackctl.certs.held import held, owned
from stackctl.certs.policy import refused
from stackctl.diagnose.certbot import CertbotFacts, judge_certbot
from stackctl.diagnose.check import Check, Section, found_wrong, skipped, unknown
from stackctl.diagnose.clients import judge_client_files
from stackctl.diagnose.dns import ProbeFile, judge_challenge, judge_limits, judge_name
from stackctl.diagnose.edge import judge_edge
from stackctl.diagnose.firewall import judge_system
from stackctl.diagnose.host import HostFacts, judge_host
from stackctl.diagnose.http3 import judge_http3
from stackctl.diagnose.local_ca import judge_local_ca
from stackctl.diagnose.permissions import judge_tree
from stackctl.engine.context import Context
from stackctl.engine.probe import host as probe
from stackctl.engine.probe.certbot import certbot
from stackctl.engine.probe.dns import Target, look_up
from stackctl.engine.probe.edge import edge_facts, system_facts
from stackctl.engine.probe.permissions import permission_facts
from stackctl.engine.probe.probe_file import placed_probe_file
from stackctl.errors import ExitCode, StackctlError
from stackctl.model.acme import LETSENCRYPT
from stackctl.model.endpoints import HTTP_PORT
from stackctl.model.layout import MARKER_HOST
from stackctl.model.routing import Site
from stackctl.model.values import Domain
from stackctl.observed.network import CaDirectory, Fetched, Reach
from stackctl.observed.reply import ClientRequest
from stackctl.usecases.doctor.dns_checks import BY_DNS, names_by_dns, with_records
from stackctl.usecases.doctor.inputs import DoctorInputs, collect_inputs
from stackctl.usecases.doctor.site_checks import app_checks, certificate_checks, unused_checks
from stackctl.usecases.doctor.stream_checks import stream_checks
from stackctl.usecases.result import Result
from stackctl.usecases.unreadable import unreadable_files

T = TypeVar("T")

_PREREQUISITES = {
    "engine": "the engine does not respond",
    "compose": "Docker Compose is not usable",
    "compose-file": "the Compose file is invalid",
    "http-port": "another program holds the proxy's port",
    "https-port": "another program holds the proxy's port",
    "proxy": "the proxy does not respond correctly",
    "webroot": "the proxy cannot read the challenge directory",
    "challenge": "the proxy does not serve challenges",
}
"""Host checks that requests from outside depend on, and the reason to give for skipping those requests."""


@dataclass(frozen=True, slots=True)
class DoctorReport:
    """Every check, and the first that failed."""

    sections: tuple[Section, ...]
    first: Check | None


def doctor(context: Context, only: Sequence[Domain] = ()) -> Result[DoctorReport]:
    """Run every check in the order of their dependencies; ``only`` limits them to those domains."""
    inputs = collect_inputs(context)
    stack = inputs.stack
    directory = stack.acme.directory if stack else LETSENCRYPT
    asked = inputs.asks_ca
    ca = context.network.ca_directory(directory, context.directory.ca_bundle()) if asked else CaDirectory(directory)
    checks = _host_checks(inputs, ca if asked else None)
    sections = _name_sections(inputs, ca, checks, only)
    sections = [Section("host", tuple(checks)), *sections]
    if inputs.has_local_ca:
        roots = TrustStores().system_bundle()
        shown = judge_local_ca(context.directory.local_ca(context.now()), roots, context.now())
        sections.append(Section("local-ca", tuple(shown)))
    if inputs.file.name is not None:
        sections.append(Section("certbot", tuple(_certbot_checks(inputs, checks))))
        sites = [site for site in inputs.sites if not only or set(only) & set(site.domains)]
        if inputs.stack is not None and inputs.containers is not None:
            facts = edge_facts(context, inputs.stack, sites, inputs.containers)
            found = [*judge_edge(facts), *judge_system(system_facts(context, inputs.stack))]
            sections += [Section("edge", tuple(found))] if found else []
        earlier = [check for section in sections for check in section.checks]
        if sites:
            sections.append(Section("apps", tuple(app_checks(inputs, sites))))
        if not only and (streams := tuple(stream_checks(inputs))):
            sections.append(Section("streams", streams))
        unused = () if only else unused_checks(inputs)
        # Where TLS ends in front of the proxy, no site is served with a certificate of this stack.
        secured = () if inputs.stack is not None and inputs.stack.proxy.https is None else sites
        sections.append(Section("certificates", (*certificate_checks(inputs, secured, earlier), *unused)))
    return _result(sections)


def _result(sections: Sequence[Section]) -> Result[DoctorReport]:
    broken = found_wrong([check for section in sections for check in section.checks])
    report = DoctorReport(tuple(sections), broken[0] if broken else None)
    return Result("doctor", report, found=ExitCode.FAILED if broken else ExitCode.OK)


def _host_checks(inputs: DoctorInputs, ca: CaDirectory | None) -> list[Check]:
    context, stack, containers, project = inputs.context, inputs.stack, inputs.containers, inputs.project
    version = inputs.engine_version
    looked = stack is not None and containers is not None
    facts = HostFacts(
        engine=inputs.engine,
        compose=inputs.compose,
        file=inputs.file,
        images=probe.images(context, project) if project and looked else None,
        ports=probe.ports(context, stack.proxy, containers) if stack and containers is not None else (),
        proxy=probe.proxy(context, stack, containers) if stack and containers is not None else None,
        disks=probe.disks(context.directory.root, version.root if version else None),
        ca=ca,
    )
    checks = judge_host(facts)
    if stack is not None and stack.http3 is not None and not found_wrong(checks, ["proxy"]):
        answers = context.wire.speaks_quic(stack.http3.at)
        checks.append(judge_http3(stack.http3, next((site.name for site in inputs.sites), None), answers=answers))
    if stack is not None:
        checks += judge_client_files(stack, context.now())
    if inputs.file.name is None:
        return checks
    unread = _or_none(lambda: unreadable_files(context, stack)) if stack else None
    rootless = version is not None and version.rootless
    facts_of_tree = permission_facts(context.directory.root, context.now(), unread or (), rootless=rootless)
    return [*checks, *judge_tree(facts_of_tree)]


def _name_sections(inputs: DoctorInputs, ca: CaDirectory, checks: list[Check], only: Sequence[Domain]) -> list[Section]:
    """Return a section for each site, and for each domain in ``only`` that is not routed.

    The check of the challenge path is added to ``checks``.
    """
    context, stack = inputs.context, inputs.stack
    groups = _groups(inputs, only)
    names = [name for group in groups for name in group]
    broken = found_wrong(checks, _PREREQUISITES)
    if stack is None or inputs.containers is None or broken:
        because = _PREREQUISITES[broken[0].name] if broken else inputs.broken or ""
        if inputs.file.name is not None and inputs.asks_ca:
            checks += skipped(("challenge",), because)
        target = Target(ca, because, stack.proxy.http.at if stack else None)
        facts = look_up(context.network, names, target)
    elif not inputs.asks_ca and not names:
        return []
    else:
        with placed_probe_file(context, inputs.containers, stack.certbot) as probe_file:
            http, generation = (
                stack.proxy.http.at,
                context.delivery(context.proxy_of(stack).layout).published(),
            )
            checks.append(_challenge(inputs, probe_file))
            available = probe_file if not found_wrong(checks, ["challenge"]) else _PREREQUISITES["challenge"]
            target = Target(ca, available, http, generation, unfetched=dict.fromkeys(names_by_dns(inputs), BY_DNS))
            facts = look_up(context.network, names, target)
    judged = with_records(inputs, {one.name: judge_name(one) for one in facts}, ca, names_by_dns(inputs))
    records = _LimitChecks(context, inputs.sites)
    return [
        Section(group[0], (*(check for name in group for check in judged[name]), records.limits(inputs, group, ca)))
        for group in groups
    ]


def _groups(inputs: DoctorInputs, only: Sequence[Domain]) -> list[tuple[Domain, ...]]:
    """Return the domains to check, grouped by certificate."""
    sites = [site for site in inputs.sites if not site.local]  # the stack's own CA does not validate names
    if not only:
        return [site.domains for site in sites]
    wanted = dict.fromkeys(only)
    routed = [tuple(name for name in site.domains if name in wanted) for site in sites]
    known = {name for site in inputs.sites for name in site.domains}
    return [*filter(None, routed), *((name,) for name in wanted if name not in known)]


def _challenge(inputs: DoctorInputs, probe_file: ProbeFile | str) -> Check:
    assert inputs.stack is not None  # otherwise there is no probe file
    if isinstance(probe_file, str):
        return unknown("challenge", probe_file, "run doctor as root, or as the user who created the stack")
    at = inputs.stack.proxy.http.at
    if not at.framed:
        return judge_challenge(probe_file, inputs.context.network.fetch(*at.probe, MARKER_HOST, probe_file.path), at)
    request = ClientRequest(MARKER_HOST, HTTP_PORT, tls=False, path=probe_file.path)
    answer = inputs.context.wire.answer(at, request)
    reach = Reach.BROKEN if answer.status is None else Reach.ANSWERED
    return judge_challenge(probe_file, Fetched(at.probe[0], reach, answer.status, answer.body), at)


class _LimitChecks:
    """The ledger and the certificates, each read once; None if it cannot be read."""

    def __init__(self, context: Context, sites: Sequence[Site]) -> None:
        self._now = context.now()
        self._ledger = _or_none(context.directory.ledger)
        self._shelf = _or_none(lambda: context.directory.shelf((site.name for site in sites), self._now))

    def limits(self, inputs: DoctorInputs, group: tuple[Domain, ...], ca: CaDirectory) -> Check:
        """Check the CA's rate limits for the certificate that ``group`` belongs to."""
        if self._ledger is None:
            return unknown(
                "limits", "the ledger cannot be read", "run doctor as the user who created the stack", group[0]
            )
        site = next((site for site in inputs.sites if group[0] in site.domains), None)
        names: Sequence[Domain] = site.domains if site else group
        rule = refused(ca.url, names, inputs.stack.acme.profile if inputs.stack else None)
        refusal = self._ledger.refusal(ca.url, names, self._now)
        return judge_limits(group[0], rule, refusal, needed=self._needed(site, group[0]))

    def _needed(self, site: Site | None, name: Domain) -> bool:
        """Return whether a certificate would have to be issued; for a name that is not routed, if it has none."""
        if self._shelf is None:
            return False
        there = held(site, self._shelf) if site else owned(name, name, self._shelf)
        certificate = None if there is None or there.problem else there.certificate
        return there is None or not there.real or certificate is None or certificate.due(self._now)


def _or_none(read: Callable[[], T]) -> T | None:
    try:
        return read()
    except StackctlError:
        return None


def _certbot_checks(inputs: DoctorInputs, checks: Sequence[Check]) -> list[Check]:
    if inputs.stack is None or inputs.containers is None:
        return skipped(("certbot", "certbot-dns", "certbot-route"), inputs.broken or "")
    if not inputs.asks_ca:
        found = inputs.containers.of(inputs.stack.certbot)
        state = found[0].state if found else None
        return judge_certbot(CertbotFacts(inputs.stack.certbot, "", "", state, exec_problem=""))[:1]
    facts = certbot(inputs.context, inputs.stack, inputs.containers)
    return judge_certbot(facts, clock_wrong=bool(found_wrong(checks, ["clock"])))
