"""Reads how each service is deployed, from its ``x-stackctl`` and from Compose's own keys."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping

from stackctl.errors import InputError
from stackctl.model import values
from stackctl.model.deploying import CANARY_ROLE, DRAIN_SECONDS, DeploySettings, Reason, base_of
from stackctl.model.health import HealthCheck
from stackctl.model.project import Project, Service
from stackctl.stackfile.document import Document, Path
from stackctl.stackfile.health import health_check
from stackctl.stackfile.health_keys import HealthKeys
from stackctl.stackfile.keys import KEY, checked, decode
from stackctl.stackfile.schema import DeployKeys

START_FIRST, STOP_FIRST = "start-first", "stop-first"


def deploys_of(doc: Document, project: Project) -> Mapping[str, DeploySettings]:
    """Return how each service of the project is deployed.

    Raises:
        StackfileError: a wrong key or value.
    """
    apps = (service for service in project.services.values() if service.role not in {"proxy", "certbot"})
    return {service.name: _settings(doc, service) for service in apps}


def _settings(doc: Document, service: Service) -> DeploySettings:
    # A canary extends its service in Compose; the keys of that are its own here too.
    body: Path = ("services", base_of(service.name) if service.role == CANARY_ROLE else service.name)
    deploy: Path = (*body, KEY, "deploy")
    keys = decode(doc, deploy, DeployKeys) if doc.entry(deploy) is not None else DeployKeys()
    before = () if keys.before is None else checked(doc, (*deploy, "before"), _command, keys.before)
    drain = DRAIN_SECONDS if keys.drain is None else checked(doc, (*deploy, "drain"), values.seconds, keys.drain)
    timeout = None if keys.timeout is None else checked(doc, (*deploy, "timeout"), values.seconds, keys.timeout)
    return DeploySettings(
        before=before,
        drain=drain,
        timeout=timeout,
        health=_health(doc, (*body, KEY, "health")),
        stop_first=next(_reasons(doc, body, service), None),
        start_first=service.order == START_FIRST,
        where=doc.where_of(body),
    )


def _health(doc: Document, path: Path) -> HealthCheck | None:
    return None if doc.entry(path) is None else health_check(doc, path, decode(doc, path, HealthKeys))


def _command(written: str | list[str]) -> tuple[str, ...]:
    """Return a command, split as Compose splits that of a service."""
    try:
        words = shlex.split(written) if isinstance(written, str) else written
    except ValueError as error:
        raise InputError(f"{written!r} is not a command: {error}", hint="close its quotes, or write a list") from error
    if not words or not words[0]:
        raise InputError("'before' has no command", hint="write one, such as: python manage.py migrate")
    return tuple(words)


def _reasons(doc: Document, body: Path, service: Service) -> Iterator[Reason]:
    """Yield why the old container of a service has to stop before the new one starts."""
    if service.container_name is not None:
        yield Reason(f"only one container can be named {service.container_name}", _at(doc, body, "container_name"))
    if service.publishes:
        yield Reason("only one container can publish a port of the host", _at(doc, body, "ports"))
    if service.addresses:
        yield Reason("only one container can have a fixed address", _at(doc, body, "networks"))
    if not service.networks:
        yield Reason("it is on no network of its own", _at(doc, body, "network_mode"))
    if service.order == STOP_FIRST:
        yield Reason("its update_config says stop-first", _at(doc, body, "deploy", "update_config", "order"))
    written = next((mount for mount in service.mounts if not mount.read_only), None)
    if written is not None and service.replicas == 1 and service.order != START_FIRST:
        yield Reason(f"its one container writes to a volume at {written.target}", _at(doc, body, "volumes"))


def _at(doc: Document, body: Path, *keys: str) -> str:
    return doc.where_of((*body, *keys))
