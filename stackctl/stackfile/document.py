"""A YAML text with the position of each of its values.

The text is never dumped again: reading gives nodes with places, and edits
(:mod:`stackctl.stackfile.edit`) splice lines. So what stackctl did not write
survives byte for byte, and every error can name its line.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from stackctl.errors import StackfileError
from stackctl.stackfile.composing import composed

Path = tuple[str | int, ...]
"""Keys and list positions from the top of the document to a value."""

_TAG = "tag:yaml.org,2002:"

Index = dict[str, tuple[Node, Node]]
"""Entries of a mapping by key."""


@dataclass(frozen=True)
class Document:
    """One YAML document: its text, its name in messages, and its root node.

    ``values`` are the values of scalars whose text contains variables, by the identity of the node.
    """

    text: str
    name: str
    root: MappingNode
    values: Mapping[int, str] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def parse(cls, text: str, name: str) -> Document:
        """Read ``text``.

        Raises:
            StackfileError: not YAML, more than one document, or not a mapping at the top.
        """
        body = text.removeprefix("\ufeff")
        try:
            root = composed(body, name)
        except YAMLError as error:
            raise StackfileError(
                f"not YAML: {_problem(error)}",
                where=f"{name}:{_line(error, body)}",
                hint="fix the line; nothing has been changed",
            ) from error
        if root is None or (isinstance(root, ScalarNode) and str(root.tag) == f"{_TAG}null"):
            root = MappingNode(f"{_TAG}map", [])
        if not isinstance(root, MappingNode):
            raise StackfileError("a Compose file must be a mapping at the top, such as 'services:'", where=f"{name}:1")
        doc = cls(text, name, root)
        cycle = _cycle(root, set(), set()) if "&" in text else None
        if cycle is not None:
            problem, hint = "this block contains itself through an alias", "write the block out"
            raise StackfileError(problem, where=doc.where(cycle), hint=hint)
        return doc

    @cached_property
    def _bom(self) -> int:
        return 1 if self.text.startswith("\ufeff") else 0

    @cached_property
    def newline(self) -> str:
        """The line ending of the text: that of its first line."""
        first = self.text.find("\n")
        return "\r\n" if first > 0 and self.text[first - 1] == "\r" else "\n"

    @cached_property
    def lines(self) -> list[str]:
        """The text's lines with their endings; joined they are the text."""
        parts = self.text.split("\n")
        lines = [part + "\n" for part in parts[:-1]]
        return [*lines, parts[-1]] if parts[-1] else lines

    @cached_property
    def _starts(self) -> list[int]:
        starts = [0]
        for line in self.lines:
            starts.append(starts[-1] + len(line))
        return starts

    @cached_property
    def _indexes(self) -> dict[int, Index]:
        return {}

    # The parser counts lines by YAML 1.1, which knows more line breaks than an editor does: places
    # come from the character's index instead.
    def line_of(self, index: int) -> int:
        """The line, from 0, of the parser's character ``index``."""
        return max(0, min(bisect_right(self._starts, index + self._bom) - 1, len(self.lines) - 1))

    def column_of(self, node: Node) -> int:
        """The column, from 0, at which a node starts."""
        line = self.line_of(node.start_mark.index)
        # A byte order mark precedes the first line and counts in no column of it.
        return int(node.start_mark.index + self._bom - max(self._starts[line], self._bom))

    def where(self, node: Node | None) -> str:
        """``file:line`` of a node."""
        if node is None or node.start_mark is None:
            return self.name
        return f"{self.name}:{self.line_of(node.start_mark.index) + 1}"

    def entry(self, path: Path) -> tuple[Node, Node] | None:
        """The (key, value) nodes at ``path``; for a list position the value is the key too.

        Merge keys (``<<``) are followed, as Compose does.
        """
        key: Node = self.root
        value: Node = self.root
        for step in path:
            if isinstance(value, MappingNode) and isinstance(step, str):
                found = _indexed(value, self._indexes).get(step)
                if found is None:
                    return None
                key, value = found
            elif isinstance(value, SequenceNode) and isinstance(step, int) and step < len(value.value):
                key = value = value.value[step]
            else:
                return None
        return key, value

    def where_of(self, path: Path) -> str:
        """Return ``file:line`` of the key at ``path``, or of its nearest parent that exists."""
        for end in range(len(path), 0, -1):
            found = self.entry(path[:end])
            if found is not None:
                return self.where(found[0])
        return self.where(self.root)

    def own_keys(self, path: Path) -> list[ScalarNode]:
        """Return the keys of the mapping at ``path``, without merged ones."""
        found = self.entry(path)
        if found is None or not isinstance(found[1], MappingNode):
            return []
        return [key for key, _ in found[1].value if isinstance(key, ScalarNode) and not _is_merge(key)]

    def data(self, path: Path = ()) -> Any:  # noqa: ANN401  (YAML holds anything)
        """Return the plain value at ``path``, merges applied, or None."""
        found = self.entry(path)
        return None if found is None else _plain(found[1], {}, self.values)

    def names(self, path: Path) -> tuple[str, ...]:
        """Return the keys of the mapping at ``path``, merged ones included; none if it is no mapping."""
        found = self.entry(path)
        if found is None or not isinstance(found[1], MappingNode):
            return ()
        return tuple(_indexed(found[1], self._indexes))

    def keys_that_are_no_text(self, path: Path) -> Iterator[ScalarNode]:
        """Yield the keys below ``path`` that YAML reads as a number, a truth value or null."""
        found = self.entry(path)
        for node in _below(found[1], set()) if found is not None else ():
            for key, _ in node.value if isinstance(node, MappingNode) else ():
                if isinstance(key, ScalarNode) and not _is_merge(key) and not str(key.tag).endswith(":str"):
                    yield key

    def variables(self, path: Path) -> dict[int, str]:
        """Return the texts below ``path`` that contain a ``$``, by the identity of their nodes."""
        found = self.entry(path)
        below = _below(found[1], set()) if found is not None else ()
        return {id(one): str(one.value) for one in below if isinstance(one, ScalarNode) and "$" in one.value}

    def interpolated(self, values: Mapping[int, str]) -> Document:
        """Return the document with ``values`` in the place of texts that :meth:`variables` returned."""
        return replace(self, values=values) if values else self

    def written(self, path: Path) -> str | None:
        """Return the text at ``path`` as it is written, if its value comes from variables."""
        found = self.entry(path)
        return str(found[1].value) if found is not None and id(found[1]) in self.values else None


