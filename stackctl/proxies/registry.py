"""The kinds of proxy, by the value of the key ``proxy`` in ``x-stackctl``."""

from __future__ import annotations

from collections.abc import Mapping

from stackctl.proxies.nginx.proxy import Nginx
from stackctl.proxies.proxy import Proxy

DEFAULT = "nginx"
"""The proxy of a file without the key ``proxy``."""

PROXIES: Mapping[str, Proxy] = {proxy.name: proxy for proxy in (Nginx(),)}

LAYOUTS = tuple(proxy.layout for proxy in PROXIES.values())
"""The layouts of all proxies, for what walks a whole stack directory."""
