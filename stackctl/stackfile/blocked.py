"""Reads the key ``block``."""

from __future__ import annotations

from stackctl.model.blocked import Blocked, blocked_network
from stackctl.model.page_values import list_path
from stackctl.model.pages import PageFile
from stackctl.stackfile.block_keys import BlockKeys
from stackctl.stackfile.document import Document, Path
from stackctl.stackfile.keys import checked


def read_blocked(doc: Document, path: Path, keys: BlockKeys | None) -> Blocked:
    """Return the clients that the block at ``path`` refuses.

    Raises:
        StackfileError: a value is wrong; with its place.
    """
    if keys is None:
        return Blocked()
    place: Path = (*path, "block")
    networks = [checked(doc, (*place, "addresses", n), blocked_network, text) for n, text in enumerate(keys.addresses)]
    lists = []
    for index, text in enumerate(keys.lists):
        at: Path = (*place, "lists", index)
        lists.append(PageFile(checked(doc, at, list_path, text), doc.where_of(at)))
    return Blocked(tuple(networks), tuple(dict.fromkeys(lists)))
