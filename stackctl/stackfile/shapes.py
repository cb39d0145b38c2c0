"""The types of the values that ``x-stackctl`` can have, looked up by their place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct, inspect


def alternatives(kind: inspect.Type) -> list[inspect.Type]:
    """Return the types that a value may have, without None."""
    if isinstance(kind, inspect.Metadata):
        return alternatives(kind.type)
    if isinstance(kind, inspect.UnionType):
        return [one for part in kind.types for one in alternatives(part)]
    return [] if isinstance(kind, inspect.NoneType) else [kind]


def members(parent: inspect.Type, step: str | int) -> list[inspect.Type]:
    """Return the type of what is at ``step`` in a value of the type ``parent``: none, or one."""
    if isinstance(parent, inspect.StructType):
        return [field.type for field in parent.fields if field.encode_name == step]
    if isinstance(parent, inspect.ListType):
        return [parent.item_type] if isinstance(step, int) else []
    return [parent.value_type] if isinstance(parent, inspect.DictType) else []


def kinds_at(shape: type[Struct], steps: Sequence[str | int]) -> list[inspect.Type]:
    """Return the types that the value at ``steps`` of a ``shape`` may have, without None."""
    kinds = alternatives(inspect.type_info(shape))
    for step in steps:
        kinds = [one for parent in kinds for found in members(parent, step) for one in alternatives(found)]
    return kinds


def words_of(kinds: Sequence[inspect.Type]) -> Iterator[str]:
    """Yield the words and numbers of fixed choices, and ``a mapping`` or ``a list`` where these may be too."""
    for kind in kinds:
        if isinstance(kind, inspect.LiteralType):
            yield from map(str, kind.values)
        elif isinstance(kind, inspect.StructType | inspect.DictType):
            yield "a mapping"
        elif isinstance(kind, inspect.ListType):
            yield "a list"
        elif isinstance(kind, inspect.BoolType):
            yield from ("true", "false")
