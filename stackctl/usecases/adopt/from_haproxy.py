"""What the HAProxy of a foreign stack means."""

from __future__ import annotations

from dataclasses import replace

from stackctl.adopt.haproxy.own import names_of, read_own
from stackctl.adopt.haproxy.probing import probes_of
from stackctl.adopt.haproxy.reading import OldProxy, read_proposal
from stackctl.adopt.kept_files import OldFiles
from stackctl.adopt.proposal import Handling, Proposal, Remark
from stackctl.engine.adopt.foreign import Foreign, container_addresses
from stackctl.engine.adopt.haproxy import OldHaproxy, old_certificates
from stackctl.engine.context import Context
from stackctl.model.project import Project
from stackctl.proxies.haproxy.layout import LAYOUT
from stackctl.usecases.adopt.adoption import OldConfiguration


def read_haproxy(
    context: Context, project: Project, foreign: Foreign, haproxy: OldHaproxy, old: OldFiles
) -> OldConfiguration:
    """Return what the configuration of a foreign HAProxy means."""

    def read(path: str) -> str | None:
        found = foreign.files.read(path)
        return None if found is None else found[1].decode("utf-8", "replace")

    services = {**container_addresses(context, project), **_by_host(project)}
    certificates = old_certificates(haproxy, foreign.files, foreign.lineages)
    proposal, fronts = read_proposal(OldProxy(haproxy.sections, read, services, old), certificates)
    remarks = [
        Remark(
            Handling.REPLACED,
            f"{one.path} is the certificate of certbot's {one.lineage}, which is served from its tree",
        )
        for one in certificates
        if one.lineage is not None
    ]
    proposal = replace(proposal, remarks=(*remarks, *proposal.remarks))
    found, skipped = probes_of(proposal.sites, fronts, certificates)
    served = tuple(name for site in proposal.sites for name in site.domains)
    return OldConfiguration(proposal, found, skipped, served)


def read_own_haproxy(context: Context, project: Project) -> OldConfiguration:
    """Return what stackctl's own files of HAProxy say, for a Compose file that lost its settings."""
    files = context.delivery(LAYOUT).live()
    return OldConfiguration(Proposal(sites=read_own(files, _by_host(project))), served=names_of(files))


def _by_host(project: Project) -> dict[str, str]:
    """Return the services of a project by their hosts."""
    return {
        host.lower(): service.name for service in project.services.values() for host in (service.name, *service.hosts)
    }
