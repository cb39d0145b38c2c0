"""What the nginx of a foreign stack means, whichever tool made it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from stackctl.adopt.comparison import probes
from stackctl.adopt.config_changes import config_changes
from stackctl.adopt.kept_files import OldFiles, lineage_of
from stackctl.adopt.nginx_conf import NginxConf, is_challenge, read_conf
from stackctl.adopt.nginx_proxy import VHOSTS, ProxyContext, read_variables, virtual_hosts
from stackctl.adopt.proposal import Proposal
from stackctl.adopt.reading import read_proposal
from stackctl.adopt.streams import PassedOn, without_streams
from stackctl.adopt.virtual_paths import generated_routes
from stackctl.certs.lineage import Certificate, read_certificate
from stackctl.engine.adopt.foreign import Foreign
from stackctl.engine.adopt.nginx import OldNginx
from stackctl.engine.context import Context
from stackctl.model.endpoints import HTTP_PORT
from stackctl.model.project import Project, Service
from stackctl.plan.operation import Plan
from stackctl.plan.operations import StageFiles
from stackctl.proxies.nginx.capabilities import Capabilities
from stackctl.proxies.nginx.layout import NGINX
from stackctl.proxies.nginx.reader import LiveTree, parse
from stackctl.proxies.nginx.streams import SITES_SOCKET
from stackctl.proxies.proxy import Version
from stackctl.usecases.adopt.adoption import OldConfiguration
from stackctl.usecases.app_port import candidate_ports


def read_nginx(  # noqa: PLR0913  (the old stack, and what is known of it)
    context: Context, project: Project, foreign: Foreign, nginx: OldNginx, version: Version, old: OldFiles
) -> OldConfiguration:
    """Return what the configuration of a foreign nginx means for one of ``version``."""
    resolves = Capabilities.of(version).upstream_resolve
    proposal = _proposal(context, project, foreign, nginx, resolves=resolves, old=old)
    proposal = replace(proposal, streams=nginx.streams)
    found, skipped = probes(nginx.conf)
    return OldConfiguration(
        proposal,
        found,
        skipped,
        tuple(dict.fromkeys(name for server in nginx.conf.servers for name in server.domains)),
        lambda plan, proposal: config_changes(nginx.conf, _staged(plan), proposal),
    )


def _staged(plan: Plan) -> NginxConf:
    """Return the configuration that the plan stages, with its includes in their places."""
    files: dict[str, bytes] = {}
    for operation in plan.operations:
        if isinstance(operation, StageFiles):
            files |= operation.files
    # Where streams share their port, the sites listen on a socket.
    inside = PassedOn(inner=frozenset({f"unix:{SITES_SOCKET}"}))
    return read_conf(without_streams(LiveTree(files, NGINX.mount, str, "").directives(), inside))


def _proposal(  # noqa: PLR0913  (the old stack, and what is known of it)
    context: Context, project: Project, foreign: Foreign, nginx: OldNginx, *, resolves: bool, old: OldFiles
) -> Proposal:
    """Return the proposal for a foreign stack.

    What nginx-proxy generated in its running container says all that is in force. The variables of services say the
    rest: of those that do not run, and of all if the proxy does not.
    """
    conf = nginx.conf
    certificates = _certificates(foreign, conf)
    if not foreign.layout.nginx_proxy:
        return read_proposal(conf, project, certificates, resolves=resolves, old=old)
    around = _around(context, foreign, project)
    if not foreign.files.in_force or not any(server.domains for server in conf.servers):
        return read_variables(conf, project, around, resolves=resolves, old=old)
    rest_of, routes = generated_routes(conf, project, around.port_of)
    generated = routes.added(read_proposal(rest_of, project, certificates, resolves=resolves, old=old))
    if generated is None:  # a server that is kept keeps its locations
        generated = read_proposal(conf, project, certificates, resolves=resolves, old=old)
    there = {name for server in conf.servers for name in server.names}
    rest = {
        name: service
        for name, service in project.services.items()
        if any(host.lower() not in there for host in virtual_hosts(service))
    }
    if not rest:
        return generated
    missing = read_variables(
        replace(conf, settings=(), main=()), replace(project, services=rest), around, resolves=resolves, old=old
    )
    return Proposal(
        sites=(*generated.sites, *missing.sites),
        routes=(*generated.routes, *missing.routes),
        tuning=generated.tuning,
        http="\n".join(filter(None, (generated.http, missing.http))),
        copies={**generated.copies, **missing.copies},
        folders={**generated.folders, **missing.folders},
        remarks=(*generated.remarks, *missing.remarks),
    )


def _certificates(foreign: Foreign, conf: NginxConf) -> dict[str, Certificate]:
    """Return the certificates of the old stack: certbot's by lineage, others by their path."""
    found = {name: one.certificate for name, one in foreign.lineages.items() if one.certificate}
    for path in {server.certificate for server in conf.servers if server.certificate}:
        read = foreign.files.read(path) if lineage_of(path) is None else None
        if read is not None:
            with suppress(ValueError):  # it is no certificate
                found[path] = read_certificate(read[1])
    return found


def _around(context: Context, foreign: Foreign, project: Project) -> ProxyContext:
    """Collect what nginx-proxy's variables refer to."""
    hosts = {host for service in project.services.values() for host in virtual_hosts(service)}
    vhosts = {}
    for name in (*hosts, *(f"{host}_location" for host in hosts)):
        found = foreign.files.read(f"{VHOSTS}/{name}")
        if found is not None:
            vhosts[name] = tuple(one for one in parse(found[1], found[0]) if not is_challenge(one))

    def port_of(service: Service) -> int:
        ports = candidate_ports(context, service, service.image)
        return ports[0] if len(ports) == 1 else HTTP_PORT

    return ProxyContext(port_of, lambda path: foreign.files.read(path) is not None, vhosts)
