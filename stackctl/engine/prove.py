"""Proofs on the wire: after each change, what a client sees must be what was meant."""

from __future__ import annotations

from stackctl.engine.host import Host
from stackctl.engine.waiting import wait_for
from stackctl.errors import EngineError, NotServed
from stackctl.model.names import Domain
from stackctl.model.stack import Edge
from stackctl.plan.observed import Container
from stackctl.plan.operations import AwaitService, VerifySite

SERVICE_SECONDS = 60.0
"""How long a service may take until it answers."""

PROXY_SECONDS = 30.0
"""How long the proxy may take to start or to take a generation up."""

SITE_SECONDS = 10.0
"""How long old workers of the proxy may still answer after a reload."""

_LOG_LINES = 15


def service_answers(host: Host, project: str, operation: AwaitService) -> None:
    """Wait until a service is healthy or its port takes connections.

    Raises:
        EngineError: its container ended, or it does not answer in time.
    """
    service = operation.service

    def look() -> bool | None:
        containers = [c for c in host.engine.containers(project) if c.service == service]
        ended = [c for c in containers if c.state in {"exited", "dead", "restarting"}]
        if ended:
            raise EngineError(
                f"the service {service} does not stay up: its container is {ended[0].state}\n{_log(host, ended[0])}",
                hint=f"see 'stackctl logs'; then 'docker compose up {service}' shows it start",
            )
        return True if containers and all(_answers(host, c, operation.port) for c in containers) else None

    if wait_for(look, SERVICE_SECONDS) is None:
        raise EngineError(
            f"the service {service} does not answer on port {operation.port} after {SERVICE_SECONDS:.0f} s",
            hint="check that the app listens on that port, and on 0.0.0.0 rather than 127.0.0.1",
        )


def _answers(host: Host, container: Container, port: int) -> bool:
    if container.health is not None:
        return container.health == "healthy"
    return any(host.wire.answers(address, port) for address in container.addresses)


def generation_answers(host: Host, edge: Edge, project: str) -> None:
    """Wait until the published port answers with the live generation.

    Raises:
        NotServed: it does not; with the proxy's own last words.
    """
    meant = host.directory.generations.published()

    def look() -> bool | None:
        return True if host.wire.generation(edge.http) == meant else None

    if wait_for(look, PROXY_SECONDS) is None:
        containers = [c for c in host.engine.containers(project) if c.service == edge.service]
        log = _log(host, containers[0]) if containers else "it has no container"
        raise NotServed(
            f"the proxy does not answer with its new configuration on {edge.http}\n{log}",
            hint="run 'stackctl up' again; if that does not help, 'docker compose logs' says more",
        )


def site_is_served(host: Host, edge: Edge, operation: VerifySite) -> None:
    """Wait until a handshake with the app's name shows the certificate that is on disk.

    Raises:
        NotServed: another one is shown, or none.
    """
    name = operation.app.name
    lineage = host.directory.lineage(name)
    dummy = host.directory.dummy(name)
    meant = lineage.certificate if operation.expect_real and lineage.usable else dummy
    if meant is None:
        raise NotServed(f"{name} has no certificate on disk")

    def look() -> bool | None:
        served = host.wire.served(edge.https, [name])[name]
        return True if served is not None and served.fingerprint == meant.fingerprint else None

    if wait_for(look, SITE_SECONDS) is None:
        raise NotServed(
            f"{name} is not served with the certificate on disk on {edge.https}", hint="run 'stackctl up' again"
        )


def name_is_refused(host: Host, edge: Edge, name: Domain) -> None:
    """Wait until a handshake with ``name`` is refused.

    Raises:
        NotServed: it is still answered.
    """
    if wait_for(lambda: True if host.wire.served(edge.https, [name])[name] is None else None, SITE_SECONDS) is None:
        raise NotServed(f"{name} is still served on {edge.https}", hint="run 'stackctl up'")


def _log(host: Host, container: Container) -> str:
    return host.engine.log(container.id, _LOG_LINES)
