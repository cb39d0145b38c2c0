"""``stackctl add-app``: adds a site."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path as FilePath
from urllib.parse import urlsplit

from stackctl.engine.context import Context
from stackctl.errors import InputError, RequestLoop, StackfileError
from stackctl.model.endpoints import Upstream
from stackctl.model.matching import EVERY_PATH, PathMatch
from stackctl.model.routing import Route, Site
from stackctl.model.values import Domain, ServiceName, service_name
from stackctl.plan.intent import Intent
from stackctl.stackfile import edit, services
from stackctl.stackfile.blocks import competing
from stackctl.stackfile.document import Document
from stackctl.stackfile.keys import KEY
from stackctl.stackfile.read import read_sites, service_with_role
from stackctl.stackfile.services import ServiceParts
from stackctl.usecases.app_port import app_port
from stackctl.usecases.converge import Loaded, converge, interpolated, load, open_document, services_elsewhere
from stackctl.usecases.new_service import env_file_path, fetch, refuse_unwritten, with_volumes
from stackctl.usecases.result import Result


@dataclass(frozen=True, slots=True)
class AddApp:
    """The site to add, or the path of one; None is an option that was not given. ``env_file`` is an absolute path.

    ``env`` has ``KEY=VALUE``, and ``volume`` what Compose's short form of a mount is.
    """

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
    path: PathMatch = EVERY_PATH
    strip: bool = False
    env: tuple[str, ...] = ()
    volume: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.domain if self.path == EVERY_PATH else f"{self.domain}{self.path}"


def add_app(context: Context, wanted: AddApp, *, dry_run: bool = False) -> Result[None]:
    """Route a domain, or a path of it: add its service and route, serve it, issue its certificate and verify it.

    Raises:
        InputError: the domain or an alias belongs to another site, or is routed with other options.
        EngineError: the image is not available locally and cannot be pulled; nothing was written.
        IssueFailed: the CA is known to refuse a certificate for the names; nothing was written.
    """
    _refuse_contradicting(wanted)
    doc = open_document(context)
    # Compose resolves only the new text: resolving a large file takes half a second.
    site = _existing(read_sites(interpolated(context, doc)), wanted)
    _refuse_redirected(doc, site, wanted)
    route = _route(site, wanted.path) if site else None
    loaded = load(context, doc, doc.text) if site and route else _loaded(context, doc, wanted, _names(site, wanted))
    if site and route:
        _refuse_different(loaded, site, route, wanted)
    now = loaded.stack.site(wanted.domain)
    assert now is not None  # it is there, or was just added
    intent = Intent(
        focus=frozenset({now.name}), issue=wanted.issue, check=wanted.check, strict=True, ledger=wanted.ledger
    )
    result = converge(context, "add-app", loaded, intent, dry_run=dry_run)
    return result if now.has_root else replace(result, notes=(*result.notes, _no_root(now)))


def _no_root(site: Site) -> str:
    return f"{site.name} has no app for its other paths: they answer 404 until 'stackctl add-app {site.name}' adds one"


def _route(site: Site, path: PathMatch) -> Route | None:
    """Return the route of a site that is for this path, whatever else it is for; rules are for more than a path."""
    return next((route for route in site.routes if path in competing(route)), None)


def _names(site: Site | None, wanted: AddApp) -> tuple[Domain, ...]:
    """Return the names to write: a path of a site is for all names of the site, the path ``/`` has its names.

    Raises:
        InputError: an alias is not a name of the site.
    """
    given = (wanted.domain, *wanted.aliases)
    if site is None:
        return given
    if wanted.path == EVERY_PATH:
        return tuple(dict.fromkeys((*site.domains, *given)))
    foreign = next((name for name in wanted.aliases if name not in site.domains), None)
    if foreign is not None:
        raise InputError(
            f"{foreign} is not a name of the site {site.name}, whose paths are for all of its names",
            field="alias",
            hint=f"add it to the domains at {site.where}",
        )
    return (site.name,)


def _loaded(context: Context, doc: Document, wanted: AddApp, names: Sequence[Domain]) -> Loaded:
    edited = _edited(context, doc, wanted, names)
    try:
        return load(context, edited, doc.text)
    except RequestLoop as error:
        if wanted.upstream is None or error.site != names[0]:
            raise
        raise InputError(error.message, field="upstream", hint=error.hint) from error


def _refuse_contradicting(wanted: AddApp) -> None:
    if wanted.upstream is not None:
        for field in ("service", "image", "port", "env_file", "env", "volume"):
            if getattr(wanted, field) not in {None, ()}:
                raise InputError("cannot be combined with an upstream outside Compose", field=field)
    if wanted.domain in wanted.aliases or len(set(wanted.aliases)) < len(wanted.aliases):
        raise InputError("the same domain is given twice", field="alias")
    if wanted.strip and wanted.path == EVERY_PATH:
        raise InputError("needs the path that it removes", field="strip", hint=f"write {wanted.domain}/PATH")


def _existing(sites: Collection[Site], wanted: AddApp) -> Site | None:
    """Return the site that already has the domain, or None.

    Raises:
        InputError: a name belongs to another site, or is an alias that gets the path ``/``.
    """
    owners = {name: site for site in sites for name in site.domains}
    mine = owners.get(wanted.domain)
    for name in (wanted.domain, *wanted.aliases):
        other = owners.get(name)
        is_alias = other is not None and other.name != wanted.domain and wanted.path == EVERY_PATH
        if other is not None and (other is not mine or is_alias):
            raise InputError(
                f"{name} is already routed by the site {other.name}", where=other.where, hint="remove it there first"
            )
    return mine


def _refuse_redirected(doc: Document, site: Site | None, wanted: AddApp) -> None:
    """Refuse a name of the list ``redirects``, whose every path leads elsewhere."""
    listed = [doc.where_of((KEY, "redirects", index)) for index in range(len(doc.data((KEY, "redirects")) or ()))]
    if site is None or site.redirect is None or site.where not in listed:
        return
    target = urlsplit(site.redirect.to).hostname
    raise InputError(
        f"{wanted.domain} is redirected to {site.redirect.to}",
        where=site.where,
        hint=f"remove the redirect first, with 'stackctl remove-app {site.name}', or add the app to where it leads:"
        f" 'stackctl add-app {target}{'' if wanted.path == EVERY_PATH else wanted.path}'",
    )


def _refuse_different(loaded: Loaded, site: Site, route: Route, wanted: AddApp) -> None:
    """Refuse options that contradict the existing route."""
    if not route.servers and any((wanted.service, wanted.image, wanted.port, wanted.upstream)):
        raise InputError(
            f"{wanted} already has a route, by which the proxy itself answers: {route.action}",
            where=route.where,
            hint="edit it there and run 'stackctl up'",
        )
    own = [server.service for server in route.servers if server.service is not None]
    resolved = [loaded.project.services.get(service) for service in own]
    aliases = site.aliases if wanted.path == EVERY_PATH else [name for name in wanted.aliases if name in site.domains]
    compared: tuple[tuple[str, Sequence[object], Sequence[object]], ...] = (
        ("aliases", aliases, wanted.aliases),
        ("service", own, _given(wanted.service)),
        ("port", [server.endpoint.port for server in route.servers], _given(wanted.port)),
        ("upstream", [server.upstream for server in route.servers], _given(wanted.upstream)),
        ("image", [service.image for service in resolved if service and service.image], _given(wanted.image)),
    )
    for key, current, requested in compared:
        if requested and set(current) != set(requested):
            raise InputError(
                f"{wanted} is already routed with {key} {_shown(current)}, not {_shown(requested)}",
                where=route.where,
                hint="edit it there and run 'stackctl up'",
            )
    for service in own:
        refuse_unwritten(loaded.doc, service, "environment", wanted.env)
        refuse_unwritten(loaded.doc, service, "volumes", wanted.volume)
    if wanted.strip and not route.strip:
        raise InputError(
            f"{wanted} is already routed, and its path is not stripped",
            where=route.where,
            hint="add 'strip: true' there and run 'stackctl up'",
        )


def _given(value: object | None) -> tuple[object, ...]:
    return () if value is None else (value,)


def _shown(values: Sequence[object]) -> str:
    return ", ".join(map(str, values)) or "none"


def _edited(context: Context, doc: Document, wanted: AddApp, names: Sequence[Domain]) -> Document:
    if wanted.upstream is not None:
        upstream = str(wanted.upstream)
        block = services.outside_block(
            names, upstream=upstream, service=None, port=None, path=wanted.path, strip=wanted.strip
        )
        return edit.add_item(doc, (KEY, "apps"), block)
    name = wanted.service or _service_of(wanted)
    _refuse_own(context, doc, name)
    if doc.entry(("services", name)) is not None or name in services_elsewhere(context, doc):
        return _with_route(context, doc, name, wanted, names)
    return _with_new_service(context, doc, name, wanted, names)


def _service_of(wanted: AddApp) -> ServiceName:
    """Return the default name of a service: the last part of its path, or the first label of the domain."""
    if wanted.path == EVERY_PATH:
        return ServiceName(wanted.domain.removeprefix("*.").split(".")[0])
    try:
        return service_name(wanted.path.text.rpartition("/")[2])
    except InputError as error:
        raise InputError(
            f"is needed: the last part of {wanted.path} is no name of a service", field="service", hint=error.hint
        ) from error


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


def _with_new_service(
    context: Context, doc: Document, name: ServiceName, wanted: AddApp, names: Sequence[Domain]
) -> Document:
    env_file = env_file_path(context, wanted.env_file)
    image = wanted.image or f"{name.lower()}:latest"
    fetch(context, image)
    port = wanted.port or app_port(context, name, None, image)
    own = ServiceParts(image, env_file, tuple(one.partition("=")[::2] for one in wanted.env), wanted.volume)
    block = services.app_block(name, own, names, port, wanted.path, strip=wanted.strip)
    return with_volumes(edit.add_entry(doc, ("services",), block), wanted.volume)


def _with_route(
    context: Context, doc: Document, name: ServiceName, wanted: AddApp, names: Sequence[Domain]
) -> Document:
    where = doc.where_of(("services", name))
    for field in ("image", "env_file", "env", "volume"):
        if getattr(wanted, field) not in {None, ()}:
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
            f" or route both to this one: 'stackctl add-app {wanted} --service {name}'",
        )
    port = wanted.port
    if port is None:
        service = context.orchestrator.resolve(doc.text).services.get(name)
        port = app_port(context, name, service, None if service is None else service.image)
    if not routed:
        try:
            if doc.entry(("services", name)) is not None:
                block = services.route_block(names, port, wanted.path, strip=wanted.strip)
                return edit.add_entry(doc, ("services", name), block)
            reason = f"the service {name} is defined in another file"
        except StackfileError as error:
            reason = str(error)
        context.report.note(f"{reason}: its route is written to {KEY}.apps")
    block = services.outside_block(names, upstream=None, service=name, port=port, path=wanted.path, strip=wanted.strip)
    return edit.add_item(doc, (KEY, "apps"), block)
