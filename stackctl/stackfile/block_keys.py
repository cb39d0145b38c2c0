"""The shape of ``block``."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct


class BlockKeys(Struct, rename="kebab", forbid_unknown_fields=True, kw_only=True):
    """``block``: clients that get 403."""

    addresses: Annotated[list[str], Meta(description="Addresses and networks")] = []
    lists: Annotated[list[str], Meta(description="Files with one in each line, such as lists/blocked.txt")] = []


BlockBlock = Annotated[BlockKeys | None, Meta(description="Clients that get 403")]
