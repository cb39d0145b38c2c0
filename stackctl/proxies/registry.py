"""The kinds of proxy, by the value of the key ``proxy`` in ``x-stackctl``."""

from __future__ import annotations

from stackctl.proxies.haproxy.proxy import Haproxy
from stackctl.proxies.nginx.proxy import Nginx
from stackctl.proxies.proxy import Proxy, ProxyLayout

DEFAULT = "nginx"
"""The proxy of a file without the key ``proxy``."""

PROXIES: dict[str, Proxy] = {proxy.name: proxy for proxy in (Nginx(), Haproxy())}


def layouts() -> tuple[ProxyLayout, ...]:
    """Return where files of a proxy may be, for what goes through a whole stack directory."""
    return tuple(proxy.layout for proxy in PROXIES.values())
