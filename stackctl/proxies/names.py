"""Which names of a site are served over plain HTTP, which are redirected, and where."""

from __future__ import annotations

from dataclasses import dataclass, replace

from stackctl.model.routing import Site
from stackctl.model.stack import Stack
from stackctl.model.values import Domain
from stackctl.proxies.proxy import SiteTls


@dataclass(frozen=True, slots=True)
class Aliases:
    """The names that are redirected to the canonical one.

    Attributes:
        plain: those that port 80 redirects.
        scheme: of the URL that they are redirected to: HTTPS if the canonical name has a certificate; empty for the
            scheme that the visitor uses.
        target: the host in that URL, with its port where it needs one.
        there: whether port 443 redirects them too: the canonical name has its certificate.
    """

    plain: tuple[Domain, ...] = ()
    scheme: str = ""
    target: str = ""
    there: bool = False


@dataclass(frozen=True, slots=True)
class NamesOnHttp:
    """The names of a site, by what port 80 does with them.

    Attributes:
        plain: served there: they have no certificate yet, or are redirected to another site at once.
        to_https: redirected to the same name on port 443.
        unknown: whether names that no site has are served there too.
    """

    plain: tuple[str, ...]
    to_https: tuple[Domain, ...]
    aliases: Aliases = Aliases()
    unknown: bool = False


def names_on_http(stack: Stack, site: Site, tls: SiteTls) -> NamesOnHttp:
    """Return what port 80 does with each name of ``site``: no redirect takes more than one hop."""
    found = _names(stack, site, tls)
    return replace(found, unknown=True) if stack.unknown.site == site.name else found


def _names(stack: Stack, site: Site, tls: SiteTls) -> NamesOnHttp:
    proxy = stack.proxy
    if site.redirect is not None:
        return NamesOnHttp(site.domains, ())
    canonical = site.canonical
    there = canonical in tls.trusted
    aliases = () if canonical is None else tuple(name for name in site.domains if name != canonical)
    # A canonical name without a certificate leaves the other names on HTTPS.
    redirected = tuple(name for name in aliases if there or name not in tls.trusted)
    own = [name for name in site.domains if name not in redirected]
    plain, to_https = (tuple(name for name in own if (name in tls.trusted) is secure) for secure in (False, True))
    if not redirected:
        return NamesOnHttp(plain, to_https)
    if proxy.https is None:
        scheme = "https" if stack.behind and stack.behind.redirect else ""
        return NamesOnHttp(plain, (), Aliases(redirected, scheme, str(canonical)))
    listener = proxy.https if there else proxy.http
    port = "" if listener.at.port == listener.port else f":{listener.at.port}"
    return NamesOnHttp(plain, to_https, Aliases(redirected, listener.scheme, f"{canonical}{port}", there))
