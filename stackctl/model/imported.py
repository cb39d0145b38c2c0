"""The source of a site's certificate that the Compose file names: a certificate that the user imported."""

from __future__ import annotations

from dataclasses import dataclass, field

from stackctl.errors import InputError
from stackctl.model.layout import site_file
from stackctl.model.own_files import path_below
from stackctl.model.values import lineage, site_domain
from stackctl.model.wildcards import is_wildcard

WORD = "imported"
"""The value of ``certificate`` for the certificate that was imported for the site itself."""

FALLBACK_DAYS = 7
"""How many days before its end another certificate takes the place of an imported one, unless the file says it."""


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """The user's own files with a certificate, relative to the stack's directory.

    Attributes:
        key: the file with the private key; that of the certificate itself if it has both.
        chain: the file with the intermediates, if they are not in that of the certificate.
    """

    file: str
    key: str
    chain: str | None = None

    @property
    def paths(self) -> tuple[str, ...]:
        """Each of the files once."""
        return tuple(dict.fromkeys(path for path in (self.file, self.key, self.chain) if path is not None))


@dataclass(frozen=True, slots=True)
class Imported:
    """The imported certificate that a site is served with.

    Attributes:
        name: of the certificate: that of the site, or one that several sites share.
        fallback: how many days before its end a certificate of the stack's CA takes its place; None for never.
        files: where the user keeps it, if the Compose file says so; else ``cert import`` stored it.
        where: ``file:line`` of the key.
    """

    name: str
    fallback: int | None = None
    files: CertificateFiles | None = None
    where: str = field(default="", compare=False)


def import_name(text: str) -> str:
    """Return ``text`` as the name of an imported certificate, which names a folder; that of a wildcard has no star."""
    if is_wildcard(text):
        return site_file(site_domain(text))
    try:
        return lineage(text)
    except InputError as error:
        raise InputError(
            f"{text!r} is not the name of a certificate",
            hint="use a domain such as shop.example.com, '*.example.com', or letters, digits, '.', '_' and '-'",
        ) from error


def certificate_path(text: str) -> str:
    """Return ``text`` as the path of a file with a certificate or a key, relative to the stack's directory."""
    return path_below(text, "a certificate", "certs/origin.pem", ", or import the file with 'stackctl cert import'")
