"""Reads the key ``headers``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from stackctl.errors import StackfileError
from stackctl.model import header_values
from stackctl.model.headers import YEAR, Changes, Headers, Hsts, Preset
from stackctl.stackfile.document import Document, Path
from stackctl.stackfile.header_keys import HeadersKeys, HstsKeys
from stackctl.stackfile.keys import checked


def headers_of(doc: Document, path: Path, keys: HeadersKeys) -> Headers:
    """Return the headers of the block whose key ``headers`` is at ``path``.

    Raises:
        StackfileError: a name or a value is wrong, or a header is named twice; with its place.
    """
    names = header_values.response_header
    request = keys.request
    into = header_values.request_header
    return Headers(
        Preset(keys.preset) if keys.preset else None,
        None if keys.hsts is None else _hsts(doc, (*path, "hsts"), keys.hsts),
        _changes(doc, path, keys.set, keys.remove, (names, names)),
        _changes(doc, (*path, "request"), request.set, request.remove, (into, header_values.removed_request_header))
        if request
        else Changes(),
    )


def _changes(
    doc: Document,
    path: Path,
    values: Mapping[str, str],
    removed: Sequence[str],
    names: tuple[Callable[[str], str], Callable[[str], str]],
) -> Changes:
    found: dict[str, Path] = {}

    def once(place: Path, name: str) -> str:
        if name.lower() in found:
            raise StackfileError(
                f"{name} is named twice", where=doc.where_of(place), hint=f"see {doc.where_of(found[name.lower()])}"
            )
        found[name.lower()] = place
        return name

    pairs = []
    for name, value in values.items():
        place: Path = (*path, "set", name)
        pairs.append(
            (once(place, checked(doc, place, names[0], name)), checked(doc, place, header_values.header_value, value))
        )
    left = []
    for index, name in enumerate(removed):
        place = (*path, "remove", index)
        left.append(once(place, checked(doc, place, names[1], name)))
    return Changes(tuple(pairs), tuple(left))


def _hsts(doc: Document, path: Path, keys: str | HstsKeys) -> Hsts:
    if isinstance(keys, str):
        return Hsts(checked(doc, path, header_values.age, keys))
    seconds = checked(doc, (*path, "max-age"), header_values.age, keys.max_age)
    if keys.preload and not (keys.subdomains and seconds >= YEAR):
        raise StackfileError(
            "the list that browsers ship with takes only names with 'subdomains: true' and a 'max-age' of 1y or more",
            where=doc.where_of((*path, "preload")),
            hint="see https://hstspreload.org; it takes months to get off the list again",
        )
    return Hsts(seconds, keys.subdomains, keys.preload)
