"""nginx: which names of a site are served over plain HTTP, which are redirected, and where."""

from __future__ import annotations

from dataclasses import dataclass, replace

from stackctl.model.endpoints import HTTP_PORT, HTTPS_PORT
from stackctl.model.routing import Site
from stackctl.model.stack import ProxyService, Stack
from stackctl.model.values import Domain
from stackctl.proxies.nginx.quoting import any_of
from stackctl.proxies.proxy import SiteTls


@dataclass(frozen=True, slots=True)
class Aliases:
    """The names that are redirected to the canonical one.

    Attributes:
        plain: those that port 80 redirects.
        plain_target: where it redirects them: to HTTPS if the canonical name has a certificate.
        names: a regex for those that port 443 redirects; None for none.
        target: where it redirects them.
    """

    plain: tuple[Domain, ...] = ()
    plain_target: str = ""
    names: str | None = None
    target: str = ""


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
    found = _names(stack.proxy, site, tls)
    return replace(found, plain=(*found.plain, "_"), unknown=True) if stack.unknown.site == site.name else found


def _names(proxy: ProxyService, site: Site, tls: SiteTls) -> NamesOnHttp:
    if site.redirect is not None:
        return NamesOnHttp(site.domains, ())
    canonical = site.canonical
    aliases = tuple(name for name in site.domains if canonical not in {None, name})
    own = [name for name in site.domains if name not in aliases]
    plain, to_https = (tuple(name for name in own if (name in tls.trusted) is there) for there in (False, True))
    if canonical is None or not aliases:
        return NamesOnHttp(plain, to_https)
    http, https = proxy.http.at.port, proxy.https.at.port
    secure = f"https://{canonical}{'' if https == HTTPS_PORT else f':{https}'}"
    insecure = f"http://{canonical}{'' if http == HTTP_PORT else f':{http}'}"
    target = secure if canonical in tls.trusted else insecure
    return NamesOnHttp(plain, to_https, Aliases(aliases, target, any_of(aliases), secure))
