"""Lines of HAProxy about headers and compression as keys of ``x-stackctl``."""

from __future__ import annotations

import re
from collections.abc import Mapping

from stackctl.adopt.haproxy.words import Line
from stackctl.errors import InputError
from stackctl.model import header_values
from stackctl.model.headers import YEAR
from stackctl.stackfile.services import Value

_HSTS = re.compile(
    r"max-age=(?P<age>\d+)(?P<subdomains>;\s*includeSubDomains)?(?P<preload>;\s*preload)?;?\s*\Z", re.IGNORECASE
)
_KINDS = ("http-request", "http-response")
_ACTIONS = {"set-header": 4, "del-header": 3}
"""The actions that a key has, and the words of a line without a condition."""


class EdgeKeys:
    """Collects what the lines of one section say."""

    def __init__(self) -> None:
        self._set: dict[str, dict[str, str]] = {kind: {} for kind in _KINDS}
        self._removed: dict[str, list[str]] = {kind: [] for kind in _KINDS}
        self._hsts: Value | None = None
        self._compress = False

    def take(self, line: Line) -> str | None:
        """Take a line, and return the key that says it; None for one that no key says."""
        words = line.words
        if line.starts("compression", "algo") and "gzip" in words[2:]:
            self._compress = True
            return "compress"
        if line.starts("compression", "type"):
            return "compress"
        kind, action = (*words, "", "")[:2]
        if kind not in _KINDS or len(words) != _ACTIONS.get(action):
            return None
        try:
            return "headers" if self._header(kind, words[2], words[3] if action == "set-header" else None) else None
        except InputError:
            return None

    def _header(self, kind: str, name: str, text: str | None) -> bool:
        """Take a header that is set, or removed if ``text`` is None."""
        value = None if text is None else _constant(text)
        if (text is not None and value is None) or self._knows(kind, name):
            return False
        if kind == "http-response" and name.lower() == "strict-transport-security" and value is not None:
            self._hsts = _hsts(value)
            return self._hsts is not None
        if value is None:
            check = header_values.removed_request_header if kind == "http-request" else header_values.response_header
            self._removed[kind].append(check(name))
        else:
            check = header_values.request_header if kind == "http-request" else header_values.response_header
            self._set[kind][check(name)] = header_values.header_value(value)
        return True

    def _knows(self, kind: str, name: str) -> bool:
        return name.lower() in {one.lower() for one in (*self._set[kind], *self._removed[kind])}

    @property
    def keys(self) -> dict[str, Value]:
        """The keys of all lines that were taken."""
        request, response = (_changes(self._set[kind], self._removed[kind]) for kind in _KINDS)
        headers: dict[str, Value] = {"hsts": self._hsts} if self._hsts is not None else {}
        headers |= {**response, **({"request": request} if request else {})}
        return {**({"headers": headers} if headers else {}), **({"compress": True} if self._compress else {})}


def _changes(values: Mapping[str, str], removed: list[str]) -> dict[str, Value]:
    return {**({"set": dict(values)} if values else {}), **({"remove": list(removed)} if removed else {})}


def _constant(text: str) -> str | None:
    """Return the value that a format stands for; None if that depends on the request."""
    plain = text.replace("%%", "")
    return None if "%" in plain else text.replace("%%", "%")


def _hsts(value: str) -> Value | None:
    found = _HSTS.match(value)
    if found is None:
        return None
    age = f"{found['age']}s"
    seconds = header_values.age(age)
    if found["preload"] and not (found["subdomains"] and seconds >= YEAR):
        return None
    flags: dict[str, Value] = {key: True for key in ("subdomains", "preload") if found[key]}
    return {"max-age": age, **flags} if flags else age
