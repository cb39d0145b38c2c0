"""Reads the keys of one ``x-stackctl``: its shape, its values, and the place of what is wrong there."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from stackctl.errors import InputError, StackfileError
from stackctl.spelling import nearest
from stackctl.stackfile.document import Document, Path
from stackctl.stackfile.schema import BLOCKS, LISTS, MAPPINGS, known_keys
from stackctl.stackfile.shapes import kinds_at, words_of
from stackctl.wording import either

KEY = "x-stackctl"

ShapeT = TypeVar("ShapeT", bound=Struct)
T = TypeVar("T")
V = TypeVar("V")

_FAULT = re.compile(r"(?P<problem>.*?)(?: - at (?:`key` in )?`\$(?P<path>.*)`)?\Z", re.DOTALL)
_STEP = re.compile(r"\.(?P<key>[^.\[]+)|\[(?P<index>\d+)\]|\[\.\.\.\]")
_CHOICE = re.compile(r"Invalid enum value (.*)\Z", re.DOTALL)
_TYPES = re.compile(r"`([a-z]+(?: \| [a-z]+)*)`")
_OF_COMPOSE = frozenset(
    [
        "endpoint_mode",
        "labels",
        "mode",
        "placement",
        "replicas",
        "resources",
        "restart_policy",
        "rollback_config",
        "update_config",
    ]
)
"""Keys of ``deploy`` in Compose."""

_KINDS = {
    "int": "a whole number",
    "float": "a number with a fraction",
    "str": "text",
    "bool": "true or false",
    "array": "a list",
    "object": "a mapping",
}
_UNITS = {"body-size", "connect-timeout", "read-timeout", "send-timeout"}


def checked(doc: Document, path: Path, parse: Callable[[V], T], value: V) -> T:
    """Return what ``parse`` makes of the value at ``path``.

    Raises:
        StackfileError: it is wrong; with the place, and what to do.
    """
    try:
        return parse(value)
    except InputError as error:
        hint = _hint_of(doc, path) or error.hint
        raise StackfileError(error.message, where=doc.where_of(path), hint=hint) from error


def _hint_of(doc: Document, path: Path) -> str | None:
    """Return what to do about a wrong value that comes from variables."""
    written = doc.written(path)
    if written is not None and has_variable(written):
        return f"it is written as {written}: set its variables in .env or in the environment, or write $$ for a $"
    if any(map(has_variable, doc.variables(path).values())):
        return "Docker Compose, which gives variables their values, is not usable"
    return None


def has_variable(text: str) -> bool:
    """Return whether a text as it is written contains more than Compose's ``$$`` for a dollar sign."""
    return "$" in text.replace("$$", "")


def decode(doc: Document, path: Path, shape: type[ShapeT]) -> ShapeT:
    """Return the block at ``path`` as a ``shape``.

    Raises:
        StackfileError: an unknown key, or a value of another type; with the place, and what to do.
    """
    data = doc.data(path)
    _refuse_unknown(doc, path, data, shape)
    try:
        # The value of a variable is text, whatever its type is to be.
        return msgspec.convert(data, shape, strict=not doc.variables(path))
    except msgspec.ValidationError as error:
        match = _FAULT.match(str(error))
        assert match is not None  # the pattern matches any text
        place = (*path, *_steps(data, match["path"] or ""))
        problem, hint = _described(match["problem"], shape, place[len(path) :])
        raise StackfileError(
            f"{'.'.join(map(str, place))}: {problem[:1].lower()}{problem[1:]}",
            where=doc.where_of(place),
            hint=_hint_of_type(problem, place) or _hint_of(doc, place) or hint,
        ) from error


def _described(problem: str, shape: type[Struct], steps: Path) -> tuple[str, str | None]:
    """Return msgspec's words about a value of a ``shape`` in ours, and what was probably meant."""
    given = _CHOICE.match(problem)
    if given is None:
        return _TYPES.sub(lambda types: _kinds(types[1]), problem), None
    words = list(words_of(kinds_at(shape, steps)))
    near = nearest(given[1].strip("'"), words)
    return f"expected {either(words, len(words))}, got {given[1]}", f"did you mean {near!r}?" if near else None


