"""Foreign nginx configurations, ``tests/golden/adopt/NAME.conf``, and their proposals."""

from __future__ import annotations

from pathlib import Path

from stackctl.adopt.nginx_conf import read_conf
from stackctl.adopt.proposal import Proposal
from stackctl.adopt.reading import read_proposal
from stackctl.certs.held import held
from stackctl.certs.lineage import Certificate
from stackctl.certs.shelf import Shelf
from stackctl.model.routing import Site, everything_to
from stackctl.proxies.nginx.proxy import Nginx
from stackctl.proxies.nginx.reader import parse
from stackctl.proxies.sites import Rendering, site_tls
from tests.unit.build import GOLDEN, certificate, lineage, project, service, stack, whole

FOLDER = GOLDEN / "adopt"
FRAGMENTS = sorted(FOLDER.glob("*.conf"))
NAME = "app1.example.com"
VERSION = (1, 30, 4)
CERTIFICATES: dict[str, Certificate] = {NAME: certificate(NAME, f"www.{NAME}")}


def proposal_of(text: str, file: str = "x.conf", *, resolves: bool = True) -> Proposal:
    """Return the proposal for a configuration, in a project of two apps and a PHP."""
    there = project(service("app1"), service("app2"), service("php"), service("db"))
    return read_proposal(read_conf(parse(text.encode(), file)), there, CERTIFICATES, resolves=resolves)


def rendered(proposal: Proposal) -> str:
    """Return a proposal as text, to compare."""
    lines = []
    for site in proposal.sites:
        certificate_of = site.lineage or site.imported or "-"
        keys = ", ".join(f"{key}: {value}" for key, value in site.tuning.items())
        lines.append(f"{' '.join(site.domains)} -> {site.server} [{certificate_of}] ({site.at}) {keys}".rstrip())
    lines += [f"all: {key}: {value}" for key, value in proposal.tuning.items()]
    for name, content in sorted(proposal.custom.items()):
        lines += [f"--- custom/{name}", content.decode().rstrip("\n")]
    lines += [f"--- custom/{name} is {path}" for name, path in sorted(proposal.copies.items())]
    lines += ["--- remarks"] if proposal.remarks else []
    lines += [f"{remark.handling}: {remark.line}" for remark in dict.fromkeys(proposal.remarks)]
    return "\n".join(lines) + "\n"


def files_of(path: Path) -> dict[str, bytes]:
    """Return all files that nginx would run with after an adoption."""
    proposal = proposal_of(path.read_text(), path.name)
    servers = [(site, site.server) for site in proposal.sites if site.server is not None]
    sites = [Site(site.domains, everything_to(server), certificate=site.lineage) for site, server in servers]
    made = stack(*sites)
    nginx = Nginx()
    rendering = Rendering(nginx, VERSION, proposal.custom)
    own = lineage(*CERTIFICATES[NAME].names, name=NAME)
    tls = {
        site.name: site_tls(site, held(site, Shelf({site.lineage: own} if site.certificate else {}))) for site in sites
    }
    return whole(rendering, made, tls) | {nginx.layout.marker: nginx.marker("0123456789abcdef")}
