"""A certificate request, and the arguments of certbot for it."""

from __future__ import annotations

from dataclasses import dataclass

from stackctl.model.acme import Acme, KeyType
from stackctl.model.dns_providers import AUTHENTICATOR
from stackctl.model.layout import WEBROOT
from stackctl.model.values import Domain


@dataclass(frozen=True, slots=True)
class CertificateRequest:
    """A request for one certificate: the lineage's name and the names on it.

    Attributes:
        force: replaces a certificate that is not due; only the user requests that.
        own_way: renews the lineage as its renewal file says, with the names that it has.
        todo: what to do instead, if stackctl does not send it; else None.
        why_not: why it is not sent, if that is not why a certificate is wanted.
        dns: proves the names by DNS-01.
        beside: it is a second certificate with another kind of key, beside the one that the site has.
    """

    lineage: str
    names: tuple[Domain, ...]
    force: bool = False
    own_way: bool = False
    server: str | None = None
    """The CA of a lineage that is renewed its own way."""
    todo: str | None = None
    why_not: str | None = None
    acme: Acme | None = None
    """How it is requested, if not as all others."""
    dns: bool = False
    beside: bool = False


def certonly(request: CertificateRequest, acme: Acme, account: str | None = None) -> list[str]:
    """Return the arguments of ``certbot`` for ``request``, by ``acme`` or its own settings.

    ``account`` is the one to use if the CA has several.

    ``--cert-name`` with ``--renew-with-new-domains`` keeps a changed list of names
    in the same lineage, so certbot never makes a ``NAME-0001``.
    """
    acme = request.acme or acme
    if request.own_way:
        argv = ["renew", "--non-interactive", "--cert-name", request.lineage, "--no-random-sleep-on-renew"]
        argv += ["--force-renewal"] if request.force else []
        return [*argv, "--server", request.server or acme.directory]
    argv = ["certonly", "--non-interactive"]
    argv += ["--authenticator", AUTHENTICATOR] if request.dns else ["--webroot", "--webroot-path", WEBROOT.mount]
    argv += ["--cert-name", request.lineage, "--renew-with-new-domains"]
    argv += ["--force-renewal"] if request.force else ["--keep-until-expiring"]
    for name in request.names:
        argv += ["--domain", name]
    argv += ["--server", acme.directory, "--agree-tos", "--no-eff-email"]
    argv += ["--email", acme.email] if acme.email else ["--register-unsafely-without-email"]
    argv += ["--account", account] if account else []
    argv += ["--key-type", acme.key_type.value]
    if acme.key_type is KeyType.RSA:
        argv += ["--rsa-key-size", str(acme.key_size)]
    if acme.profile:
        argv += ["--preferred-profile", acme.profile]
    return argv
