"""``stackctl add-app``: adds a site."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath

from stackctl.engine.context import Context
from stackctl.errors import InputError, RequestLoop, StackfileError
from stackctl.model.endpoints import Upstream
from stackctl.model.routing import Site
from stackctl.model.values import Domain, ServiceName
from stackctl.plan.intent import Intent
from stackctl.stackfile import edit, services
from stackctl.stackfile.document import Document
from stackctl.stackfile.keys import KEY
from stackctl.stackfile.read import read_sites, service_with_role
from stackctl.usecases.app_port import app_port
from stackctl.usecases.converge import Loaded, converge, interpolated, load, open_document, services_elsewhere
from stackctl.usecases.result import Result


@dataclass(frozen=True, slots=True)
class AddApp:
    """The site to add; None is an option that was not given. ``env_file`` is an absolute path."""

    domain: Domain
    aliases: tuple[Domain, ...] = ()
    service: ServiceName | None = None
    image: str | None = None
    port: int | None = None
    upstream: Upstream | None = None
    env_file: FilePath | None = None
    issue: bool = True
    check: bool = True
    ledger: bool = True


def add_app(context: Context, wanted: AddApp, *, dry_run: bool = False) -> Result[None]:
    """Route a domain: add its service and route, serve it, issue its certificate and verify it.

    Raises:
        InputError: the domain or an alias belongs to another site, or is routed with other options.
        EngineError: the image is not available locally and cannot be pulled; nothing was written.
        IssueFailed: the CA is known to refuse a certificate for the names; nothing was written.
    """
    _refuse_contradicting(wanted)
    doc = open_document(context)
    # Compose resolves only the new text: resolving a large file takes half a second.
    site = _existing(read_sites(interpolated(context, doc)), wanted)
    loaded = _loaded(context, doc, wanted) if site is None else load(context, doc, doc.text)
    if site is not None:
        _refuse_different(loaded, site, wanted)
    focus = frozenset({wanted.domain})
    intent = Intent(focus=focus, issue=wanted.issue, check=wanted.check, strict=True, ledger=wanted.ledger)
    return converge(context, "add-app", loaded, intent, dry_run=dry_run)


def _loaded(context: Context, doc: Document, wanted: AddApp) -> Loaded:
    edited = _edited(context, doc, wanted)
    try:
        return load(context, edited, doc.text)
    except RequestLoop as error:
        if wanted.upstream is None or error.site != wanted.domain:
            raise
        raise InputError(error.message, field="upstream", hint=error.hint) from error


def _refuse_contradicting(wanted: AddApp) -> None:
    if wanted.upstream is not None:
        for field in ("service", "image", "port", "env_file"):
            if getattr(wanted, field) is not None:
                raise InputError("cannot be combined with an upstream outside Compose", field=field)
    if wanted.domain in wanted.aliases or len(set(wanted.aliases)) < len(wanted.aliases):
        raise InputError("the same domain is given twice", field="alias")


def _existing(sites: Collection[Site], wanted: AddApp) -> Site | None:
    """Return the site that already has the domain, or None.

    Raises:
        InputError: a name belongs to another site.
    """
    owners = {name: site for site in sites for name in site.domains}
    for name in (wanted.domain, *wanted.aliases):
        other = owners.get(name)
        if other is not None and other.name != wanted.domain:
            raise InputError(
                f"{name} is already routed by the site {other.name}", where=other.where, hint="remove it there first"
            )
    return owners.get(wanted.domain)


def _refuse_different(loaded: Loaded, site: Site, wanted: AddApp) -> None:
    """Refuse options that contradict the existing site."""
    resolved = [loaded.project.services.get(service) for service in site.services]
    compared: tuple[tuple[str, Sequence[object], Sequence[object]], ...] = (
        ("aliases", site.aliases, wanted.aliases),
        ("service", site.services, _given(wanted.service)),
        ("port", [server.endpoint.port for server in site.servers], _given(wanted.port)),
        ("upstream", [server.upstream for server in site.servers], _given(wanted.upstream)),
        ("image", [service.image for service in resolved if service and service.image], _given(wanted.image)),
    )
    for key, current, requested in compared:
        if requested and set(current) != set(requested):
            raise InputError(
                f"{site.name} is already routed with {key} {_shown(current)}, not {_shown(requested)}",
                where=site.where,
                hint="edit it there and run 'stackctl up'",
            )


def _given(value: object | None) -> tuple[object, ...]:
    return () if value is None else (value,)


def _shown(values: Sequence[object]) -> str:
    return ", ".join(map(str, values)) or "none"


def _edited(context: Context, doc: Document, wanted: AddApp) -> Document:
    names = (wanted.domain, *wanted.aliases)
    if wanted.upstream is not None:
        block = services.outside_block(names, upstream=str(wanted.upstream), service=None, port=None)
        return edit.add_item(doc, (KEY, "apps"), block)
    name = wanted.service or ServiceName(wanted.domain.split(".")[0])
    _refuse_own(context, doc, name)
    if doc.entry(("services", name)) is not None or name in services_elsewhere(context, doc):
        return _with_route(context, doc, name, wanted)
    return _with_new_service(context, doc, name, wanted)


def _refuse_own(context: Context, doc: Document, name: str) -> None:
    own = {service_with_role(doc, role) for role in ("proxy", "certbot")}
    if None in own:  # the role is set in an override file, or the service is missing, which is an error
        stack = load(context, doc, doc.text).stack
        own = {stack.proxy.service, stack.certbot}
    if name in own:
        raise InputError(
            f"{name} is a service of the stack itself",
            field="service",
            hint="choose another name for the app's service",
        )


def _with_new_service(context: Context, doc: Document, name: ServiceName, wanted: AddApp) -> Document:
    env_file = _env_file(context, wanted.env_file)
    image = wanted.image or f"{name.lower()}:latest"
    _fetch(context, image)
    port = wanted.port or app_port(context, name, None, image)
    block = services.app_block(name, image, (wanted.domain, *wanted.aliases), port, env_file)
    return edit.add_entry(doc, ("services",), block)


def _with_route(context: Context, doc: Document, name: ServiceName, wanted: AddApp) -> Document:
    where = doc.where_of(("services", name))
    for field in ("image", "env_file"):
        if getattr(wanted, field) is not None:
            raise InputError(
                f"the service {name} already exists, and add-app does not change its {field.replace('_', ' ')}",
                where=where,
                hint="edit it there",
            )
    routed = doc.entry(("services", name, KEY)) is not None
    if routed and wanted.service is None:
        raise InputError(
            f"the service {name} already serves another site",
            where=where,
            hint="choose another name for the app's service,"
            f" or route both sites to this one: 'stackctl add-app {wanted.domain} --service {name}'",
        )
    port = wanted.port
    if port is None:
        service = context.orchestrator.resolve(doc.text).services.get(name)
        port = app_port(context, name, service, None if service is None else service.image)
    names = (wanted.domain, *wanted.aliases)
    if not routed:
        try:
            if doc.entry(("services", name)) is not None:
                return edit.add_entry(doc, ("services", name), services.route_block(names, port))
            reason = f"the service {name} is defined in another file"
        except StackfileError as error:
            reason = str(error)
        context.report.note(f"{reason}: its route is written to {KEY}.apps")
    block = services.outside_block(names, upstream=None, service=name, port=port)
    return edit.add_item(doc, (KEY, "apps"), block)


def _fetch(context: Context, image: str) -> None:
    if context.images.image_id(image) is None:
        context.report.note(f"pulling {image}")
        context.images.pull(image)


def _env_file(context: Context, path: FilePath | None) -> str | None:
    if path is None:
        return None
    absolute = path.resolve()
    if not absolute.is_file():
        raise InputError(f"file {path} does not exist", field="env_file")
    if not absolute.is_relative_to(context.directory.root.resolve()):
        return str(absolute)
    shown = os.path.relpath(absolute, context.directory.files.project.resolve())
    return shown if shown.startswith("../") else f"./{shown}"