def _below(node: Node, seen: set[int]) -> Iterator[Node]:
    """Yield a node and all values below it, each once; keys are none."""
    if id(node) in seen:
        return
    seen.add(id(node))
    yield node
    if isinstance(node, SequenceNode | MappingNode):
        for child in node.value:
            yield from _below(child[1] if isinstance(child, tuple) else child, seen)


def _cycle(node: Node, above: set[int], clean: set[int]) -> Node | None:
    """Return a node that is its own ancestor, or None; ``clean`` nodes are skipped."""
    if id(node) in above:
        return node
    if id(node) in clean or not isinstance(node, SequenceNode | MappingNode):
        return None
    above.add(id(node))
    for child in node.value:
        for part in child if isinstance(child, tuple) else (child,):
            found = _cycle(part, above, clean)
            if found is not None:
                return found
    above.discard(id(node))
    clean.add(id(node))
    return None


def _problem(error: YAMLError) -> str:
    if isinstance(error, MarkedYAMLError):
        return " ".join(part for part in (error.problem, error.context) if part)
    return str(getattr(error, "reason", error)).splitlines()[0]


def _line(error: YAMLError, text: str) -> int:
    """Return the line of an error, from 1; the last line for an error at the end."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    index = mark.index if mark is not None else getattr(error, "position", 0)
    return min(text.count("\n", 0, index) + 1, max(1, len(text.splitlines())))


def _indexed(mapping: MappingNode, known: dict[int, Index]) -> Index:
    """The entries of a mapping by key, merged ones included; cached, as a file may have a thousand services."""
    index = known.get(id(mapping))
    if index is None:
        index = known[id(mapping)] = {}
        for key_node, value_node in mapping.value:
            if _is_merge(key_node):
                for source in _merge_sources(value_node):
                    index = known[id(mapping)] = {**_indexed(source, known), **index}
        index.update({key.value: (key, value) for key, value in mapping.value if not _is_merge(key)})
    return index


def _is_merge(key: Node) -> bool:
    # The text first: a tag is made a string at each look, for all keys of all services.
    return key.value == "<<" and str(key.tag).endswith(":merge")


def _merge_sources(node: Node) -> list[MappingNode]:
    nodes = node.value if isinstance(node, SequenceNode) else [node]
    return [source for source in nodes if isinstance(source, MappingNode)]


def _plain(node: Node, seen: dict[int, Any], values: Mapping[int, str]) -> Any:  # noqa: ANN401  (YAML holds anything)
    if isinstance(node, ScalarNode):
        return values[id(node)] if id(node) in values else _scalar(node)
    # An anchor used many times is built once, so a file of nested aliases cannot exhaust memory.
    if id(node) in seen:
        return seen[id(node)]
    if isinstance(node, SequenceNode):
        items: list[Any] = []
        seen[id(node)] = items
        items.extend(_plain(item, seen, values) for item in node.value)
        return items
    mapping: dict[Any, Any] = {}
    seen[id(node)] = mapping
    for key_node, value_node in node.value:
        if _is_merge(key_node):
            for source in _merge_sources(value_node):
                for key, value in _plain(source, seen, values).items():
                    mapping.setdefault(key, value)
    for key_node, value_node in node.value:
        if not _is_merge(key_node):
            mapping[str(key_node.value)] = _plain(value_node, seen, values)
    return mapping


_BOOLEANS = {"true": True, "false": False}


def _scalar(node: ScalarNode) -> Any:  # noqa: ANN401  (YAML holds anything)
    """Resolve a scalar by the core schema of YAML 1.2; anything else is text."""
    kind = str(node.tag).removeprefix(_TAG)
    text = str(node.value)
    if kind in {"str", "null"}:
        return text if kind == "str" else None
    try:
        if kind == "int":
            return int(text.replace("_", ""), 0) if not text.lstrip("+-").startswith("0") else int(text, 10)
        if kind == "float":
            return float(text)
    except ValueError:
        return text
    if kind == "bool":
        return _BOOLEANS.get(text.lower(), text)
    return text
