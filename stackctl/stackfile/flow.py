"""Edits of keys in mappings that are written on one line, between braces; what stands around them stays as it is."""

from __future__ import annotations

import json
from typing import Any

from ruamel.yaml.nodes import MappingNode, Node

from stackctl.errors import StackfileError
from stackctl.stackfile import edit
from stackctl.stackfile.aliases import refuse_alias
from stackctl.stackfile.document import Document, Path
from stackctl.stackfile.scalars import in_place, spliced
from stackctl.templates import yaml_name


def put_entry(doc: Document, path: Path, block: str) -> Document:
    """Set the entry at ``path`` to ``block`` (``key: …``, unindented, LF), in the style of the mapping that it is in.

    Raises:
        StackfileError: the text is laid out in a way that cannot be edited.
    """
    if _is_flow(doc, path[:-1]):
        return _put(doc, path, Document.parse(block, "block").data((str(path[-1]),)))
    return edit.replace(doc, path, block) if doc.entry(path) is not None else edit.add_entry(doc, path[:-1], block)


def _is_flow(doc: Document, path: Path) -> bool:
    """Return whether the mapping at ``path``, or the nearest above it that exists, is in flow style."""
    found = doc.entry(path)
    if found is None and path:
        return _is_flow(doc, path[:-1])
    return found is not None and bool(getattr(found[1], "flow_style", False))


def _put(doc: Document, path: Path, value: Any) -> Document:  # noqa: ANN401  (YAML holds anything)
    """Set the key at ``path`` to ``value``, where the mapping that it is in has flow style.

    Raises:
        StackfileError: that would change something else.
    """
    refuse_alias(doc, path[:-1])
    if doc.entry(path) is not None:
        return in_place(doc, path, text_of(value), value)
    parent, last = path[:-1], path[-1]
    found = doc.entry(parent)
    if found is None or not isinstance(found[1], MappingNode):
        return _put(doc, parent, {last: value})
    mapping = found[1]

    def change(data: dict[str, Any]) -> None:
        edit.reach(data, parent)[last] = value

    written = f"{yaml_name(str(last))}: {text_of(value)}"
    if mapping.value:
        end = _end(mapping.value[-1][1])
        return spliced(doc, end, end, f", {written}", change)
    start = mapping.start_mark.index + 1
    return spliced(doc, start, start, written, change)


def removed(doc: Document, path: Path) -> Document:
    """Remove the entry at ``path`` from its mapping, whatever its style, and a mapping that would be empty with it.

    Raises:
        StackfileError: that would change something else.
    """
    parent, last = path[:-1], path[-1]
    found = doc.entry(parent)
    mapping = found[1] if found is not None else None
    if not isinstance(mapping, MappingNode) or not mapping.flow_style:
        return edit.remove(doc, path)
    refuse_alias(doc, parent)
    keys = [key.value for key, _ in mapping.value]
    if last not in keys:
        raise StackfileError(
            f"{'.'.join(map(str, path))} is merged from another block", where=doc.where_of(path), hint="edit it there"
        )
    if len(keys) == 1 and parent:
        return removed(doc, parent)

    def change(data: dict[str, Any]) -> None:
        del edit.reach(data, parent)[last]

    at = keys.index(last)
    key, value = mapping.value[at]
    if at + 1 < len(keys):
        return spliced(doc, key.start_mark.index, mapping.value[at + 1][0].start_mark.index, "", change)
    return spliced(doc, _end(mapping.value[at - 1][1]), _end(value), "", change)


def _end(value: Node) -> int:
    return int(value.end_mark.index)


def text_of(value: Any) -> str:  # noqa: ANN401  (YAML holds anything)
    """Return a value on one line; what JSON writes is YAML too."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{yaml_name(str(key))}: {text_of(one)}' for key, one in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(text_of, value))}]"
    return json.dumps(value, ensure_ascii=False)
