"""How certificates are requested: the CA, the account, and the kind of key."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

LETSENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"
LETSENCRYPT_STAGING = "https://acme-staging-v02.api.letsencrypt.org/directory"
CA_NAMES = {"letsencrypt": LETSENCRYPT, "letsencrypt-staging": LETSENCRYPT_STAGING}
"""CAs with a short name, and their ACME directories."""

LOCAL = "local"
"""The word for the stack's own CA, which is asked by no protocol."""

LOCAL_DOMAINS = ("localhost", "test", "internal")
"""What it issues for without further settings: domains that nobody can own (RFC 6761, ICANN)."""


class KeyType(StrEnum):
    """The key of a certificate, as certbot names it."""

    ECDSA = "ecdsa"
    RSA = "rsa"


@dataclass(frozen=True, slots=True)
class Acme:
    """How certificates are requested.

    Attributes:
        directory: URL of the CA's ACME directory (RFC 8555).
        bundle: a PEM file, relative to the stack directory, by which the CA's own TLS is trusted.
        key_size: bits of an RSA key; ignored for ECDSA (P-256).
        eab_kid: key identifier of the external account binding, if the CA requires one.
        profile: the certificate profile, or None for the default of the CA.
        hooks: whether the hooks in certbot's tree run.
        local: whether the stack's own CA issues all certificates, and none of the CA at ``directory``.
        local_domains: domains that the stack's own CA issues for besides those of :data:`LOCAL_DOMAINS`.
        concurrency: how many certificates are requested at once; None for as many as fit into memory.
    """

    directory: str = LETSENCRYPT
    email: str | None = None
    agree_tos: bool = False
    bundle: str | None = None
    eab_kid: str | None = None
    key_type: KeyType = KeyType.ECDSA
    key_size: int = 2048
    profile: str | None = None
    concurrency: int | None = None
    hooks: bool = False
    local: bool = False
    local_domains: tuple[str, ...] = ()

    @property
    def is_for_tests(self) -> bool:
        """Whether no browser trusts the certificates of the CA."""
        return self.directory == LETSENCRYPT_STAGING
