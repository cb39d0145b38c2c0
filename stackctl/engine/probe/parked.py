"""Read what an interruption left in the live files: sites that were taken out, addresses of a deploy."""

from __future__ import annotations

from collections.abc import Mapping

from stackctl.engine.context import Context
from stackctl.model.stack import Stack
from stackctl.model.values import Domain
from stackctl.proxies.proxy import Pins


def parked_sites(context: Context, stack: Stack) -> Mapping[Domain, str]:
    """Return the sites that are parked, each with the proxy's reason."""
    proxy = context.proxy_of(stack)
    return proxy.parked(context.delivery(proxy.layout).live())


def parked_and_pinned(context: Context, stack: Stack) -> tuple[Mapping[Domain, str], Pins]:
    """Return the sites that are parked, and the services whose requests go to addresses that a deploy wrote."""
    proxy = context.proxy_of(stack)
    live = context.delivery(proxy.layout).live()
    return proxy.parked(live), proxy.pins(live)
