"""Renders a stack with a proxy, and gives a set of files its id."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from stackctl.certs.copied import Pair
from stackctl.certs.held import Held
from stackctl.model.layout import CERTBOT_CONF, LINEAGES, OLD_CERTS_MOUNT, PAIRS_OF_LINEAGES, PAIRS_OF_STORED
from stackctl.model.routing import Site
from stackctl.model.stack import Stack
from stackctl.model.values import Domain
from stackctl.proxies.proxy import Files, NamesTls, Proxy, Rendered, SiteTls
from stackctl.proxies.redirects import with_reached_redirects


@dataclass(frozen=True, slots=True)
class Rendering:
    """What rendering depends on besides the stack: the proxy, its version, and the user's own files."""

    proxy: Proxy
    version: tuple[int, ...]
    custom: Mapping[str, bytes]

    def render(
        self,
        stack: Stack,
        sites: Collection[Site],
        tls: Mapping[Domain, SiteTls],
        reached: Mapping[Domain, SiteTls] | None = None,
    ) -> Rendered:
        """Return the files that all sites share, and those of ``sites``; ``tls`` is of all sites.

        Redirects to sites lead to HTTPS by the certificates in ``reached``, which are those of ``tls`` by default.
        """
        custom = {name: served_copy(content) for name, content in self.custom.items()}
        if stack.proxy.https is None:
            # TLS ends in front of the proxy: what it has of certificates leads nowhere.
            tls = {name: replace(one, trusted=frozenset[Domain]()) for name, one in tls.items()}
        stack, sites = with_reached_redirects(stack, sites, tls if reached is None else reached)
        return self.proxy.render(stack, sites, tls, self.version, custom)


_SERVED = {
    f"{CERTBOT_CONF.mount}/{LINEAGES}/".encode(): f"{PAIRS_OF_LINEAGES.mount}/".encode(),
    f"{OLD_CERTS_MOUNT}/".encode(): f"{PAIRS_OF_STORED.mount}/".encode(),
}


def served_copy(custom: bytes) -> bytes:
    """Return a file of the user's own with the paths of certificates as the proxy's container has them.

    The user names certificates where certbot stores them, or where an earlier version stored others; the proxy sees
    only their verified copies.
    """
    for path, served in _SERVED.items():
        custom = custom.replace(path, served)
    return custom


def site_tls(site: Site, held: Held) -> SiteTls:
    """Return how a site is served with the certificates it has; with a dummy none of its names is trusted."""
    trusted = frozenset(name for name in site.domains if held.of(name) is not None)
    others = tuple(NamesTls(part.names, part.pair.chain, part.pair.key) for part in held.others)
    second = (held.second.pair.chain, held.second.pair.key) if held.second else None
    return SiteTls(held.pair.chain, held.pair.key, trusted, others, second)


def issued_tls(site: Site, pair: Pair) -> SiteTls:
    """Return how a site is served once its request has succeeded."""
    return SiteTls(pair.chain, pair.key, frozenset[Domain](site.domains))


def generation_of(files: Files) -> str:
    """Return the id of a set of files: a digest of paths and contents."""
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(f"{path}\0{len(files[path])}\0".encode())
        digest.update(files[path])
    return digest.hexdigest()[:16]
