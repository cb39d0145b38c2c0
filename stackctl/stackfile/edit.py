"""Edits of a Compose file: lines are inserted or removed, every other byte stays.

Each edit returns a new :class:`Document` and proves itself: the new text is read
again, and must hold the old data with exactly the one change.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from stackctl.errors import StackfileError
from stackctl.stackfile.aliases import refuse_alias
from stackctl.stackfile.document import Document, Path

_COMMENT = re.compile(r"[ \t]+#.*\Z")
"""A comment behind a value, with what separates them."""


def add_entry(doc: Document, path: Path, block: str) -> Document:
    """Add the entry ``block`` (``key: …`` in unindented block style, LF) to the mapping at ``path``.

    It is appended to the mapping, with the indentation of its neighbours. A missing
    mapping is created.
    """
    entry = Document.parse(block, "block")
    key = str(entry.own_keys(())[0].value)
    value = entry.data((key,))
    if key in {node.value for node in doc.own_keys(path)}:
        raise StackfileError(f"{key} already exists", where=doc.where_of((*path, key)), hint="edit it there")

    def change(data: dict[str, Any]) -> None:
        reach(data, path)[key] = value

    if doc.data(path) == [] and path:
        raise StackfileError("this must be a mapping", where=doc.where_of(path))
    if path and (doc.entry(path) is None or _is_empty(doc, path)):
        return _fill(doc, path, block, change)
    _, mapping = _require(doc, path)
    if not isinstance(mapping, MappingNode):
        raise StackfileError("this must be a mapping", where=doc.where_of(path))
    _require_block_style(doc, path, mapping)
    if not mapping.value:
        return proved(doc, doc.text + _ended(doc) + _crlf(doc, block), change)
    first_key, _ = mapping.value[0]
    return _insert(doc, mapping, doc.column_of(first_key), block, change)


def add_item(doc: Document, path: Path, block: str) -> Document:
    """Add the list item ``block`` (``- …``, unindented, LF) to the end of the list at ``path``."""
    value = Document.parse(f"items:\n{block}", "block").data(("items", 0))

    def change(data: dict[str, Any]) -> None:
        parent = reach(data, path[:-1])
        parent[path[-1]] = [*(parent.get(path[-1]) or []), value]

    *head, last = path
    made = f"{last}:\n{_indented(block, '  ')}"  # the key with this one item
    if doc.entry(path) is None:
        return _checked(add_entry(doc, tuple(head), made), doc, change)
    if doc.data(path) in (None, []):
        return _checked(replace(doc, path, made), doc, change)
    _, sequence = _require(doc, path)
    if not isinstance(sequence, SequenceNode) or not sequence.value:
        raise StackfileError("this must be a list with items", where=doc.where_of(path))
    _require_block_style(doc, path, sequence)
    # A block item's own node starts after "- ": the dash's column is that of the line's first character.
    first = doc.lines[doc.line_of(sequence.value[0].start_mark.index)]
    return _insert(doc, sequence, len(first) - len(first.lstrip(" ")), block, change)


def remove(doc: Document, path: Path) -> Document:
    """Remove the entry or list item at ``path``, with the comments indented below it."""
    key, value = _require(doc, path)
    parent_path, last = path[:-1], path[-1]
    _, parent = _require(doc, parent_path)
    _require_block_style(doc, parent_path, parent)
    if len(parent.value) == 1 and parent_path:
        return remove(doc, parent_path)

    def change(data: dict[str, Any]) -> None:
        del reach(data, parent_path)[last]

    start = doc.line_of(key.start_mark.index)
    line = doc.lines[start]
    end = _content_end(doc, key, value, len(line) - len(line.lstrip(" ")))
    is_last = parent.value[-1] is value or (isinstance(parent, MappingNode) and parent.value[-1][1] is value)
    if start > 0 and _blank(doc.lines[start - 1]) and (is_last or end >= len(doc.lines) or _blank(doc.lines[end])):
        start -= 1
    before = "".join(doc.lines[:start])
    if end >= len(doc.lines) and not doc.text.endswith("\n"):
        before = before.removesuffix("\n").removesuffix("\r")
    return proved(doc, before + "".join(doc.lines[end:]), change)


def replace(doc: Document, path: Path, block: str) -> Document:
    """Replace the entry at ``path`` by ``block`` (``key: …``, unindented, LF)."""
    key, value = _require(doc, path)
    _require_block_style(doc, path[:-1], _require(doc, path[:-1])[1])
    new = Document.parse(block, "block").data((str(path[-1]),))

    def change(data: dict[str, Any]) -> None:
        reach(data, path[:-1])[path[-1]] = new

    start = doc.line_of(key.start_mark.index)
    indent = " " * doc.column_of(key)
    end = _last_line(doc, key, value) + 1
    head = doc.lines[start][: len(indent)]  # the dash of a list item stays, whose first key this may be
    written = head + _crlf(doc, _indented(block, indent)).removeprefix(indent)
    lines = [*doc.lines[:start], written, *doc.lines[end:]]
    return proved(doc, "".join(lines), change)


def _fill(doc: Document, path: Path, block: str, change: Callable[[dict[str, Any]], None]) -> Document:
    """Give the absent or empty mapping at ``path`` its first entry."""
    *head, last = path
    wrapped = f"{last}:{_comment_of(doc, path)}\n{_indented(block, '  ')}"
    done = replace(doc, path, wrapped) if doc.entry(path) is not None else add_entry(doc, tuple(head), wrapped)
    return _checked(done, doc, change)


def _comment_of(doc: Document, path: Path) -> str:
    """The comment behind an empty value, with the space before it."""
    found = doc.entry(path)
    if found is None:
        return ""
    line = doc.lines[_last_line(doc, *found)].rstrip("\r\n")
    comment = _COMMENT.search(line)
    return comment[0] if comment else ""


def _insert(
    doc: Document,
    parent: Node,
    column: int,
    block: str,
    change: Callable[[dict[str, Any]], None],
) -> Document:
    if isinstance(parent, MappingNode):
        key, value = parent.value[-1]
    else:
        key = value = parent.value[-1]
    at = _content_end(doc, key, value, column)
    new = (doc.newline if _spaced(doc, parent) else "") + _crlf(doc, _indented(block, " " * column))
    before = "".join(doc.lines[:at])
    if before and not before.endswith("\n"):
        # The file ends without a line ending, and still does afterwards.
        new = doc.newline + new.removesuffix(doc.newline)
    return proved(doc, before + new + "".join(doc.lines[at:]), change)


def _spaced(doc: Document, parent: Node) -> bool:
    """Return whether a blank line separates the last two entries: then one separates the new entry too."""
    if not isinstance(parent, MappingNode):
        return False
    if len(parent.value) < 2:
        return not doc.column_of(parent.value[0][0])
    line = doc.line_of(parent.value[-1][0].start_mark.index)
    while line > 0 and doc.lines[line - 1].lstrip(" ").startswith("#"):
        line -= 1
    return line > 0 and _blank(doc.lines[line - 1])


def _content_end(doc: Document, key: Node, value: Node, column: int) -> int:
    """Return the line after an entry and after the comments below it that are indented deeper than ``column``."""
    end = line = _last_line(doc, key, value) + 1
    while line < len(doc.lines):
        text = doc.lines[line]
        if not _blank(text):
            bare = text.lstrip(" ")
            if not bare.startswith("#") or len(text) - len(bare) <= column:
                break
            end = line + 1
        line += 1
    return end


def _last_line(doc: Document, key: Node, value: Node) -> int:
    """Return the last line of an entry's own text."""
    start = doc.line_of(key.start_mark.index)
    if value.start_mark.index < key.start_mark.index:
        return start  # an alias: its node is where the anchor is
    while isinstance(value, MappingNode | SequenceNode) and not value.flow_style and value.value:
        tail = value.value[-1]
        tail_key, tail_value = tail if isinstance(value, MappingNode) else (tail, tail)
        if tail_key.start_mark.index < value.start_mark.index:
            break  # an alias as the last item of a list has no position: the check after the edit decides
        if tail_value.start_mark.index < tail_key.start_mark.index:
            return doc.line_of(tail_key.start_mark.index)
        value = tail_value
    start = doc.line_of(value.start_mark.index)
    end = doc.line_of(max(value.end_mark.index - 1, value.start_mark.index))
    if isinstance(value, ScalarNode) and value.style in {"|", ">"}:
        keeps = "+" in doc.lines[start].partition("#")[0]
        while end > start and _blank(doc.lines[end]) and not keeps:
            end -= 1
    return end


