"""The shape of ``client-certificate`` of ``x-stackctl``."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct


class ClientCertificateKeys(Struct, rename="kebab", forbid_unknown_fields=True, kw_only=True):
    """``client-certificate``: clients show a certificate of a CA."""

    ca: Annotated[str, Meta(description="PEM file with the certificates of the CAs that issue them")]
    crl: Annotated[str, Meta(description="PEM file with the list of revoked ones")] | None = None
    verify: Annotated[
        Literal["required", "optional"], Meta(description="Whether a client without a certificate is refused")
    ] = "required"
    pass_: Annotated[
        dict[str, Literal["subject", "issuer", "serial", "fingerprint", "verified", "certificate"]],
        Meta(max_length=10, description="Headers for the app, and what each says about the certificate"),
    ] = msgspec.field(name="pass", default_factory=dict)


ClientCertificateBlock = Annotated[
    ClientCertificateKeys | None, Meta(description="Which certificates clients of the site show")
]
