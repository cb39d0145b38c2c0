"""Reads the Compose file's text, with Compose's resolved project, as a :class:`Stack`."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any, TypeVar

from stackctl.errors import StackfileError
from stackctl.model import values
from stackctl.model.acme import CA_NAMES, LETSENCRYPT, LOCAL, Acme, KeyType
from stackctl.model.edge import Behind
from stackctl.model.endpoints import HTTP_PORT, HTTPS_PORT, PortBinding, web_listeners
from stackctl.model.logs import LogFormat
from stackctl.model.project import ROLE_LABEL, Project, Service
from stackctl.model.routing import Site
from stackctl.model.stack import ProxyService, Stack, TlsPolicy
from stackctl.model.tuning import Tuning
from stackctl.stackfile.alerts import read_alerts
from stackctl.stackfile.answers import refuse_circles, unknown_names, with_answers
from stackctl.stackfile.behind import read_behind, refuse_clashes
from stackctl.stackfile.blocked import read_blocked
from stackctl.stackfile.blocks import Block
from stackctl.stackfile.deploys import deploys_of
from stackctl.stackfile.dns import read_zones
from stackctl.stackfile.document import Document
from stackctl.stackfile.http3 import read_http3
from stackctl.stackfile.key_types import first_key, second_key
from stackctl.stackfile.keys import KEY, checked, decode
from stackctl.stackfile.schema import StackKeys
from stackctl.stackfile.servers import with_services
from stackctl.stackfile.sites import blocks_of, sites_of
from stackctl.stackfile.streams import read_streams
from stackctl.stackfile.tuning import tuning
from stackctl.stackfile.wildcards import under_wildcards

T = TypeVar("T")


def variables(doc: Document) -> dict[int, str]:
    """Return the texts of every ``x-stackctl`` that contain variables, by the identity of their nodes.

    Compose gives them their values: it interpolates the top level of a file, but drops extensions of services.
    """
    if "$" not in doc.text:
        return {}
    found = doc.variables((KEY,))
    for name in doc.names(("services",)):
        found |= doc.variables(("services", name, KEY))
    return found


def read_stack(doc: Document, project: Project, elsewhere: Collection[str] = ()) -> Stack:
    """Return the desired state; ``elsewhere`` are further services that other files define.

    Raises:
        StackfileError: an unknown key, a wrong value, a name routed twice, no proxy service.
    """
    top = read_keys(doc)
    defaults = tuning(doc, (KEY,), top, Tuning())
    written = frozenset(doc.names(("services",)))
    acme = _acme(doc, top)
    known = {*written, *project.services, *elsewhere}
    sites = with_services(_sites(doc, top, defaults, known), known, project.named)
    behind = read_behind(doc, top.behind)
    proxy = _proxy_service(doc, project, top.proxy, behind)
    refuse_circles(sites, proxy)
    streams = read_streams(doc, top, sites, proxy, known)
    refuse_clashes(behind, sites, streams)
    return Stack(
        acme=acme,
        sites=sites,
        proxy=proxy,
        certbot=_role(doc, project, "certbot").name,
        services=written | frozenset(elsewhere),
        tls=TlsPolicy(top.tls),
        deploys=deploys_of(doc, project),
        unknown=unknown_names(doc, top, sites),
        streams=streams,
        dns=read_zones(doc, top),
        blocked=read_blocked(doc, (KEY,), top.block),
        http3=read_http3(doc, project.services[proxy.service], streams, behind) if top.http3 else None,
        keep_old_connections=checked(doc, (KEY, "keep-old-connections"), values.duration, top.keep_old_connections),
        behind=behind,
        alerts=read_alerts(doc, top.alerts),
        log=LogFormat(top.log),
    )


def named_services(doc: Document) -> set[str]:
    """Return the services that items of ``apps`` and of ``routes`` name, right or wrong."""
    services, apps = doc.data(("services",)), doc.data((KEY, "apps"))
    bodies = services.values() if isinstance(services, dict) else ()
    blocks = [body.get(KEY) for body in bodies if isinstance(body, dict)]
    blocks += apps if isinstance(apps, list) else []
    lists = [block.get("routes") for block in blocks if isinstance(block, dict)]
    blocks += [route for routes in lists if isinstance(routes, list) for route in routes]
    blocks += [block.get("canary") for block in blocks if isinstance(block, dict)]
    named = [block.get("service") for block in blocks if isinstance(block, dict)]
    return {name for name in named if isinstance(name, str)}


def read_sites(doc: Document) -> tuple[Site, ...]:
    """Return only the sites, from a file that need not have its proxy yet; their services are not checked."""
    top = read_keys(doc)
    defaults = tuning(doc, (KEY,), top, Tuning())
    return _sites(doc, top, defaults, None)


def _sites(doc: Document, top: StackKeys, defaults: Tuning, known: Collection[str] | None) -> tuple[Site, ...]:
    sites = with_answers(doc, top, sites_of(doc, top, defaults, known), defaults)
    second = second_key(doc, (KEY,), top.key_type)
    if second is not None:
        sites = tuple(_with_second(site, first_key(top.key_type), second) for site in sites)
    return under_wildcards([replace(site, local=(site.issuance.ca or top.ca) == LOCAL) for site in sites])


def _with_second(site: Site, first: KeyType, second: KeyType) -> Site:
    """Return a site with both keys, unless it says of its own which it has."""
    if site.issuance.key_type is not None:
        return site
    return replace(site, issuance=replace(site.issuance, key_type=first), second_key=second)


def read_blocks(doc: Document) -> list[Block]:
    """Return what each service and each item of ``apps`` says; as for :func:`read_sites`."""
    top = read_keys(doc)
    return list(blocks_of(doc, top, tuning(doc, (KEY,), top, Tuning()), None))


def service_with_role(doc: Document, role: str) -> str | None:
    """Return the service that has ``role`` in this file; an override may give the role to another."""
    services = (doc.data(("services",)) or {}).items()
    return next((str(name) for name, body in services if has_role(body, role)), None)


def has_role(body: Any, role: str) -> bool:  # noqa: ANN401  (YAML holds anything)
    """Return whether the body of a service has the label of ``role``."""
    labels = body.get("labels") if isinstance(body, dict) else None
    pairs = [f"{key}={value}" for key, value in labels.items()] if isinstance(labels, dict) else labels or []
    return f"{ROLE_LABEL}={role}" in pairs


def read_keys(doc: Document) -> StackKeys:
    """Return the keys of the top-level ``x-stackctl``, with defaults."""
    return StackKeys() if doc.data((KEY,)) is None else decode(doc, (KEY,), StackKeys)


def _acme(doc: Document, top: StackKeys) -> Acme:
    def value_of(key: str, parse: Callable[[str], T], value: str) -> T:
        return checked(doc, (KEY, key), parse, value)

    local = top.ca == LOCAL
    domains = enumerate(top.local_domains)
    return Acme(
        directory=LETSENCRYPT if local else value_of("ca", values.ca_directory, CA_NAMES.get(top.ca, top.ca)),
        local=local,
        local_domains=tuple(checked(doc, (KEY, "local-domains", n), values.local_domain, text) for n, text in domains),
        email=None if top.email is None else value_of("email", values.email, top.email),
        agree_tos=top.agree_tos,
        bundle=top.ca_bundle,
        eab_kid=None if top.eab_kid is None else value_of("eab-kid", values.eab_kid, top.eab_kid),
        key_type=first_key(top.key_type),
        key_size=top.rsa_key_size,
        profile=top.profile,
        concurrency=top.concurrency,
        hooks=top.certbot_hooks,
    )


def _proxy_service(doc: Document, project: Project, kind: str, behind: Behind | None) -> ProxyService:
    proxy = _role(doc, project, "proxy")
    at: dict[int, PortBinding] = {port.target: port.at for port in proxy.ports if port.is_tcp}
    terminated = behind is not None and behind.terminated
    for target in (HTTP_PORT, *(() if terminated else (HTTPS_PORT,))):
        if target not in at:
            raise StackfileError(
                f"the {proxy.name} service does not publish port {target}",
                where=doc.where_of(("services", proxy.name, "ports")),
                hint=f'add "{target}:{target}" to its ports',
            )
    http, https = at[HTTP_PORT], None if terminated else at[HTTPS_PORT]
    if https is not None and http.meets(https):
        raise StackfileError(
            f"HTTP at {http} and HTTPS at {https} are published at the same address and port",
            where=doc.where_of(("services", proxy.name, "ports")),
            hint="publish them at two different ports",
        )
    if proxy.image is None:
        raise StackfileError("the proxy service has no image", where=doc.where_of(("services", proxy.name)))
    hosts = frozenset(host.lower() for host, _ in proxy.extra_hosts)
    listeners = web_listeners(http, https, framed=behind is not None and behind.framed)
    return ProxyService(proxy.name, proxy.image, listeners, kind, hosts)


def _role(doc: Document, project: Project, role: str) -> Service:
    service = project.with_role(role)
    if service is None:
        raise StackfileError(
            f"no service has the label stackctl.role: {role}",
            where=doc.where_of(("services",)),
            hint="run 'stackctl init' in this directory, which adds what is missing",
        )
    return service
