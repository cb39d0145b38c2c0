"""Finds a server of a site in the lists ``upstreams`` of a Compose file, and changes its keys there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from stackctl.model.balancing import weight
from stackctl.model.endpoints import Endpoint
from stackctl.stackfile import flow
from stackctl.stackfile.blocks import Block
from stackctl.stackfile.document import Document, Path
from stackctl.stackfile.scalars import in_place


@dataclass(frozen=True, slots=True)
class ServerChange:
    """A change of one key of a server.

    Attributes:
        verb: that of ``stackctl servers``.
        value: None to remove the key.
    """

    verb: str
    key: str
    value: int | None


DRAIN, ENABLE = ServerChange("drain", "drain", value=True), ServerChange("enable", "drain", None)


def weight_of(number: int) -> ServerChange:
    """Return the change that gives a server a weight."""
    return ServerChange("weight", "weight", weight(number))


def items_of(doc: Document, blocks: Sequence[Block], address: Endpoint) -> tuple[Path, ...]:
    """Return the places of the items with ``address`` in the lists of the ``blocks`` of a site."""
    return tuple(dict.fromkeys(_items(doc, blocks, address)))


def _items(doc: Document, blocks: Sequence[Block], address: Endpoint) -> Iterator[Path]:
    for placed in (placed for block in blocks for placed in block.routes):
        listed: Path = (*placed.path, "upstreams")
        if doc.entry(listed) is not None:
            for number, server in enumerate(placed.route.servers[: len(doc.data(listed))]):
                if server.endpoint == address:
                    yield (*listed, number)


def with_change(doc: Document, item: Path, change: ServerChange) -> Document:
    """Return ``doc`` with ``change`` of the server at ``item``.

    Raises:
        StackfileError: the text is laid out in a way that cannot be edited.
    """
    path: Path = (*item, change.key)
    if change.value is None:
        return flow.removed(doc, path) if doc.entry(path) is not None else doc
    address = doc.data(item)
    if isinstance(address, str):
        new = {"address": address, change.key: change.value}
        return in_place(doc, item, flow.text_of(new), new)
    return flow.put_entry(doc, path, f"{change.key}: {flow.text_of(change.value)}\n")
