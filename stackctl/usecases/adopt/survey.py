"""Surveys a foreign stack for ``stackctl adopt``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from stackctl.adopt.compose_edit import adopted
from stackctl.adopt.nginx_proxy import contact_in
from stackctl.adopt.proposal import Handling, Proposal, ProposedSite, Remark
from stackctl.certs.given.pair import GivenPair, make_pair, refuse_uncovered
from stackctl.certs.given.parts import GivenFile, read_parts
from stackctl.certs.lineage import read_lineage
from stackctl.certs.renewal import parse_renewal
from stackctl.certs.shelf import Source
from stackctl.engine.adopt.foreign import Foreign, inspect_foreign
from stackctl.engine.adopt.inside import inside_of
from stackctl.engine.adopt.old_files import old_files
from stackctl.engine.adopt.proxy_image import find_haproxy, find_layout
from stackctl.engine.context import Context
from stackctl.engine.probe.observe import proxy_program
from stackctl.errors import EngineError, InputError
from stackctl.model import values
from stackctl.model.acme import CA_NAMES
from stackctl.model.imported import certificate_path
from stackctl.model.project import Project
from stackctl.model.routing import Site
from stackctl.model.wildcards import is_wildcard
from stackctl.plan.adopt import (
    ImportCertificate,
)
from stackctl.proxies.nginx.capabilities import Capabilities
from stackctl.proxies.proxy import Proxy
from stackctl.proxies.registry import DEFAULT
from stackctl.stackfile.document import Document
from stackctl.stackfile.read import read_sites
from stackctl.usecases.adopt.adoption import Adoption, AdoptOptions, planned
from stackctl.usecases.adopt.from_haproxy import refused
from stackctl.usecases.adopt.proposals import read_foreign, with_copies
from stackctl.usecases.converge import load, open_document, published, resolve


def prepare(context: Context, options: AdoptOptions) -> Adoption:
    """Survey the stack in the directory, and plan its adoption; nothing is changed.

    Raises:
        InputError: the directory has no stack to adopt, or HAProxy is its proxy.
        ProxyRejected: the proxy's configuration cannot be read.
    """
    doc = open_document(context)
    project, written = resolve(context, doc)
    if (other := find_haproxy(context, project)) is not None:
        raise refused(context, project, other)
    layout = find_layout(context, project)
    with inside_of(context, project, layout.proxy) as inside, TemporaryDirectory() as copied:
        foreign = inspect_foreign(context, project, layout, inside, options.letsencrypt, Path(copied))
        return _planned(context, doc, written, project, foreign, options)


def _planned(  # noqa: PLR0913  (the file, as written and as resolved)
    context: Context, doc: Document, written: Document, project: Project, foreign: Foreign, options: AdoptOptions
) -> Adoption:
    """Plan the adoption of a stack whose facts are known."""
    proxy = context.proxies[DEFAULT]
    is_other = foreign.layout.nginx_proxy and "nginx-proxy" in (foreign.layout.proxy.image or "")
    there = None if is_other else foreign.layout.proxy.image
    image = options.nginx_image or there or proxy.default_image
    images = {"certbot": options.certbot_image} if options.certbot_image else {}
    version = _version(context, proxy, image, options)
    if image != foreign.layout.proxy.image:
        images["proxy"] = image
    resolves = Capabilities.of(version).upstream_resolve
    old = old_files(context, foreign.layout.proxy, foreign.inside, image)
    proposal = with_copies(read_foreign(context, project, foreign, resolves=resolves, old=old), foreign)
    proposal = replace(proposal, streams=foreign.streams)
    proposal, imports = _imports(context, foreign, proposal)
    proposal = _left(replace(proposal, remarks=(*foreign.remarks, *proposal.remarks)), foreign, read_sites(written))
    settings = _settings(foreign, project, options)
    changed = adopted(doc, proxy, foreign.layout, proposal, settings, images, context.directory.base)
    loaded = published(context, load(context, changed, doc.text))
    return planned(context, foreign, proposal, imports, loaded, doc.text, options)


def _imports(context: Context, foreign: Foreign, proposal: Proposal) -> tuple[Proposal, tuple[ImportCertificate, ...]]:
    """Import the certificates that certbot does not manage, and say so in the Compose file where they do for the site.

    The key ``certificate`` names the files if they are in the stack's directory, as the user replaces them there. One
    that cannot be imported as it is, such as one without its intermediate, is served as before until it is due.
    """
    found: list[ImportCertificate] = []
    remarks: list[Remark] = []
    sites: list[ProposedSite] = []
    for site in proposal.sites:
        sites.append(site)
        if site.imported is None or site.imported_key is None or foreign.files.is_stackctls:
            continue
        chain, key = foreign.files.read(site.imported), foreign.files.read(site.imported_key)
        lineage = read_lineage(site.name, chain and chain[1], key and key[1], None)
        if chain is None or key is None or not lineage.usable:
            remarks.append(Remark(Handling.UNSUPPORTED, f"the certificate {site.imported}: {lineage.problem}", site.at))
            continue
        pair = _pair(site, chain, key, context.now())
        if pair is None:
            cause = "certbot does not manage it; it is served until it is due"
            found.append(ImportCertificate(site=site.name, chain=chain[1], key=key[1], cause=cause, scope=site.name))
            continue
        value = _named(context.directory.root, foreign, site)
        cause = f"certbot does not manage it: 'certificate: {value}'"
        found.append(
            ImportCertificate(
                site=site.name, chain=pair.chain, key=pair.key, source=Source.IMPORTED, cause=cause, scope=site.name
            )
        )
        sites[-1] = replace(site, certificate=value)
    return replace(proposal, sites=tuple(sites), remarks=(*proposal.remarks, *remarks)), tuple(found)


def _pair(site: ProposedSite, chain: tuple[str, bytes], key: tuple[str, bytes], now: datetime) -> GivenPair | None:
    """Return the certificate of a site as an import has it; None for one that would be refused."""
    if is_wildcard(site.name):
        return None
    try:
        pair = make_pair(read_parts([GivenFile(*chain), GivenFile(*key)], _no_passphrase), now)
        refuse_uncovered(pair, site.domains, site.name)
    except InputError:
        return None
    return pair


def _no_passphrase(name: str) -> bytes:
    raise InputError("the private key is encrypted", where=name)


def _named(root: Path, foreign: Foreign, site: ProposedSite) -> str:
    """Return the value of the key ``certificate``: the files, if both are in the stack's directory, or its own name."""
    paths = [foreign.files.on_host(path) for path in (site.imported, site.imported_key) if path is not None]
    try:
        file, key = (certificate_path(str(path.relative_to(root))) for path in paths if path is not None)
    except (ValueError, InputError):
        return f'{{imported: "{site.name}", fallback: acme}}'
    return f'{{file: "{file}", key: "{key}", fallback: acme}}'


