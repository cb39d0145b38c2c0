"""A certificate request, and the arguments of certbot for it."""

from __future__ import annotations

from dataclasses import dataclass

from stackctl.model.layout import WEBROOT
from stackctl.model.stack import Acme, KeyType
from stackctl.model.values import Domain


@dataclass(frozen=True, slots=True)
class CertificateRequest:
    """A request for one certificate: the lineage's name and the names on it.

    ``force`` replaces a certificate that is not due; only the user requests that.
    """

    lineage: str
    names: tuple[Domain, ...]
    force: bool = False


def certonly(request: CertificateRequest, acme: Acme, account: str | None = None) -> list[str]:
    """Return the arguments of ``certbot`` for ``request``; ``account`` is the one to use if the CA has several.

    ``--cert-name`` with ``--renew-with-new-domains`` keeps a changed list of names
    in the same lineage, so certbot never makes a ``NAME-0001``.
    """
    argv = ["certonly", "--non-interactive", "--webroot", "--webroot-path", WEBROOT.mount]
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
