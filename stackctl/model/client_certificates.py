"""Certificates that clients of a site show (mutual TLS)."""

from __future__ import annotations

from dataclasses import dataclass, field

from stackctl.model.pages import PageFile

FIELDS = ("subject", "issuer", "serial", "fingerprint", "verified", "certificate")
"""What a request can tell the app about the client's certificate."""


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """Which certificates clients show.

    Attributes:
        ca: the file with the certificates of those who issue them.
        crl: the file with the list of revoked ones.
        required: whether a client without one is refused.
        headers: request headers for the app, each with one of :data:`FIELDS`; none comes from a client.
        where: ``file:line`` of the key.
    """

    ca: PageFile
    crl: PageFile | None = None
    required: bool = True
    headers: tuple[tuple[str, str], ...] = ()
    where: str = field(default="", compare=False)

    @property
    def files(self) -> tuple[PageFile, ...]:
        """Its files."""
        return (self.ca, self.crl) if self.crl is not None else (self.ca,)
