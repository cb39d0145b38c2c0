"""Reads the key ``key-type``: one type of key, or both for two certificates side by side."""

from __future__ import annotations

from collections.abc import Sequence

from stackctl.errors import StackfileError
from stackctl.model.acme import KeyType
from stackctl.stackfile.document import Document, Path


def first_key(written: str | Sequence[str]) -> KeyType:
    """Return the key of a site's own certificate; of both it is ECDSA, which clients that have both prefer."""
    return KeyType(written) if isinstance(written, str) else KeyType.ECDSA


def second_key(doc: Document, block: Path, written: str | Sequence[str] | None) -> KeyType | None:
    """Return the key of a second certificate, if the block at ``block`` asks for one.

    Raises:
        StackfileError: a list has the same type twice.
    """
    if written is None or isinstance(written, str):
        return None
    if len({*written}) != len(written):
        raise StackfileError(
            f"{written[0]} is listed twice here",
            where=doc.where_of((*block, "key-type")),
            hint="write [ecdsa, rsa] for two certificates",
        )
    return KeyType.RSA
