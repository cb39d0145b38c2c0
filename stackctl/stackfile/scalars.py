"""Edits of one value in its place: what stands around it, such as a comment behind it, stays as it is."""

from __future__ import annotations

from collections.abc import Callable
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
    mark = {"'": "'", '"': '"'}.get(node.style or "", "")
    return in_place(doc, path, f"{mark}{value}{mark}", value)


def in_place(doc: Document, path: Path, written: str, value: Any) -> Document:  # noqa: ANN401  (YAML holds anything)
    """Replace the text of the value at ``path`` by ``written``, which is ``value`` in YAML.

    Raises:
        StackfileError: that would change something else.
    """
    found = doc.entry(path)
    assert found is not None, "the value was read from this text"

    def change(data: dict[str, Any]) -> None:
        edit.reach(data, path[:-1])[path[-1]] = value

    return spliced(doc, found[1].start_mark.index, found[1].end_mark.index, written, change)


def spliced(doc: Document, start: int, end: int, written: str, change: Callable[[dict[str, Any]], None]) -> Document:
    """Replace the parser's characters from ``start`` to ``end`` by ``written``, if only ``change`` is made by that.

    Raises:
        StackfileError: that would change something else.
    """
    bom = doc.text.startswith("\ufeff")
    return edit.proved(doc, f"{doc.text[: start + bom]}{written}{doc.text[end + bom :]}", change)
