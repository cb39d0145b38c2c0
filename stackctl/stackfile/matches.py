"""Reads which requests a route is for: its paths, and the conditions of ``match``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from stackctl.errors import StackfileError
from stackctl.model import match_values
from stackctl.model.matching import Conditions, FieldMatch, Match, PathKind, PathMatch, Text
from stackctl.stackfile.document import Document, Path
from stackctl.stackfile.keys import checked
from stackctl.stackfile.schema import ConditionKeys, RouteKeys

T = TypeVar("T")

Texts = str | Sequence[str]


def prefixes(doc: Document, path: Path, written: Texts) -> Match:
    """Return the match of requests below the paths at ``path``, those of a service or of an item of ``apps``."""
    return Match(Conditions(_each(doc, path, match_values.path_prefix, written)))


def match_of(doc: Document, path: Path, keys: RouteKeys) -> Match:
    """Return the match of the route at ``path``.

    Raises:
        StackfileError: it has neither ``path`` nor ``match``, or both; or a condition is wrong.
    """
    if keys.match is None and keys.path is None:
        raise StackfileError(
            "a route needs 'path', or 'match' with the conditions of its requests",
            where=doc.where_of(path),
            hint="for every request, write 'path: /'",
        )
    if keys.match is None:
        return Match(_conditions(doc, path, ConditionKeys(path=keys.path), exact=keys.exact))
    place: Path = (*path, "match")
    if keys.path is not None:
        raise StackfileError(
            "a route has 'path' or 'match'",
            where=doc.where_of(place),
            hint="move the path into 'match', which has one too",
        )
    none_of = keys.match.not_
    all_of = _conditions(doc, place, keys.match, exact=keys.exact)
    if all_of == Conditions() and none_of is None:
        raise StackfileError(
            "'match' has no conditions", where=doc.where_of(place), hint="for every request, write 'path: /' instead"
        )
    if none_of is None:
        return Match(all_of)
    excluded = _conditions(doc, (*place, "not"), none_of, exact=False)
    if excluded == Conditions():
        raise StackfileError("'not' has no conditions", where=doc.where_of((*place, "not")), hint="remove it")
    return Match(all_of, excluded)


def _conditions(doc: Document, path: Path, keys: ConditionKeys, *, exact: bool) -> Conditions:
    parse = match_values.exact_path if exact else match_values.path_or_regex
    if exact and keys.path is None:
        raise StackfileError("'exact' applies to paths, and this route has none", where=doc.where_of(path))
    return Conditions(
        paths=_each(doc, (*path, "path"), parse, keys.path),
        methods=_each(doc, (*path, "method"), match_values.method, keys.method),
        headers=_fields(doc, (*path, "header"), match_values.header_name, keys.header, match_values.header_value),
        query=_fields(doc, (*path, "query"), match_values.parameter_name, keys.query),
        cookies=_fields(doc, (*path, "cookie"), match_values.cookie_name, keys.cookie),
        sources=_each(doc, (*path, "source"), match_values.network, keys.source),
    )


def _each(doc: Document, path: Path, parse: Callable[[str], T], written: Texts | None) -> tuple[T, ...]:
    """Return what ``parse`` makes of a text at ``path``, or of each text of a list there.

    Raises:
        StackfileError: a text is wrong, or two of them mean the same.
    """
    if written is None or isinstance(written, str):
        return () if written is None else (checked(doc, path, parse, written),)
    found: list[T] = []
    for index, text in enumerate(written):
        one = checked(doc, (*path, index), parse, text)
        if one in found:
            raise StackfileError(f"{text} is listed twice here", where=doc.where_of((*path, index)))
        found.append(one)
    return tuple(found)


def _fields(
    doc: Document,
    path: Path,
    parse: Callable[[str], str],
    written: Mapping[str, Texts | None] | None,
    parse_value: Callable[[str], Text] = match_values.value,
) -> tuple[FieldMatch, ...]:
    found: dict[str, FieldMatch] = {}
    for key, values in (written or {}).items():
        place: Path = (*path, key)
        name = checked(doc, place, parse, key)
        if name in found:
            raise StackfileError(f"{name} is listed twice here", where=doc.where_of(place))
        found[name] = FieldMatch(name, _each(doc, place, parse_value, values))
    return tuple(found.values())


def has_prefix_alone(paths: Sequence[PathMatch]) -> bool:
    """Return whether there are paths, and each is a prefix: what can be stripped."""
    return bool(paths) and all(path.kind is PathKind.PREFIX for path in paths)
