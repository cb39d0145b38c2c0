"""Say which upstreams lead back to the proxy itself, where a request would loop."""

from __future__ import annotations

from collections.abc import Callable, Collection

from stackctl.model.backends import Server
from stackctl.model.endpoints import HTTP_PORT, HTTPS_PORT, Endpoint
from stackctl.model.stack import Stack


def loop(server: Server, stack: Stack, names: Collection[str], own: Callable[[], Collection[str]]) -> str | None:
    """Return why requests to ``server`` come back to the stack itself, or None.

    Args:
        server: the server of a site.
        stack: the stack of the site.
        names: the names of the proxy's container on its networks.
        own: returns the addresses of this host; it is called only where one could matter.
    """
    at = server.endpoint
    if at.host in {*names, stack.proxy.service}:
        return f"{at} is the proxy itself: every request would come back to it"
    if server.service == stack.certbot:
        return f"{at} is the certbot service of the stack, which serves no site"
    published = {listener.at.port: listener.at.address for listener in stack.proxy.listeners}
    if stack.site_of(at.host) is not None and at.port in {*published, HTTP_PORT, HTTPS_PORT}:
        return f"{at.host} is a site of this stack: every request would come back to the proxy"
    if at.is_address and at.port in published and _meets(at, published[at.port]) and at.host in own():
        return f"{at} is where the proxy is published on this host: every request would come back to it"
    return None


def _meets(at: Endpoint, address: str | None) -> bool:
    return address in {None, "0.0.0.0", "::", at.host}  # noqa: S104  (compared, not bound)
