"""Compose's reading of a file, as the fake engine imitates it: no overrides, ``.env`` or ``depends_on``."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from stackctl.errors import InputError, StackfileError
from stackctl.model import endpoints, values
from stackctl.model.project import Mount, Project, PublishedPort, Service
from stackctl.model.streams import Transport
from stackctl.model.values import ServiceName
from stackctl.observed.containers import Container
from stackctl.stackfile.document import Document
from stackctl.stackfile.locate import ComposeFiles

_VARIABLE = re.compile(
    r"(?P<escaped>\$\$)|\$\{(?P<name>\w+)(?:(?P<how>:?[-?])(?P<other>[^}]*))?\}|\$(?P<plain>[A-Za-z_]\w*)"
)
_UNHASHED = {"build", "depends_on", "profiles", "pull_policy", "scale"}


@dataclass(frozen=True)
class Run:
    """A container, and the definition it was created from."""

    project: str
    service: Service
    container: Container


@lru_cache
def resolve_project(
    text: str, file: str, directory: str, texts: tuple[str, ...] = (), values: frozenset[tuple[str, str]] = frozenset()
) -> Project:
    """Return the project that Compose would resolve from ``text`` in ``directory``; variables have ``values``."""
    doc = Document.parse(text, file)
    bodies = {name: body or {} for name, body in (doc.data(("services",)) or {}).items()}
    known = dict(values)
    interpolated = tuple(_interpolated(one, known, file) for one in texts)
    bodies = {name: _extended(doc, name, bodies) for name in bodies}
    services = {name: _service(doc, name, body) for name, body in bodies.items() if not body.get("profiles")}
    name = doc.data(("name",)) or re.sub(r"[^a-z0-9_-]", "", directory.lower()).lstrip("_-")
    return Project(name, services, interpolated)


def _extended(doc: Document, name: str, bodies: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the body of a service with what it has of the one that it extends."""
    own = dict(bodies[name])
    extends = own.pop("extends", None)
    if extends is None:
        return own
    base = extends["service"]
    if base not in bodies:
        where = doc.where_of(("services", name))
        raise StackfileError(f"Compose rejects the file: cannot extend service {base!r}: not found", where=where)
    above = _extended(doc, base, bodies)
    return {**above, **own, "labels": {**_pairs(above.get("labels")), **_pairs(own.get("labels"))}}


def mounted_from(project: Project, files: ComposeFiles) -> Project:
    """Return ``project`` with paths relative to the stack's directory; they were relative to Compose's."""
    base = os.path.relpath(files.project, files.directory)

    def placed(mount: Mount) -> Mount:
        return replace(mount, source=os.path.normpath(f"{base}/{mount.source}")) if mount.kind == "bind" else mount

    services = {name: replace(one, mounts=tuple(map(placed, one.mounts))) for name, one in project.services.items()}
    return replace(project, services=services)


def variables_of(directory: Path, environ: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    """Return the variables of ``.env`` and of the environment."""
    file = directory / ".env"
    lines = file.read_text().splitlines() if file.is_file() else []
    return frozenset({**dict(line.split("=", 1) for line in lines if "=" in line), **environ}.items())


def _interpolated(text: str, values: Mapping[str, str], file: str) -> str:
    def value(match: re.Match[str]) -> str:
        if match["escaped"]:
            return "$"
        name, how, other = match["name"] or match["plain"], match["how"], match["other"]
        found = values.get(name)
        if found is None or (how and how.startswith(":") and not found):
            if how and "?" in how:
                raise StackfileError(f"Compose rejects the file: required variable {name} is missing", where=file)
            return other or ""
        return found

    return _VARIABLE.sub(value, text)


def _service(doc: Document, name: str, body: dict[str, Any]) -> Service:
    """One service as Compose would resolve it; its hash is of what its container is made from."""
    networks = body.get("networks") or (() if "network_mode" in body else ("default",))
    unknown = set(networks) - {"default", *(doc.data(("networks",)) or ())}
    problem = f"it refers to the undefined networks {unknown}" if unknown else None
    if "image" not in body and "build" not in body:
        problem = "it has neither an image nor a build"
    ports: tuple[PublishedPort, ...] = ()
    try:
        ports = tuple(filter(None, map(_port, body.get("ports") or ())))
    except (InputError, ValueError) as error:
        problem = str(error)
    if problem:
        where = doc.where_of(("services", name))
        raise StackfileError(f"Compose rejects the file: service {name!r}: {problem}", where=where)
    deploy = body.get("deploy") or {}
    update = deploy.get("update_config") or {}
    kept = {key: value for key, value in body.items() if not key.startswith("x-") and key not in _UNHASHED}
    if "deploy" in body:
        kept["deploy"] = {key: value for key, value in deploy.items() if key != "replicas"}
    return Service(
        name=ServiceName(name),
        image=body.get("image"),
        builds="build" in body,
        config_hash=hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest(),
        labels=_pairs(body.get("labels")),
        ports=ports,
        networks=frozenset(networks),
        environment=_pairs(body.get("environment")),
        mounts=tuple(_mount(str(volume)) for volume in body.get("volumes") or () if ":" in str(volume)),
        hosts=frozenset(filter(None, (body.get("container_name"), *_aliases(body.get("networks"))))),
        exposed=tuple(sorted({*map(int, body.get("expose") or ()), *(one.target for one in ports if one.is_tcp)})),
        needs=frozenset(map(str, body.get("depends_on") or ())),
        replicas=int(deploy.get("replicas", 1)),
        counted="replicas" in deploy,
        container_name=body.get("container_name"),
        publishes=bool(ports),
        order=update.get("order"),
        parallelism=int(update.get("parallelism", 1)),
    )


def _aliases(networks: Any) -> Iterator[str]:  # noqa: ANN401  (YAML holds anything)
    for network in networks.values() if isinstance(networks, dict) else ():
        yield from map(str, (network or {}).get("aliases", ()))


def _pairs(items: Any) -> dict[str, str]:  # noqa: ANN401  (YAML holds anything)
    pairs = items.items() if isinstance(items, dict) else (str(item).partition("=")[::2] for item in items or ())
    return {str(key): str(value) for key, value in pairs}


def _mount(text: str) -> Mount:
    """A volume in Compose's short form; a path stays relative to the directory."""
    source, target, *options = text.split(":")
    kind = "bind" if source.startswith((".", "/", "~")) else "volume"
    return Mount(kind, source.removeprefix("./"), target, "ro" in options)


def _port(port: Any) -> PublishedPort | None:  # noqa: ANN401  (YAML holds anything)
    """A port in Compose's short or long form; None for one that is not published."""
    if isinstance(port, dict):
        parts = (port.get("host_ip"), port.get("published"), port.get("target"))
        port = ":".join(str(part) for part in parts if part) + f"/{port.get('protocol', 'tcp')}"
    place, _, protocol = str(port).partition("/")
    at, _, target = place.rpartition(":")
    if not at:
        return None
    transport = Transport(protocol or Transport.TCP)
    return PublishedPort(values.port(int(target)), endpoints.port_binding(at), transport)
