"""Changes single keys of a site in the text of a Compose file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import Struct, inspect

from stackctl.errors import InputError, StackfileError
from stackctl.model.routing import Site
from stackctl.model.values import site_domain
from stackctl.spelling import nearest
from stackctl.stackfile import flow
from stackctl.stackfile.answer_keys import RedirectKeys
from stackctl.stackfile.document import Document, Path
from stackctl.stackfile.keys import KEY, hint_of_compose
from stackctl.stackfile.schema import AppKeys, ServiceKeys, known_keys
from stackctl.stackfile.shapes import alternatives, members
from stackctl.templates import yaml_name

_PLAIN = re.compile(r"[0-9][A-Za-z0-9.-]*\Z")
_SHAPES: dict[str | int, type[Struct]] = {"apps": AppKeys, "redirects": RedirectKeys}
_FLOW = ("[", "{")


@dataclass(frozen=True, slots=True)
class Change:
    """A key to set or to remove.

    Attributes:
        key: as it is written, those of a nested mapping separated by dots: ``upstream-tls.name``.
        value: None to remove the key.
    """

    key: str
    value: str | None = None

    def __str__(self) -> str:
        return self.key if self.value is None else f"{self.key}={self.value}"

    @property
    def steps(self) -> tuple[str, ...]:
        """The keys from the site's block to the value."""
        return tuple(self.key.split("."))


def block_of(values: Document, site: Site) -> Path:
    """Return the place of the keys of the whole site: an item of a top-level list, or the key of a service."""
    lists: list[Path] = [(KEY, key, n) for key in _SHAPES for n, _ in enumerate(values.data((KEY, key)) or [])]
    services: list[Path] = [("services", service, KEY) for service in values.names(("services",))]
    return next(
        path
        for path in (*lists, *services)
        if values.where_of(path) == site.where and site.name in map(_canonical, _names(values, path))
    )


def _names(values: Document, block: Path) -> list[str]:
    found = values.data((*block, "from" if block[1] == "redirects" else "domains")) or []
    return [found] if isinstance(found, str) else found


def _canonical(name: str) -> str:
    try:
        return site_domain(name)
    except InputError:
        return name


def changed(doc: Document, block: Path, change: Change) -> Document:
    """Return ``doc`` with one key of the block at ``block`` set or removed.

    Raises:
        InputError: the block cannot have the key, or the key cannot have the value.
        StackfileError: the text is laid out in a way that cannot be edited.
    """
    kind = _type_of(_SHAPES[block[1]] if block[0] == KEY else ServiceKeys, change)
    path: Path = (*block, *change.steps)
    if change.value is None:
        return flow.removed(doc, path) if doc.entry(path) is not None else doc
    return flow.put_entry(doc, path, f"{yaml_name(change.steps[-1])}:{_written(kind, change)}\n")


def places_of(doc: Document, block: Path, change: Change) -> frozenset[str]:
    """Return each ``file:line`` where an error would be about ``change``; one without a line has that of its block."""
    paths = [(*block, *change.steps[:end]) for end in range(1, len(change.steps) + 1)]
    return frozenset(doc.where_of(path) for path in (*paths, *_below(doc.data(paths[-1]), paths[-1])))


def _below(value: Any, path: Path) -> Iterator[Path]:  # noqa: ANN401  (YAML holds anything)
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, one in steps:
        yield (*path, step)
        yield from _below(one, (*path, step))


def _type_of(shape: type[Struct], change: Change) -> inspect.Type:
    """Return the type of a key's value.

    Raises:
        InputError: there is no such key.
    """
    kind: inspect.Type = inspect.type_info(shape)
    for position, step in enumerate(change.steps):
        parents = alternatives(kind)
        found = [one for parent in parents for one in members(parent, step)]
        if not found:
            names = [
                key for parent in parents if isinstance(parent, inspect.StructType) for key in known_keys(parent.cls)
            ]
            shown = ".".join(change.steps[: position + 1])
            near = nearest(step, names)
            known = f"known keys: {', '.join(names)}" if names else f"write {'.'.join(change.steps[:position])}=VALUE"
            raise InputError(
                f"a site has no key {shown!r}",
                where=str(change),
                hint=hint_of_compose(change.steps[:position], step) or (f"did you mean {near!r}?" if near else known),
            )
        kind = found[0]
    return kind


def _written(kind: inspect.Type, change: Change) -> str:
    """Return the value as YAML, behind the colon of its key or in the lines below it.

    A value of the wrong type is written too: the check of the whole file refuses it.
    """
    text = change.value or ""
    kinds = alternatives(kind)
    if text.startswith(_FLOW):
        return _lines(_parsed(change))
    if any(isinstance(one, inspect.ListType) for one in kinds) and ("," in text or len(kinds) == 1):
        return _lines([part.strip() for part in text.split(",") if part.strip()])
    is_text = "$" in text or any(isinstance(one, inspect.StrType) for one in kinds)
    return f" {_scalar(text if is_text else _parsed(change))}"


def _parsed(change: Change) -> Any:  # noqa: ANN401  (YAML holds anything)
    try:
        return Document.parse(f"value: {change.value}\n", change.key).data(("value",))
    except StackfileError as error:
        raise InputError(error.message, where=str(change)) from error


def _lines(value: Any, indent: str = "  ") -> str:  # noqa: ANN401  (YAML holds anything)
    """Return a value in block style."""
    if isinstance(value, list) and value:
        return "".join(f"\n{indent}- {_lines(one, f'{indent}  ').lstrip()}" for one in value)
    if isinstance(value, dict) and value:
        return "".join(f"\n{indent}{yaml_name(key)}:{_lines(one, f'{indent}  ')}" for key, one in value.items())
    return f" {_scalar(value)}"


def _scalar(value: Any) -> str:  # noqa: ANN401  (YAML holds anything)
    if isinstance(value, str):
        plain = _PLAIN.match(value) and Document.parse(f"value: {value}\n", "value").data(("value",)) == value
        return value if plain else yaml_name(value)
    return msgspec.json.encode(value).decode()
