"""Refuses edits of blocks that other places of the text share by an anchor: they would change there too."""

from __future__ import annotations

from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from stackctl.errors import StackfileError
from stackctl.stackfile.document import Document, Path


def refuse_alias(doc: Document, path: Path) -> None:
    """Refuse an edit in the block at ``path`` if that, or one around it, is an alias or has one.

    Raises:
        StackfileError: with the place.
    """
    if "&" not in doc.text:
        return
    for end in range(len(path), -1, -1):
        found = doc.entry(path[:end])
        # A block that is only merged into another may have other keys there; its own lines are its own.
        if found is not None and _uses(doc.root, found[1], merged=end == len(path)) > 1:
            shown = ".".join(map(str, path[:end])) or "the file"
            raise StackfileError(
                f"{shown} is an alias of another block: an edit would change both",
                where=doc.where_of(path[:end]),
                hint="write it out, or merge it with '<<: *name'",
            )


def _uses(root: Node, wanted: Node, *, merged: bool) -> int:
    """Return in how many places a node is used: more than one if there are aliases of it."""
    uses, seen, left = 0, set[int](), [root]
    while left:
        node = left.pop()
        uses += node is wanted
        if id(node) not in seen and isinstance(node, MappingNode | SequenceNode):
            seen.add(id(node))
            for child in node.value:
                if not isinstance(child, tuple):
                    left.append(child)
                elif merged or not str(child[0].tag).endswith(":merge"):
                    left.extend(child)
    return uses