def _require(doc: Document, path: Path) -> tuple[Node, Node]:
    found = doc.entry(path)
    shown = ".".join(map(str, path))
    if found is None:
        raise StackfileError(f"there is no {shown}", where=doc.where_of(path))
    if path and isinstance(path[-1], str) and path[-1] not in {key.value for key in doc.own_keys(path[:-1])}:
        raise StackfileError(f"{shown} is merged from another block", where=doc.where_of(path), hint="edit it there")
    return found


def _require_block_style(doc: Document, path: Path, node: Node) -> None:
    """Refuse what cannot be edited by lines: flow style, and a mapping that is an alias of another."""
    shown = ".".join(map(str, path)) or "the file"
    if getattr(node, "flow_style", False):
        raise StackfileError(
            f"{shown} is in flow style (braces or brackets), in which stackctl cannot edit lines",
            where=doc.where_of(path),
            hint="write it as an indented block",
        )
    refuse_alias(doc, path)


def _is_empty(doc: Document, path: Path) -> bool:
    return doc.data(path) in (None, {}, [])


def _blank(line: str) -> bool:
    return not line.strip(" \t\r\n")


def _ended(doc: Document) -> str:
    return "" if not doc.text or doc.text.endswith("\n") else doc.newline


def _indented(block: str, indent: str) -> str:
    return "".join(f"{indent if line.strip() else ''}{line}\n" for line in block.rstrip("\n").split("\n"))


def _crlf(doc: Document, block: str) -> str:
    return block if doc.newline == "\n" else block.replace("\n", doc.newline)


def reach(data: Any, path: Path) -> Any:  # noqa: ANN401  (YAML holds anything)
    """Return the mapping or list at ``path`` in ``data``; mappings that are missing are made."""
    for step in path:
        if isinstance(data, dict) and data.get(step) is None:
            data[step] = {}
        data = data[step]
    return data


def proved(doc: Document, text: str, change: Callable[[dict[str, Any]], None]) -> Document:
    """Return ``text`` as a document if all that it changes of ``doc`` is what ``change`` does.

    Raises:
        StackfileError: it changes something else.
    """
    try:
        return _checked(Document.parse(text, doc.name), doc, change)
    except StackfileError as error:
        raise _unsafe(doc) from error


def _checked(done: Document, doc: Document, change: Callable[[dict[str, Any]], None]) -> Document:
    expected = doc.data()
    change(expected)
    if done.data() != expected:
        raise _unsafe(doc)
    return done


def _unsafe(doc: Document) -> StackfileError:
    return StackfileError(
        "this file is laid out in a way that stackctl cannot edit without touching other lines",
        where=doc.name,
        hint="make the change by hand and run 'stackctl up'; nothing has been changed",
    )
