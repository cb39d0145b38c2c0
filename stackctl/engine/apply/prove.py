"""Verify on the wire: after each change, a client must see what the plan expects."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence

from stackctl.certs.held import Shelf, held
from stackctl.certs.lineage import Certificate
from stackctl.engine.context import Context
from stackctl.engine.waiting import wait_for
from stackctl.errors import EngineError, NotServed, StackctlError
from stackctl.model.endpoints import PortBinding
from stackctl.model.stack import Stack
from stackctl.model.values import Domain
from stackctl.observed.containers import Container
from stackctl.plan.operations import AwaitService, VerifySite

SERVICE_SECONDS = 60.0
"""How long a service may take until it answers."""

PROXY_SECONDS = 30.0
"""How long the proxy may take to start or to load a generation."""

SITE_SECONDS = 10.0
"""How long old workers of the proxy may still answer after a reload."""

_LOG_LINES = 15


def services_answer(context: Context, project: str, operations: Sequence[AwaitService]) -> list[StackctlError | None]:
    """Wait until services are healthy or their ports accept connections; all share one deadline.

    Returns the error of each, in order: its container ended, or it does not answer in time.

    Raises:
        EngineError: the engine does not answer.
    """
    found: dict[AwaitService, StackctlError | None] = {}

    def waiting() -> Iterator[tuple[AwaitService, Sequence[Container]]]:
        """Yield the undecided operations, each with its service's current containers."""
        containers = context.orchestrator.containers(project)
        for operation in operations:
            if operation not in found:
                yield operation, containers.of(operation.service)

    def look() -> bool | None:
        for operation, own in waiting():
            error = _ended(context, operation.service, own)
            if error is not None or (own and all(_answers(context, one, operation.port) for one in own)):
                found[operation] = error
        return True if found.keys() >= set(operations) else None

    if wait_for(look, SERVICE_SECONDS) is None:
        for operation, own in waiting():
            found[operation] = _unhealthy(context, operation.service, own) or EngineError(
                f"the service {operation.service} does not answer on port {operation.port}"
                f" after {SERVICE_SECONDS:.0f} s",
                hint="check that the app listens on that port, and on 0.0.0.0 rather than 127.0.0.1",
            )
    return [found[operation] for operation in operations]


def _ended(context: Context, service: str, containers: Sequence[Container]) -> EngineError | None:
    ended = next((c for c in containers if c.state in {"exited", "dead", "restarting"}), None)
    if ended is None:
        return None
    return EngineError(
        f"the service {service} does not keep running: its container is {ended.state}\n{_log(context, ended)}",
        hint=f"see 'stackctl logs {service}', or run 'docker compose up {service}' to watch it start",
    )


def _unhealthy(context: Context, service: str, containers: Sequence[Container]) -> EngineError | None:
    """Return the error of the first container whose health check fails, with the output of the check, or None."""
    for container in containers:
        if container.health not in {None, "healthy"}:
            said = context.containers.inspect(container.id).health_output
            return EngineError(
                f"the service {service} is not healthy after {SERVICE_SECONDS:.0f} s: its health check says "
                + (f"'{container.health}': {said}" if said else f"'{container.health}'"),
                hint=f"see the definition of its health check, and 'docker compose logs {service}'",
            )
    return None


def _answers(context: Context, container: Container, port: int) -> bool:
    if container.health is not None:
        return container.health == "healthy"
    return bool(context.containers.accepts(container, port))


def generation_answers(context: Context, stack: Stack, project: str) -> None:
    """Wait until the published port answers with the live generation.

    Raises:
        NotServed: it does not; the message has the end of the proxy's log.
    """
    proxy_service = stack.proxy
    expected = context.delivery(context.proxy_of(stack).layout).published()

    def look() -> bool | None:
        return True if context.wire.generation(proxy_service.http.at) == expected else None

    if wait_for(look, PROXY_SECONDS) is None:
        containers = context.orchestrator.containers(project).of(proxy_service.service)
        log = _log(context, containers[0]) if containers else "it has no container"
        raise NotServed(
            f"the proxy does not answer with its new configuration on {proxy_service.http.at}\n{log}",
            hint="run 'stackctl up' again; if that does not help, see 'docker compose logs'",
        )


def sites_are_served(context: Context, stack: Stack, operations: Sequence[VerifySite]) -> list[StackctlError | None]:
    """Wait until handshakes with the apps' names show the certificates on disk.

    Returns the error of each, in order: another certificate is shown, or none.
    """
    https = stack.proxy.https.at
    shelf = context.directory.shelf(operation.site.name for operation in operations)
    expected = {operation.site.name: _expected(operation, shelf) for operation in operations}
    planned = frozenset[str]().union(*(operation.planned for operation in operations))
    waiting = {name: one for group in expected.values() for name, one in group.items() if one is not None}

    def look() -> bool | None:
        for name, served in context.wire.served(https, sorted(waiting)).items():
            if served is not None and served.fingerprint in {waiting[name].fingerprint, *planned}:
                del waiting[name]
        return None if waiting else True

    wait_for(look, SITE_SECONDS)
    if any(operation.expect_real for operation in operations):
        # The next client must see the same, and nothing on the wire shows when the last old worker has ended.
        time.sleep(context.proxy_of(stack).reload.overlap)
    return [_verdict(expected[operation.site.name], waiting, https) for operation in operations]


def _expected(operation: VerifySite, shelf: Shelf) -> Mapping[Domain, Certificate | None]:
    """Return the certificate that a handshake with a name must show, for one name of each certificate of a site."""
    there = held(operation.site, shelf)
    if operation.expect_real:
        return there.witnesses
    return {operation.site.name: there.stored.certificate if there.stored else None}


def _verdict(
    expected: Mapping[Domain, Certificate | None], waiting: Collection[Domain], https: PortBinding
) -> StackctlError | None:
    for name, certificate in expected.items():
        if certificate is None:
            return NotServed(f"{name} has no certificate on disk")
        if name in waiting:
            return NotServed(
                f"{https} does not serve {name} with the certificate on disk",
                hint="run 'stackctl up' again",
            )
    return None


def name_is_refused(context: Context, https: PortBinding, name: Domain) -> None:
    """Wait until a handshake with ``name`` is refused.

    Raises:
        NotServed: it is still answered.
    """
    if wait_for(lambda: True if context.wire.served(https, [name])[name] is None else None, SITE_SECONDS) is None:
        raise NotServed(f"{name} is still served on {https}", hint="run 'stackctl up'")


def old_proxy_answers(context: Context, http: PortBinding, https: PortBinding | None, names: Sequence[Domain]) -> None:
    """Wait until a proxy that stackctl did not configure answers, and shows a certificate for one of ``names``.

    Raises:
        NotServed: it does not.
    """

    def look() -> bool | None:
        shown = context.wire.served(https, names) if https is not None and names else {}
        answered = not shown or any(certificate is not None for certificate in shown.values())
        return True if context.wire.responds(http) and answered else None

    if wait_for(look, PROXY_SECONDS) is None:
        raise NotServed(f"the old proxy does not answer on {http}", hint="see 'docker compose logs'")


def _log(context: Context, container: Container) -> str:
    """Return the last lines of a container's log, or why they cannot be read: they only explain another error."""
    try:
        return context.containers.log(container.id, _LOG_LINES)
    except EngineError as error:
        return f"its log cannot be read: {error}"
