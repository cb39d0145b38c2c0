"""HAProxy: the files of one site."""

from __future__ import annotations

from collections.abc import Mapping

from stackctl.model.layout import site_file
from stackctl.model.routing import Site
from stackctl.model.stack import Stack
from stackctl.proxies.haproxy.backends import Backends, answer_files, maintenance_files
from stackctl.proxies.haproxy.frontend import indented, stores
from stackctl.proxies.haproxy.layout import SITES, custom_site
from stackctl.proxies.haproxy.servers import ca_files
from stackctl.proxies.proxy import Files, SiteTls
from stackctl.templates import render


def site_files(stack: Stack, site: Site, tls: SiteTls, custom: Mapping[str, bytes], counter: int) -> Files:
    """Return ``sites/DOMAIN.cfg`` with the certificates and the back ends of a site, and the texts of its answers."""
    own = custom.get(custom_site(site.name))
    pairs = zip(stores(site, tls), tls.by_certificate(site), strict=True)
    text = render(
        "haproxy/site.cfg.j2",
        name=site.name,
        file=site_file(site.name),
        certificates=[] if stack.proxy.https is None else [(store, part) for (store, _), part in pairs],
        backends=list(Backends(stack, site, counter).all()),
        custom=None if own is None else indented(own),
    )
    main = {f"{SITES}/{site_file(site.name)}.cfg": text.encode("utf-8", "surrogateescape")}
    return {**main, **answer_files(site), **maintenance_files(site), **ca_files(site, custom)}
