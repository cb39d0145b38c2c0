"""Verify on the wire: after each change, a client must see what the plan expects."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from stackctl.certs.held import held
from stackctl.certs.lineage import Certificate
from stackctl.certs.shelf import Shelf
from stackctl.engine.apply.services import last_lines
from stackctl.engine.context import Context
from stackctl.engine.waiting import wait_for
from stackctl.errors import NotServed, StackctlError
from stackctl.model.endpoints import PortBinding
from stackctl.model.fields import Request
from stackctl.model.layout import MARKER_HOST
from stackctl.model.stack import Stack, TlsPolicy
from stackctl.model.values import Domain
from stackctl.plan.operations import VerifySite

PROXY_SECONDS = 30.0
"""How long the proxy may take to start or to load a generation."""

SIGNAL_SECONDS = 15.0
"""How long it may take to load one for which it has only been signaled."""

_NO_ANSWER = {502, 504}
"""The statuses of a proxy that does not reach an app."""

SITE_SECONDS = 10.0
"""How long a name may take to be served, or refused, as the files on disk say."""


def is_answered(context: Context, stack: Stack, seconds: float) -> bool:
    """Return whether the published port answers with the live generation within that time."""
    expected = context.delivery(context.proxy_of(stack).layout).published()

    def look() -> bool | None:
        return True if context.wire.generation(stack.proxy.http.at) == expected else None

    return wait_for(look, seconds) is not None


def generation_answers(context: Context, stack: Stack, project: str) -> None:
    """Wait until the published port answers with the live generation.

    Raises:
        NotServed: it does not; the message has the end of the proxy's log.
    """
    proxy_service = stack.proxy
    if not is_answered(context, stack, PROXY_SECONDS):
        containers = context.orchestrator.containers(project).of(proxy_service.service)
        log = last_lines(context, containers[0]) if containers else "it has no container"
        raise NotServed(
            f"the proxy does not answer with its new configuration on {proxy_service.http.at}\n{log}",
            hint="run 'stackctl up' again; if that does not help, see 'docker compose logs'",
        )


def sites_answer(context: Context, stack: Stack, names: Iterable[Domain], path: str = "/") -> bool:
    """Return whether the proxy reaches the app of each site, whatever that answers."""
    to = stack.proxy.for_visitors
    replies = (context.wire.ask(to.at, name, Request("GET", path), tls=to.secure) for name in names)
    return all(reply.status is not None and reply.status not in _NO_ANSWER for reply in replies)


def sites_are_served(context: Context, stack: Stack, operations: Sequence[VerifySite]) -> list[StackctlError | None]:
    """Wait until handshakes with the apps' names show the certificates on disk.

    Returns the error of each, in order: another certificate is shown, or none.
    """
    https = stack.proxy.for_visitors.at
    shelf = context.directory.shelf((operation.site.name for operation in operations), context.now())
    expected = {operation.site.name: _expected(operation, shelf) for operation in operations}
    planned = frozenset[str]().union(*(operation.planned for operation in operations))
    waiting = {name: one for group in expected.values() for name, one in group.items() if one is not None}

    def look() -> bool | None:
        for name, served in context.wire.served(https, sorted(waiting)).items():
            if served is not None and served.fingerprint in {waiting[name].fingerprint, *planned}:
                del waiting[name]
        return None if waiting else True

    wait_for(look, SITE_SECONDS)
    late = _seconds_not_served(context, stack, operations, shelf)
    return [
        late.get(operation.site.name) or _verdict(expected[operation.site.name], waiting, https)
        for operation in operations
    ]


def _seconds_not_served(
    context: Context, stack: Stack, operations: Sequence[VerifySite], shelf: Shelf
) -> Mapping[Domain, StackctlError]:
    """Wait until clients of the other kind see the second certificates; return the errors of the sites by name.

    A proxy that speaks TLS 1.3 only cannot be asked for one.
    """
    both = [one.site for one in operations if one.expect_real and one.site.second_key]
    there = {site.name: held(site, shelf).second for site in both}
    waiting = {name: one.certificate for name, one in there.items() if one is not None}
    if not waiting or stack.tls is TlsPolicy.MODERN:
        return {}
    at = stack.proxy.for_visitors.at

    def look() -> bool | None:
        for name, served in context.wire.served(at, sorted(waiting), rsa=True).items():
            if served is not None and served.fingerprint == waiting[name].fingerprint:
                del waiting[name]
        return None if waiting else True

    wait_for(look, SITE_SECONDS)
    return {
        name: NotServed(f"{at} does not serve {name} with its second certificate", hint="run 'stackctl up' again")
        for name in waiting
    }


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


def name_is_refused(context: Context, stack: Stack, name: Domain) -> None:
    """Wait until a handshake with ``name`` is refused.

    Raises:
        NotServed: it is still answered.
    """
    https = stack.proxy.for_visitors.at

    def look() -> bool | None:
        shown = context.wire.served(https, [name])[name]
        return True if shown is None or shown.names == (MARKER_HOST,) else None

    if wait_for(look, SITE_SECONDS) is None:
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