def _left(proposal: Proposal, foreign: Foreign, routed: Collection[Site]) -> Proposal:
    """Return the proposal without the sites that stackctl already manages."""
    known = {name for site in routed for name in site.domains}
    proposal = replace(proposal, sites=tuple(site for site in proposal.sites if not known & set(site.domains)))
    if not foreign.files.is_stackctls:
        return proposal
    # All else in these files is stackctl's own, and is written again; rules are there as they were rendered.
    plain = known.union(name for site in proposal.sites if not site.custom + site.location for name in site.domains)
    missing = dict.fromkeys(name for server in foreign.conf.servers for name in server.domains if name not in plain)
    text = "its routes cannot be read back from what is served: 'stackctl rollback' restores a Compose file with them"
    remarks = tuple(Remark(Handling.UNSUPPORTED, f"{name}: {text}") for name in missing)
    sites = tuple(replace(site, imported=None, custom="", location="") for site in proposal.sites)
    return replace(proposal, sites=sites, remarks=remarks)


def _version(context: Context, proxy: Proxy, image: str, options: AdoptOptions) -> tuple[int, ...]:
    """Return the version of the new proxy.

    Raises:
        InputError: the old proxy's image is kept, and is too old.
    """
    try:
        return proxy_program(context, proxy, image).version
    except EngineError as error:
        if options.nginx_image is not None or context.images.image_id(image) is None:
            raise
        raise InputError(
            f"the proxy's image {image} cannot be kept: {error.message}",
            hint=f"choose a newer one: 'stackctl adopt --nginx-image {proxy.default_image}'",
        ) from error


def _settings(foreign: Foreign, project: Project, options: AdoptOptions) -> dict[str, str | int | bool]:
    """Return the keys of the top-level x-stackctl that the old stack determines."""
    renewals = [parse_renewal(text) for text in foreign.renewals.values()]
    settings: dict[str, str | int | bool] = {}
    email = options.email or foreign.contact or contact_in(project)
    if email is not None:
        settings["email"] = values.email(email)
    settings["agree-tos"] = foreign.has_account or any(
        "LETSENCRYPT_HOST" in one.environment for one in project.services.values()
    )
    servers = Counter(one.server for one in renewals if one.server)
    if servers:
        server = servers.most_common(1)[0][0]
        settings["ca"] = next((name for name, url in CA_NAMES.items() if url == server), server)
    # A file without the key is older than certbot's ECDSA.
    kinds = {one.parameters.get("key_type", "rsa") for one in renewals}
    if kinds == {"rsa"}:
        settings["key-type"] = "rsa"
        sizes = {one.parameters.get("rsa_key_size", "2048") for one in renewals}
        if biggest := max(sizes & {"3072", "4096"}, default=None):
            settings["rsa-key-size"] = int(biggest)
    return settings