def _steps(data: Any, path: str) -> tuple[str | int, ...]:  # noqa: ANN401  (YAML)
    """Return the steps of a path of msgspec's; it does not name the key of a value that is wrong in a mapping."""
    steps: list[str | int] = []
    for step in _STEP.finditer(path):
        found = step["key"] or (int(step["index"]) if step["index"] else next(_wrong(data), None))
        if found is None:
            break
        steps.append(found)
        data = data[found]
    return tuple(steps)


def _wrong(fields: dict[str, Any]) -> Iterator[str]:
    """Yield the keys whose values are neither a text nor a list of texts nor nothing."""
    for key, value in fields.items():
        texts = value if isinstance(value, list) and value else [value]
        if value is not None and not all(isinstance(text, str) for text in texts):
            yield key


def _kinds(types: str) -> str:
    """Return the words for msgspec's names of types; that a value may be left out needs no word."""
    names = types.split(" | ")
    kinds = [_KINDS.get(name, name) for name in names if name != "null" or len(names) == 1]
    return " or ".join(kinds) if {*names} <= {*_KINDS, "null"} else f"`{types}`"


def _hint_of_type(problem: str, place: Path) -> str | None:
    if "xpected text" not in problem or problem.endswith(("got null", "got a list", "got a mapping")):
        return None
    return "write it with its unit, such as 64m or 60s" if place[-1] in _UNITS else "write it in quotes"


def _refuse_unknown(doc: Document, path: Path, data: Any, shape: type[Struct]) -> None:  # noqa: ANN401  (YAML)
    if not isinstance(data, dict):
        return
    known = known_keys(shape)
    for key, value in data.items():
        if key not in known:
            near = nearest(str(key), known)
            raise StackfileError(
                f"{'.'.join(map(str, path))} has no key {key!r}",
                where=doc.where_of((*path, key)),
                hint=hint_of_compose(path, str(key))
                or (f"did you mean {near!r}?" if near else f"known keys: {', '.join(known)}"),
            )
        if key in LISTS and isinstance(value, list):
            for index, item in enumerate(value):
                _refuse_unknown(doc, (*path, key, index), item, LISTS[key])
        elif key in MAPPINGS and isinstance(value, dict):
            for name, item in value.items():
                _refuse_unknown(doc, (*path, key, name), item, MAPPINGS[key])
        elif key in BLOCKS:
            _refuse_unknown(doc, (*path, key), value, BLOCKS[key])


def hint_of_compose(path: Path, key: str) -> str | None:
    """Return where a key belongs that Compose has for a service, and stackctl's mapping of that name has not."""
    if path[-1:] != ("deploy",) or key not in _OF_COMPOSE:
        return None
    return f"'deploy.{key}' is a key of Compose's: write it below the service itself, beside {KEY}; 'up' applies it"


def used_keys(doc: Document) -> Iterator[Path]:
    """Yield the path of each key of ``x-stackctl`` that the file has, at the top and in the services."""
    for path in ((KEY,), *(("services", name, KEY) for name in doc.names(("services",)))):
        yield from _used(doc.data(path), path)


def _used(data: Any, path: Path) -> Iterator[Path]:  # noqa: ANN401  (YAML)
    if not isinstance(data, dict):
        return
    for key, value in data.items():
        yield (*path, key)
        if key in LISTS and isinstance(value, list):
            for index, item in enumerate(value):
                yield from _used(item, (*path, key, index))
        elif key in MAPPINGS and isinstance(value, dict):
            for name, item in value.items():
                yield from _used(item, (*path, key, name))
        elif key in BLOCKS:
            yield from _used(value, (*path, key))


def refuse_keys_that_are_no_text(doc: Document) -> None:
    """Refuse keys of ``x-stackctl`` such as ``502``, which Compose rejects without naming a line.

    Raises:
        StackfileError: with the place of the first.
    """
    for path in ((KEY,), *(("services", name, KEY) for name in doc.names(("services",)))):
        for key in doc.keys_that_are_no_text(path):
            raise StackfileError(
                f"the key {key.value} of {KEY} is not text",
                where=doc.where(key),
                hint=f'write it in quotes: "{key.value}":',
            )
