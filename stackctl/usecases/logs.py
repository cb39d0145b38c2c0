"""``stackctl logs``: what the proxy and an app print."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stackctl.engine.context import Context
from stackctl.errors import InputError
from stackctl.model.values import Domain
from stackctl.usecases.converge import load_current


@dataclass(frozen=True, slots=True)
class LogsReport:
    """How many lines were shown."""

    lines: int


def logs(context: Context, domain: Domain | None, *, tail: int, follow: bool) -> Iterator[str]:
    """Lines of all services; with a domain, of its service and of the proxy where they name it."""
    loaded = load_current(context)
    if domain is None:
        yield from context.orchestrator.follow([], tail=tail, follow=follow)
        return
    site = loaded.stack.site(domain)
    if site is None:
        raise InputError(f"{domain} is not routed here", hint="see 'stackctl status' for the names that are")
    proxy_service = loaded.stack.proxy.service
    proxy = context.proxy_of(loaded.stack)
    for line in context.orchestrator.follow([proxy_service, *site.services], tail=tail, follow=follow):
        service, _, text = line.partition("|")
        from_proxy = service.strip().startswith(proxy_service)
        if not from_proxy or proxy.concerns(text, site.domains):
            yield line
