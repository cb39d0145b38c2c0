"""Finds a server of a site in the lists ``upstreams`` of a Compose file, and changes its keys there."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ruamel.yaml.nodes import MappingNode

from stackctl.model.balancing import weight
from stackctl.model.endpoints import Endpoint
from stackctl.stackfile import edit
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
    found = doc.entry(item)
    assert found is not None, "the item was read from this text"
    node = found[1]
    if isinstance(node, MappingNode) and not node.flow_style:
        return _in_block(doc, (*item, change.key), change)
    old = doc.data(item)
    written: dict[str, Any] = {"address": old} if isinstance(old, str) else dict(old)
    new = {key: value for key, value in {**written, change.key: change.value}.items() if value is not None}
    if new == written:
        return doc
    return in_place(doc, item, _flow(new), new)


def _in_block(doc: Document, path: Path, change: ServerChange) -> Document:
    there = doc.entry(path) is not None
    if change.value is None:
        return edit.remove(doc, path) if there else doc
    written = f"{change.key}: {json.dumps(change.value)}\n"
    return edit.replace(doc, path, written) if there else edit.add_entry(doc, path[:-1], written)


def _flow(value: dict[str, Any]) -> str:
    """Return a mapping on one line; JSON is YAML."""
    return "{" + ", ".join(f"{key}: {json.dumps(one, ensure_ascii=False)}" for key, one in value.items()) + "}"
