"""The desired state: a stack, its apps and where each one lives."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from stackctl.model.endpoints import Endpoint, PortBinding
from stackctl.model.values import Domain, ServiceName

LETSENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"
LETSENCRYPT_STAGING = "https://acme-staging-v02.api.letsencrypt.org/directory"
CA_NAMES = {"letsencrypt": LETSENCRYPT, "letsencrypt-staging": LETSENCRYPT_STAGING}
"""CAs that are known by a name, and their ACME directories."""


class KeyType(StrEnum):
    """The key of a certificate, as certbot names it."""

    ECDSA = "ecdsa"
    RSA = "rsa"


class TlsPolicy(StrEnum):
    """Mozilla's server-side TLS recommendations, by their names."""

    MODERN = "modern"
    INTERMEDIATE = "intermediate"


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where the proxy finds an app.

    Attributes:
        host: a Compose service name, a DNS name or an address (IPv6 without brackets).
        port: TCP port inside the container, or on ``host``.
        service: the Compose service, or None for something outside Compose.
    """

    host: str
    port: int
    service: ServiceName | None = None

    def __str__(self) -> str:
        return str(Endpoint(self.host, self.port))


@dataclass(frozen=True, slots=True)
class Tuning:
    """What a person may set for one app or for all: nginx sizes and times with their units."""

    body_size: str = "64m"
    connect_timeout: str = "5s"
    read_timeout: str = "300s"
    send_timeout: str = "300s"


@dataclass(frozen=True, slots=True)
class Site:
    """One site: its names, and the upstream behind them.

    The first name is the app's own; the others share its certificate.

    Attributes:
        certificate: the lineage it is served with where that is not called like the app, or is shared.
    """

    domains: tuple[Domain, ...]
    upstream: Upstream
    tuning: Tuning = field(default_factory=Tuning)
    where: str = ""
    certificate: str | None = None

    @property
    def name(self) -> Domain:
        """The app's own name."""
        return self.domains[0]

    @property
    def lineage(self) -> str:
        """The name of its certificate's lineage: the app's own, unless the file says another."""
        return self.certificate or self.name

    @property
    def aliases(self) -> tuple[Domain, ...]:
        """The other names of the same certificate."""
        return self.domains[1:]


@dataclass(frozen=True, slots=True)
class Acme:
    """How certificates are asked for.

    Attributes:
        directory: URL of the CA's ACME directory (RFC 8555).
        bundle: a PEM file, relative to the stack directory, that the CA's own TLS is trusted by.
        key_size: bits of an RSA key; ignored for ECDSA (P-256).
        eab_kid: key identifier of the external account binding, where the CA wants one.
        profile: the CA's certificate profile, or None for its default.
        concurrency: how many certificates are asked for at once; None for what the memory has room for.
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


@dataclass(frozen=True, slots=True)
class ProxyService:
    """The proxy service: its image, where it is published on the host, and its kind, the key ``proxy``."""

    service: ServiceName
    image: str
    http: PortBinding
    https: PortBinding
    kind: str = "nginx"


@dataclass(frozen=True, slots=True)
class Stack:
    """Everything the stack file says that is stackctl's business.

    Attributes:
        services: every service of the file, those of inactive profiles too.
    """

    acme: Acme
    sites: tuple[Site, ...]
    proxy: ProxyService
    certbot: ServiceName
    services: frozenset[str] = frozenset()
    tls: TlsPolicy = TlsPolicy.INTERMEDIATE

    def site(self, name: str) -> Site | None:
        """The app that answers for ``name``, as its own name or as an alias."""
        return next((site for site in self.sites if name in site.domains), None)

    def sharing(self, lineage: str) -> tuple[Site, ...]:
        """The apps that are served with one certificate."""
        return tuple(site for site in self.sites if site.lineage == lineage)
