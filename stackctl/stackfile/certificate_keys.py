"""The types of keys that say how certificates are requested: of all sites at the top, and of one in its own block."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

Ca = Annotated[str, Meta(description="letsencrypt, letsencrypt-staging, local or the URL of an ACME directory")]
_Words = Literal["ecdsa", "rsa"]
KeyTypeWord = Annotated[
    _Words | Annotated[list[_Words], Meta(min_length=2, max_length=2)],
    Meta(description="Type of the certificate's key; a list of both for two certificates"),
]
RsaKeySize = Annotated[Literal[2048, 3072, 4096], Meta(description="Size of an RSA key in bits")]
Profile = Annotated[str, Meta(pattern=r"^[a-z0-9-]{1,32}$", description="ACME certificate profile")]
