"""nginx: the values of variables for one request, as far as the configuration itself says them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_network

from stackctl.model.fields import Request
from stackctl.model.paths import normalized, query_of
from stackctl.model.patterns import as_bytes
from stackctl.proxies.nginx.directives import Directive, first, named
from stackctl.proxies.nginx.matching import python_pattern

_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "'": "'", "\\": "\\"}
_DEEPEST = 100
_COMPARISON = 3
"""Parameters of an ``if`` that compares a variable."""


class Unknown(Exception):
    """A value depends on more than the configuration and the request."""


class Undecided(Unknown):
    """A value depends on the share of the clients that one belongs to.

    Args:
        name: the variable with the value of that share.
        rows: each value that it can have, behind its share in percent.
    """

    def __init__(self, name: str, rows: Sequence[tuple[float, str]]) -> None:
        super().__init__(name)
        self.name = name
        self.rows = rows


class Values:
    """The variables of a request that nginx has itself, and those that ``map`` and ``geo`` make of them.

    Args:
        http: the directives of the ``http`` block.
        known: variables with their values.
    """

    def __init__(self, http: Sequence[Directive], request: Request, known: Mapping[str, str] | None = None) -> None:
        self._http = http
        self._request = request
        self._known = dict(known or {})

    def of(self, text: str) -> str:
        """Return a parameter with its variables replaced.

        Raises:
            Unknown: it has one that is not known.
        """
        return self._filled(_unescaped(text), (), 0)

    def shares(self, text: str) -> tuple[tuple[float, str], ...]:
        """Return each value of a parameter behind the share of the clients that get it, in percent, the largest first.

        Raises:
            Unknown: it has a variable that is not known.
        """
        try:
            return ((100.0, self.of(text)),)
        except Undecided as undecided:
            found: dict[str, float] = {}
            for share, value in undecided.rows:
                chosen = Values(self._http, self._request, {**self._known, undecided.name: value})
                for part, one in chosen.shares(text):
                    found[one] = found.get(one, 0.0) + share * part / 100
            return tuple(sorted(((share, one) for one, share in found.items()), key=lambda pair: -pair[0]))

    def holds(self, condition: Directive) -> bool:
        """Return whether the condition of an ``if`` does.

        Raises:
            Unknown: the configuration and the request do not determine it.
        """
        value = self.of(condition.arg)
        if len(condition.args) == 1:
            return value not in {"", "0"}
        if len(condition.args) != _COMPARISON:
            raise Unknown
        operator, operand = condition.args[1:]
        negated = operator.startswith("!")
        if operator in {"=", "!="}:
            return (value == self.of(operand)) is not negated
        if operator.lstrip("!") not in {"~", "~*"}:
            raise Unknown
        return (_search(_unescaped(operand), value, fold=operator.endswith("*")) is not None) is not negated

    def _filled(self, text: str, captured: Sequence[str | None], depth: int) -> str:
        def value(match: re.Match[str]) -> str:
            name = match[1] or match[2]
            if name.isdigit():
                return captured[int(name) - 1] or "" if int(name) <= len(captured) else ""
            return self._variable(name, depth + 1)

        return _VARIABLE.sub(value, text)

    def _variable(self, name: str, depth: int) -> str:
        if depth > _DEEPEST:
            raise Unknown
        if name not in self._known:
            own = self._own(name)
            self._known[name] = own if own is not None else self._made(name, depth)
        return self._known[name]

    def _own(self, name: str) -> str | None:
        request = self._request
        if name.startswith("cookie_"):
            return as_bytes(request.cookie(name.removeprefix("cookie_")) or "")
        if name.startswith("http_"):
            return as_bytes(request.header(name.removeprefix("http_").replace("_", "-")) or "")
        known = {
            "request_method": request.method,
            "request_uri": request.target,
            "uri": normalized(request.target) or "",
            "args": query_of(request.target),
            "remote_addr": str(request.source or ""),
            "content_length": request.header("content-length") or "",
        }
        return as_bytes(known[name]) if name in known else None

    def _made(self, name: str, depth: int) -> str:
        for one in named(self._http, "map", "geo", "split_clients"):
            if one.args[-1:] == (f"${name}",):
                if one.name == "split_clients":
                    raise Undecided(name, _rows(one))
                return self._geo(one) if one.name == "geo" else self._map(one, depth)
        raise Unknown

    def _geo(self, geo: Directive) -> str:
        if len(geo.args) > 1 or first(geo.inner, "ranges", "include", "proxy"):
            raise Unknown
        source = self._request.source
        found = [(0, _unescaped(one.arg)) for one in named(geo.inner, "default")]
        for one in geo.inner if source is not None else ():
            try:
                network = ip_network(one.name)
            except ValueError:
                continue
            if source in network:
                found.append((network.prefixlen + 1, _unescaped(one.arg)))
        return max(found, default=(0, ""))[1]

    def _map(self, one: Directive, depth: int) -> str:
        if first(one.inner, "include", "hostnames"):
            raise Unknown
        source = self._filled(_unescaped(one.args[0]), (), depth)
        rows = [(_unescaped(row.name), row.arg) for row in one.inner if row.name not in {"default", "volatile"}]
        for key, value in rows:
            if not key.startswith("~") and key.removeprefix("\\").lower() == source.lower():
                return self._filled(_unescaped(value), (), depth)
        for key, value in rows if source else ():
            if key.startswith("~"):
                fold = key.startswith("~*")
                match = _search(key.removeprefix("~*" if fold else "~"), source, fold=fold)
                if match is not None:
                    return self._filled(_unescaped(value), match.groups(), depth)
        default = first(one.inner, "default")
        return self._filled(_unescaped(default.arg), (), depth) if default else ""


def _rows(split: Directive) -> list[tuple[float, str]]:
    """Return the values of ``split_clients``, each behind its share in percent; '*' has what is left."""
    try:
        shares = [(float(one.name.removesuffix("%")), one.arg) for one in split.inner if one.name != "*"]
    except ValueError as error:
        raise Unknown from error
    left = max(100 - sum(share for share, _ in shares), 0.0)
    return [*shares, *((left, one.arg) for one in split.inner if one.name == "*")]


def jump(blocks: Sequence[Sequence[Directive]], server: Sequence[Directive], values: Values) -> Directive | None:
    """Return the named location that a location hands the request to before anything else; None if it does not.

    ``blocks`` are the directives of the location, of those around it, and of the server.
    """
    code = next(_returned(blocks[0], values), None)
    pages = next((found for block in blocks if (found := list(named(block, "error_page")))), [])
    for page in pages:
        if code is not None and code.arg in page.args[:-1]:
            try:
                target = values.of(page.args[-1])
            except Unknown:
                return None
            return next((one for one in named(server, "location") if one.args == (target,)), None)
    return None


def _returned(location: Sequence[Directive], values: Values) -> Iterator[Directive]:
    """Yield the ``return`` of each condition of a location that holds."""
    for condition in named(location, "if"):
        try:
            returned = first(condition.inner, "return") if values.holds(condition) else None
        except Unknown:
            return
        if returned is not None:
            yield returned


def refusal(location: Sequence[Directive], values: Values) -> Directive | None:
    """Return the ``return`` of the first condition in a location that holds."""
    return next(_returned(location, values), None)


def _search(regex: str, text: str, *, fold: bool) -> re.Match[str] | None:
    try:
        pattern = python_pattern(as_bytes(regex))
        return re.search(pattern, text, re.ASCII | (re.IGNORECASE if fold else re.NOFLAG))
    except re.error as error:
        raise Unknown from error


def _unescaped(text: str) -> str:
    r"""Return a parameter as nginx reads it: ``\\``, ``\"`` and ``\n`` are one character, other escapes two."""
    return _ESCAPE.sub(lambda match: _ESCAPES.get(match[1], match[0]), text)
