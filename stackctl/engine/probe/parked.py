"""Read which sites were taken out of the live files, and why."""

from __future__ import annotations

from collections.abc import Mapping

from stackctl.engine.context import Context
from stackctl.model.stack import Stack
from stackctl.model.values import Domain


def parked_sites(context: Context, stack: Stack) -> Mapping[Domain, str]:
    """Return the sites that are parked, each with the proxy's reason."""
    proxy = context.proxy_of(stack)
    return proxy.parked(context.delivery(proxy.layout).live())
