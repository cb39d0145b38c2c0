"""Edits of one value in its line: its quotes, and the comment behind it, stay as they are."""

from __future__ import annotations

from typing import Any

from ruamel.yaml.nodes import ScalarNode

from stackctl.errors import StackfileError
from stackctl.stackfile import edit
from stackctl.stackfile.document import Document, Path


def set_text(doc: Document, path: Path, value: str) -> Document:
    """Replace the text at ``path`` by ``value``, which needs no quotes in YAML.

    Raises:
        StackfileError: there is no text, it comes from a variable, or it is shared with another place.
    """
    found = doc.entry(path)
    shown = ".".join(map(str, path))
    if found is None or not isinstance(found[1], ScalarNode):
        raise StackfileError(f"there is no {shown}", where=doc.where_of(path), hint="write it there by hand")
    node = found[1]
    if "$" in node.value:
        raise StackfileError(
            f"{shown} is written as {node.value}",
            where=doc.where_of(path),
            hint="set its variables in .env or in the environment",
        )

    def change(data: dict[str, Any]) -> None:
        for step in path[:-1]:
            data = data[str(step)]
        data[str(path[-1])] = value

    mark = {"'": "'", '"': '"'}.get(node.style or "", "")
    bom = 1 if doc.text.startswith("\ufeff") else 0
    start, end = node.start_mark.index + bom, node.end_mark.index + bom
    return edit.proved(doc, f"{doc.text[:start]}{mark}{value}{mark}{doc.text[end:]}", change)
