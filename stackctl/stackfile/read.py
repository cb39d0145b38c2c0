"""Reads the Compose file's text, with Compose's resolved project, as a :class:`Stack`."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from stackctl.errors import InputError, StackfileError
from stackctl.model import endpoints, values
from stackctl.model.endpoints import HTTP_PORT, HTTPS_PORT, PortBinding, web_listeners
from stackctl.model.project import ROLE_LABEL, Project, Service
from stackctl.model.routing import Server, ServerTls, Site, Tuning, everything_to
from stackctl.model.stack import CA_NAMES, Acme, KeyType, ProxyService, Stack, TlsPolicy
from stackctl.model.values import Domain
from stackctl.stackfile.document import Document, Path
from stackctl.stackfile.schema import AppKeys, ServiceKeys, StackKeys, Tunable, known_keys

KEY = "x-stackctl"
LONGEST_NAME = 240
"""Files are named after a site; a file name has at most 255 bytes, its ending included."""

ShapeT = TypeVar("ShapeT", bound=Struct)
T = TypeVar("T")

_FAULT = re.compile(r"(?P<problem>.*?)(?: - at `\$(?P<path>.*)`)?\Z", re.DOTALL)
_STEP = re.compile(r"\.(?P<key>[^.\[]+)|\[(?P<index>\d+)\]")
_TUNABLE = msgspec.structs.fields(Tunable)
_KINDS = {"int": "a whole number", "str": "text", "bool": "true or false", "array": "a list", "object": "a mapping"}


def variables(doc: Document) -> dict[int, str]:
    """Return the texts of every ``x-stackctl`` that contain variables, by the identity of their nodes.

    Compose gives them their values: it interpolates the top level of a file, but drops extensions of services.
    """
    if "$" not in doc.text:
        return {}
    found = doc.variables((KEY,))
    services = doc.data(("services",))
    for name in services if isinstance(services, dict) else ():
        found |= doc.variables(("services", name, KEY))
    return found


def read_stack(doc: Document, project: Project, elsewhere: Collection[str] = ()) -> Stack:
    """Return the desired state; ``elsewhere`` are further services that other files define.

    Raises:
        StackfileError: an unknown key, a wrong value, a name routed twice, no proxy service.
    """
    top = read_keys(doc)
    defaults = _tuning(doc, (KEY,), top, Tuning())
    services = doc.data(("services",))
    written = frozenset(services if isinstance(services, dict) else ())
    return Stack(
        acme=_acme(doc, top),
        sites=_sites(doc, top, defaults, {*written, *project.services, *elsewhere}),
        proxy=_proxy_service(doc, project, top.proxy),
        certbot=_role(doc, project, "certbot").name,
        services=written | frozenset(elsewhere),
        tls=TlsPolicy(top.tls),
    )


def read_sites(doc: Document) -> tuple[Site, ...]:
    """Return only the sites, from a file that need not have its proxy yet; their services are not checked."""
    top = read_keys(doc)
    return _sites(doc, top, _tuning(doc, (KEY,), top, Tuning()), None)


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
    return StackKeys() if doc.data((KEY,)) is None else _decode(doc, (KEY,), StackKeys)


def _acme(doc: Document, top: StackKeys) -> Acme:
    def checked(key: str, parse: Callable[[str], T], value: str) -> T:
        return _checked(doc, (KEY, key), parse, value)

    return Acme(
        directory=checked("ca", values.ca_directory, CA_NAMES.get(top.ca, top.ca)),
        email=None if top.email is None else checked("email", values.email, top.email),
        agree_tos=top.agree_tos,
        bundle=top.ca_bundle,
        eab_kid=None if top.eab_kid is None else checked("eab-kid", values.eab_kid, top.eab_kid),
        key_type=KeyType(top.key_type),
        key_size=top.rsa_key_size,
        profile=top.profile,
        concurrency=top.concurrency,
        hooks=top.certbot_hooks,
    )


def _proxy_service(doc: Document, project: Project, kind: str) -> ProxyService:
    proxy = _role(doc, project, "proxy")
    at: dict[int, PortBinding] = {port.target: port.at for port in proxy.ports}
    for target in (HTTP_PORT, HTTPS_PORT):
        if target not in at:
            raise StackfileError(
                f"the {proxy.name} service does not publish port {target}",
                where=doc.where_of(("services", proxy.name, "ports")),
                hint=f'add "{target}:{target}" to its ports',
            )
    http, https = at[HTTP_PORT], at[HTTPS_PORT]
    if http.meets(https):
        raise StackfileError(
            f"HTTP at {http} and HTTPS at {https} are published at the same address and port",
            where=doc.where_of(("services", proxy.name, "ports")),
            hint="publish them at two different ports",
        )
    if proxy.image is None:
        raise StackfileError("the proxy service has no image", where=doc.where_of(("services", proxy.name)))
    hosts = frozenset(host.lower() for host, _ in proxy.extra_hosts)
    return ProxyService(proxy.name, proxy.image, web_listeners(http, https), kind, hosts)


def _role(doc: Document, project: Project, role: str) -> Service:
    service = project.with_role(role)
    if service is None:
        raise StackfileError(
            f"no service has the label stackctl.role: {role}",
            where=doc.where_of(("services",)),
            hint="run 'stackctl init' in this directory, which adds what is missing",
        )
    return service


def _sites(doc: Document, top: StackKeys, defaults: Tuning, known: Collection[str] | None) -> tuple[Site, ...]:
    sites: list[Site] = []
    services = doc.data(("services",)) or {}
    if not isinstance(services, dict):
        raise StackfileError("services must be a mapping of names to services", where=doc.where_of(("services",)))
    for service, body in services.items():
        if isinstance(body, dict) and KEY in body:
            path: Path = ("services", service, KEY)
            keys = _decode(doc, path, ServiceKeys)
            host = _checked(doc, ("services", service), values.service_name, service)
            tls = _server_tls(doc, path, keys, https=keys.protocol == "https")
            sites.append(_site(doc, path, keys, Server.of(host, keys.port, tls), defaults))
    for index, entry in enumerate(top.apps):
        path = (KEY, "apps", index)
        server = _server(doc, path, entry)
        if known is not None and server.service is not None and server.service not in known:
            raise StackfileError(f"there is no service {server.service}", where=doc.where_of((*path, "service")))
        sites.append(_site(doc, path, entry, server, defaults))
    _refuse_duplicates(sites)
    return tuple(sites)


def _server(doc: Document, path: Path, entry: AppKeys) -> Server:
    if entry.upstream is not None and entry.service is None and entry.port is None:
        found = _checked(doc, (*path, "upstream"), endpoints.upstream, entry.upstream)
        tls = _server_tls(doc, path, entry, https=found.tls or entry.protocol == "https")
        if tls is not None and tls.verify and tls.name is None and found.endpoint.is_address:
            raise StackfileError(
                f"a certificate cannot be verified for the address {found.endpoint.host}",
                where=doc.where_of((*path, "upstream")),
                hint="add 'upstream-tls' with the 'name' of the certificate, or with 'verify: false'",
            )
        return Server(found.endpoint, None, tls)
    if entry.service is not None and entry.port is not None and entry.upstream is None:
        tls = _server_tls(doc, path, entry, https=entry.protocol == "https")
        service = _checked(doc, (*path, "service"), values.service_name, entry.service)
        return Server.of(service, entry.port, tls)
    raise StackfileError("an app needs 'upstream', or 'service' and 'port'", where=doc.where_of(path))


def _server_tls(doc: Document, path: Path, keys: ServiceKeys | AppKeys, *, https: bool) -> ServerTls | None:
    """Return how the certificate of an app is verified; None for an app that speaks plain HTTP."""
    said = keys.upstream_tls
    if said is None:
        return ServerTls() if https else None
    place: Path = (*path, "upstream-tls")
    if not https:
        raise StackfileError(
            "'upstream-tls' applies to apps that speak HTTPS only",
            where=doc.where_of(place),
            hint="add 'protocol: https', or write the upstream with https://",
        )
    name = None if said.name is None else _checked(doc, (*place, "name"), values.tls_name, said.name)
    ca = None if said.ca is None else _checked(doc, (*place, "ca"), values.ca_file, said.ca)
    if not said.verify and ca is not None:
        raise StackfileError(
            "'ca' has no effect with 'verify: false'", where=doc.where_of((*place, "ca")), hint="remove one of them"
        )
    return ServerTls(said.verify, name, ca)


def _site(doc: Document, path: Path, keys: ServiceKeys | AppKeys, server: Server, defaults: Tuning) -> Site:
    domains: list[Domain] = []
    for index, text in enumerate(keys.domains):
        place: Path = (*path, "domains", index)
        name = _checked(doc, place, values.domain, text)
        if name in domains:
            raise StackfileError(f"{name} is listed twice here", where=doc.where_of(place))
        domains.append(name)
    if len(domains[0]) > LONGEST_NAME:
        raise StackfileError(
            f"{domains[0][:40]}… is too long for file names",
            where=doc.where_of((*path, "domains", 0)),
            hint=f"put a name of at most {LONGEST_NAME} characters first; the long one can be an alias",
        )
    certificate = keys.certificate
    if certificate is not None:
        certificate = _checked(doc, (*path, "certificate"), values.lineage, certificate)
    tuning = _tuning(doc, path, keys, defaults)
    return Site(tuple(domains), everything_to(server), tuning, doc.where_of(path), certificate)


def _refuse_duplicates(sites: list[Site]) -> None:
    owner: dict[str, Site] = {}
    for site in sites:
        for name in site.domains:
            if name in owner:
                raise StackfileError(f"{name} is routed twice", where=site.where, hint=f"see {owner[name].where}")
            owner[name] = site


def _tuning(doc: Document, path: Path, keys: Tunable, defaults: Tuning) -> Tuning:
    changes: dict[str, str | bool] = {}
    for field in _TUNABLE:
        value = getattr(keys, field.name)
        if isinstance(value, bool):
            changes[field.name] = value
        elif value is not None:
            parse = values.size if field.name == "body_size" else values.duration
            changes[field.name] = _checked(doc, (*path, field.encode_name), parse, value)
    return replace(defaults, **changes) if changes else defaults  # type: ignore[arg-type]


def _checked(doc: Document, path: Path, parse: Callable[[str], T], value: str) -> T:
    try:
        return parse(value)
    except InputError as error:
        hint = _hint_of(doc, path) or error.hint
        raise StackfileError(error.message, where=doc.where_of(path), hint=hint) from error


def _hint_of(doc: Document, path: Path) -> str | None:
    """Return what to do about a wrong value that comes from variables."""
    written = doc.written(path)
    if written is not None:
        return f"it is written as {written}: set its variables in .env or in the environment"
    return "Docker Compose, which gives variables their values, is not usable" if doc.variables(path) else None


def _decode(doc: Document, path: Path, shape: type[ShapeT]) -> ShapeT:
    data = doc.data(path)
    _refuse_unknown(doc, path, data, shape)
    if shape is StackKeys and isinstance(data, dict) and isinstance(data.get("apps"), list):
        for index, entry in enumerate(data["apps"]):
            _refuse_unknown(doc, (*path, "apps", index), entry, AppKeys)
    try:
        # The value of a variable is text, whatever its type is to be.
        return msgspec.convert(data, shape, strict=not doc.variables(path))
    except msgspec.ValidationError as error:
        match = _FAULT.match(str(error))
        assert match is not None  # the pattern matches any text
        steps = tuple(step["key"] or int(step["index"]) for step in _STEP.finditer(match["path"] or ""))
        problem = re.sub(r"`([a-z]+)(?: \| null)?`", lambda m: _KINDS.get(m[1], m[0]), match["problem"])
        shown = ".".join(map(str, (*path, *steps)))
        raise StackfileError(
            f"{shown}: {problem[:1].lower()}{problem[1:]}",
            where=doc.where_of((*path, *steps)),
            hint="write it with its unit, such as 64m or 60s"
            if problem.endswith("got a whole number")
            else _hint_of(doc, (*path, *steps)),
        ) from error


def _refuse_unknown(doc: Document, path: Path, data: Any, shape: type[Struct]) -> None:  # noqa: ANN401  (YAML)
    known = known_keys(shape)
    for key in data if isinstance(data, dict) else ():
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1, cutoff=0.5)
            raise StackfileError(
                f"{'.'.join(map(str, path))} has no key {key!r}",
                where=doc.where_of((*path, key)),
                hint=f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}",
            )
