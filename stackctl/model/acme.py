"""How certificates are requested: the CA, the account, and the kind of key."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

LETSENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"
LETSENCRYPT_STAGING = "https://acme-staging-v02.api.letsencrypt.org/directory"
CA_NAMES = {"letsencrypt": LETSENCRYPT, "letsencrypt-staging": LETSENCRYPT_STAGING}
"""CAs with a short name, and their ACME directories."""

LOCAL = "local"
"""The word for the stack's own CA, which is asked by no protocol."""

LOCAL_DOMAINS = ("localhost", "test", "internal")
"""What it issues for without further settings: domains that are never registered (RFC 6761, ICANN)."""


class KeyType(StrEnum):
    """The key of a certificate, as certbot names it."""

    ECDSA = "ecdsa"
    RSA = "rsa"


def second_lineage(first: str, key: KeyType) -> str:
    """Return the name of the lineage with a second certificate; no domain has an underscore there."""
    return f"{first}_{key}"


def is_second(lineage: str) -> bool:
    """Return whether a lineage is called as those are that hold second certificates."""
    return lineage.rpartition("_")[2] in {*KeyType}


@dataclass(frozen=True, slots=True)
class OwnIssuance:
    """How the certificate of one site is requested, where that is not as for all others; None is as for those.

    Attributes:
        ca: the ACME directory, or :data:`LOCAL`.
    """

    ca: str | None = None
    key_type: KeyType | None = None
    key_size: int | None = None
    profile: str | None = None

    def __bool__(self) -> bool:
        return self != OwnIssuance()


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

    def of(self, own: OwnIssuance) -> Acme:
        """Return how the certificate of a site is requested that has settings of its own."""
        there = self
        if own.ca is not None and own.ca != (LOCAL if self.local else self.directory):
            directory = LETSENCRYPT if own.ca == LOCAL else own.ca
            # A binding is for one CA, and so is a profile.
            there = replace(there, local=own.ca == LOCAL, directory=directory, eab_kid=None, profile=None)
        key_type = own.key_type or (KeyType.RSA if own.key_size else there.key_type)
        key_size = own.key_size or there.key_size
        return replace(there, key_type=key_type, key_size=key_size, profile=own.profile or there.profile)

    @property
    def key(self) -> str:
        """The kind of key, as certificates are compared by it."""
        return f"rsa-{self.key_size}" if self.key_type is KeyType.RSA else "ecdsa-256"

    @property
    def is_for_tests(self) -> bool:
        """Whether no browser trusts the certificates of the CA."""
        return self.directory == LETSENCRYPT_STAGING
