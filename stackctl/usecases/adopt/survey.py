"""Surveys a foreign stack for ``stackctl adopt``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from stackctl.adapters.nginx_reader import ContainerFiles
from stackctl.adopt.compose_edit import adopted
from stackctl.adopt.compose_layouts import Layout
from stackctl.adopt.nginx_proxy import contact_in
from stackctl.adopt.proposal import Handling, Proposal, Remark
from stackctl.certs.renewal import parse_renewal
from stackctl.engine.adopt.foreign import Foreign, container_addresses, inspect_foreign
from stackctl.engine.adopt.haproxy import read_old_haproxy
from stackctl.engine.adopt.inside import inside_of
from stackctl.engine.adopt.nginx import read_old_nginx
from stackctl.engine.adopt.old_files import old_files
from stackctl.engine.adopt.proxy_image import find_layout
from stackctl.engine.adopt.renewers import old_renewers
from stackctl.engine.context import Context
from stackctl.engine.probe.observe import proxy_program
from stackctl.errors import EngineError, InputError
from stackctl.model import values
from stackctl.model.acme import CA_NAMES
from stackctl.model.layout import CERTBOT_CONF
from stackctl.model.project import Project
from stackctl.model.routing import Site
from stackctl.proxies.proxy import Proxy
from stackctl.proxies.registry import DEFAULT
from stackctl.stackfile.document import Document
from stackctl.stackfile.read import read_sites
from stackctl.stackfile.services import Value
from stackctl.usecases.adopt.adoption import Adoption, AdoptOptions, OldConfiguration, planned
from stackctl.usecases.adopt.from_haproxy import read_haproxy, read_own_haproxy
from stackctl.usecases.adopt.from_nginx import read_nginx
from stackctl.usecases.adopt.imports import with_copies, with_imports
from stackctl.usecases.converge import load, open_document, published, resolve


def prepare(context: Context, options: AdoptOptions) -> Adoption:
    """Survey the stack in the directory, and plan its adoption; nothing is changed.

    Raises:
        InputError: the directory has no stack to adopt, or its configuration has a mistake.
        ProxyRejected: the proxy's configuration cannot be read.
    """
    doc = open_document(context)
    project, written = resolve(context, doc)
    layout = find_layout(context, project)
    with inside_of(context, project, layout.proxy) as inside, TemporaryDirectory() as copied:
        files = ContainerFiles(context.directory.root, layout.proxy, inside)
        foreign = Foreign(layout, files, inside)
        survey = _haproxy if layout.program == "haproxy" else _nginx
        foreign, image, old_proxy = survey(context, project, foreign, options, Path(copied))
        return _planned(context, doc, written, project, foreign, image, old_proxy, options)


def _nginx(
    context: Context, project: Project, foreign: Foreign, options: AdoptOptions, scratch: Path
) -> tuple[Foreign, str, OldConfiguration]:
    """Return the facts of a stack of nginx, the image of its new proxy, and what its configuration means."""
    layout = foreign.layout
    nginx = read_old_nginx(foreign.files, layout, container_addresses(context, project))
    foreign = replace(foreign, remarks=nginx.remarks)
    foreign = inspect_foreign(context, project, foreign, options.letsencrypt, scratch, nginx.trees)
    is_other = layout.nginx_proxy and "nginx-proxy" in (layout.proxy.image or "")
    image, version = _image(context, layout, None if is_other else layout.proxy.image, options)
    old = old_files(context, layout.proxy, foreign.inside, image, layout.configuration)
    return foreign, image, read_nginx(context, project, foreign, nginx, version, old)


def _haproxy(
    context: Context, project: Project, foreign: Foreign, options: AdoptOptions, scratch: Path
) -> tuple[Foreign, str, OldConfiguration]:
    """Return the facts of a stack of HAProxy, the image of its new proxy, and what its configuration means."""
    layout = foreign.layout
    if foreign.files.is_stackctls:
        foreign = inspect_foreign(context, project, foreign, options.letsencrypt, scratch, (CERTBOT_CONF.mount,))
        image, _ = _image(context, layout, layout.proxy.image, options)
        return foreign, image, read_own_haproxy(context, project)
    haproxy = read_old_haproxy(context, project, layout.proxy, foreign.files, foreign.inside)
    foreign = replace(foreign, remarks=haproxy.remarks)
    foreign = inspect_foreign(context, project, foreign, options.letsencrypt, scratch, (CERTBOT_CONF.mount,))
    image, _ = _image(context, layout, layout.proxy.image, options)
    old = old_files(context, layout.proxy, foreign.inside, image, layout.configuration)
    return foreign, image, read_haproxy(context, project, foreign, haproxy, old)


def _planned(  # noqa: PLR0913  (the file, as written and as resolved, and what is known of the stack)
    context: Context,
    doc: Document,
    written: Document,
    project: Project,
    foreign: Foreign,
    image: str,
    old_proxy: OldConfiguration,
    options: AdoptOptions,
) -> Adoption:
    """Plan the adoption of a stack whose facts are known."""
    proxy = context.proxies[foreign.layout.program]
    images = {"certbot": options.certbot_image} if options.certbot_image else {}
    if image != foreign.layout.proxy.image:
        images["proxy"] = image
    proposal = with_copies(old_proxy.proposal, foreign, proxy.layout.custom)
    proposal, imports = with_imports(context, foreign, proposal)
    old = (*foreign.remarks, *old_renewers(context, project, foreign))
    proposal = replace(proposal, remarks=(*old, *proposal.remarks))
    proposal = _left(proposal, foreign, old_proxy.served, read_sites(written))
    settings = _settings(foreign, project, options)
    changed = adopted(doc, proxy, foreign.layout, proposal, settings, images, context.directory.base)
    loaded = published(context, load(context, changed, doc.text))
    return planned(context, foreign, replace(old_proxy, proposal=proposal), imports, loaded, doc.text, options)


def _image(context: Context, layout: Layout, there: str | None, options: AdoptOptions) -> tuple[str, tuple[int, ...]]:
    """Return the image of the new proxy, and its version."""
    proxy = context.proxies[layout.program]
    image = options.proxy_image or there or proxy.default_image
    return image, _version(context, proxy, image, options)


def _left(proposal: Proposal, foreign: Foreign, served: Collection[str], routed: Collection[Site]) -> Proposal:
    """Return the proposal without the sites that stackctl already manages."""
    known = {name for site in routed for name in site.domains}
    proposal = replace(proposal, sites=tuple(site for site in proposal.sites if not known & set(site.domains)))
    if not foreign.files.is_stackctls:
        return proposal
    # All else in these files is stackctl's own, and is written again; rules are there as they were rendered.
    plain = known.union(name for site in proposal.sites if not site.custom + site.location for name in site.domains)
    missing = dict.fromkeys(name for name in served if name not in plain)
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
        if options.proxy_image is not None or context.images.image_id(image) is None:
            raise
        raise InputError(
            f"the proxy's image {image} cannot be kept: {error.message}",
            hint=f"choose a newer one: 'stackctl adopt --proxy-image {proxy.default_image}'",
        ) from error


def _settings(foreign: Foreign, project: Project, options: AdoptOptions) -> dict[str, Value]:
    """Return the keys of the top-level x-stackctl that the old stack determines."""
    renewals = [parse_renewal(text) for text in foreign.renewals.values()]
    settings: dict[str, Value] = {} if foreign.layout.program == DEFAULT else {"proxy": foreign.layout.program}
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
