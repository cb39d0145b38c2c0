"""``stackctl logs``: returns the output of the proxy and the apps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stackctl.engine.context import Context
from stackctl.errors import InputError
from stackctl.model.values import Domain
from stackctl.usecases.converge import load_current


@dataclass(frozen=True, slots=True)
class LogsReport:
    """The number of lines printed."""

    lines: int


def logs(context: Context, domain: Domain | None, *, tail: int, follow: bool) -> Iterator[str]:
    """Yield the lines of all services; with a domain, those of its services and those of the proxy about it.

    The proxy's notices of signals are left out.
    """
    loaded = load_current(context)
    site = loaded.stack.site(domain) if domain is not None else None
    if domain is not None and site is None:
        raise InputError(f"{domain} is not routed by this stack", hint="list the routed names with 'stackctl status'")
    proxy_service = loaded.stack.proxy.service
    proxy = context.proxy_of(loaded.stack)
    services = [proxy_service, *site.services] if site is not None else []
    for line in context.orchestrator.follow(services, tail=tail, follow=follow):
        service, _, text = line.partition("|")
        from_proxy = service.strip().startswith(proxy_service)
        if from_proxy and (proxy.is_routine(text) or (site is not None and not proxy.concerns(text, site.domains))):
            continue
        yield line
