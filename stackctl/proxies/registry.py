"""The kinds of proxy, by the value of the key ``proxy`` in ``x-stackctl``."""

from __future__ import annotations

from collections.abc import Mapping

from stackctl.proxies.nginx.proxy import Nginx
from stackctl.proxies.proxy import Proxy

DEFAULT = "nginx"
"""What a file without the key ``proxy`` means."""

PROXIES: Mapping[str, Proxy] = {proxy.name: proxy for proxy in (Nginx(),)}

LAYOUTS = tuple(proxy.layout for proxy in PROXIES.values())
"""Where files of a proxy may be, for what goes through a whole stack directory."""
