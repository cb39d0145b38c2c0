"""The shape of the key about the source of a site's certificate."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct


class ImportedKeys(Struct, rename="kebab", forbid_unknown_fields=True, kw_only=True):
    """``certificate``: a certificate that is not requested from the stack's CA; ``imported`` or ``file``."""

    imported: Annotated[str, Meta(description="Name under which 'stackctl cert import' stored it")] | None = None
    file: Annotated[str, Meta(description="PEM or DER file, relative to the stack's directory")] | None = None
    key: Annotated[str, Meta(description="File with its private key, if it is another one")] | None = None
    chain: Annotated[str, Meta(description="File with the intermediates, if it is another one")] | None = None
    fallback: (
        Annotated[Literal["acme"], Meta(description="Request one from the CA when it is missing or near its end")]
        | None
    ) = None
    days: (
        Annotated[int, Meta(ge=0, le=365, description="Days before its end from which the fallback is used")] | None
    ) = None


CertificateKey = Annotated[
    str | ImportedKeys | None,
    Meta(description="Certificate of certbot's, by its name, which several sites may share; or 'imported'"),
]
