"""The conditions of HAProxy's rules (configuration manual, section 7): named and anonymous ACLs."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from stackctl.adopt.haproxy.words import Line
from stackctl.errors import InputError

MOST = 64
"""The alternatives that one condition may have."""

_NORMAL = re.compile(r",(?:lower|field\(1,:\)|host_only)")
_FETCH = re.compile(r"(?P<fetch>[a-z_.0-9]+)(?:\((?P<name>[^),]*)\))?\Z")
_SUFFIX = re.compile(r"(?P<fetch>hdr|path|url|ssl_fc_sni|req\.ssl_sni|cook)_(?P<how>beg|dir|dom|end|len|reg|sub)\Z")
_SNI = {"ssl_fc_sni", "req.ssl_sni", "req_ssl_sni"}
_HEADER = {"hdr", "req.hdr", "req.fhdr", "fhdr"}
_NAMED = {
    **dict.fromkeys(_HEADER, "header"),
    **dict.fromkeys(("url_param", "urlp"), "query"),
    **dict.fromkeys(("cook", "req.cook"), "cookie"),
}
_WITH_VALUE = {"-f", "-m", "-M", "-n", "-u"}
_HOST_TESTS: Mapping[str, Callable[[str, str], bool]] = {
    "str": lambda host, value: host == value,
    "beg": lambda host, value: host.startswith(value),
    "end": lambda host, value: host.endswith(value),
    "sub": lambda host, value: value in host,
    "dom": lambda host, value: f".{value.strip('.')}." in f".{host}.",
}

ReadFile = Callable[[str], str | None]
"""Returns the text of a file of the old container, or None."""
_PREDEFINED = re.compile(r"(?:HTTP|HTTP_1\.[01]|HTTP_2\.0|HTTP_CONTENT|HTTP_URL_\w+|LOCALHOST|METH_\w+|RDP_COOKIE|"
                         r"REQ_CONTENT|WAIT_END|TRUE|FALSE)\Z")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Test:
    """One test of a request.

    Attributes:
        kind: what is compared: ``host``, ``path`` (equal), ``prefix``, ``suffix``, ``regex`` (of the path), ``method``,
            ``source``, ``header``, ``query``, ``cookie``, ``tls``, ``true``, ``false``; or ``other``, for all else.
        values: one of them is to match; of a field none, if it only has to be there.
        text: as it is written.
        name: that of the field.
        how: how a host is compared: ``str``, ``beg``, ``end``, ``sub``, ``dom``.
        any_case: whether letters of both cases are equal.
    """

    kind: str
    values: tuple[str, ...]
    text: str
    negated: bool = False
    name: str = ""
    how: str = "str"
    any_case: bool = False

    def of_host(self, host: str) -> bool:
        """Return whether a request for ``host`` passes this test of the host."""
        return any(_HOST_TESTS[self.how](host, value) for value in self.values) is not self.negated


Alternatives = tuple[tuple[Test, ...], ...]
"""One of them has to hold, with all its tests."""
Acls = Mapping[str, tuple[Test, ...]]
"""The tests of each named ACL: one of them has to hold."""


def no_file(_path: str) -> str | None:
    """Return None: of no file is anything known."""


def read_acls(lines: Iterable[Line], read_file: ReadFile = no_file) -> dict[str, tuple[Test, ...]]:
    """Return the named ACLs of a section; those with the same name are alternatives."""
    found: dict[str, tuple[Test, ...]] = {}
    for line in lines:
        if not line.starts("acl"):
            continue
        _, *rest = line.words
        if len(rest) <= 1:
            raise InputError("'acl' has no test", where=line.at)
        found[rest[0]] = (*found.get(rest[0], ()), _test(rest[1:], read_file))
    return found


def read_condition(words: Sequence[str], acls: Acls, at: str, read_file: ReadFile = no_file) -> Alternatives:
    """Return the alternatives of ``if …`` or ``unless …``; without words, of what always holds.

    Raises:
        InputError: a name is not defined, braces are not closed, or there are too many alternatives.
    """
    if not words:
        return ((),)
    if words[0] not in {"if", "unless"} or len(words) == 1:
        raise InputError(f"'{' '.join(words)}' is no condition", where=at)
    groups: list[list[tuple[Test, ...]]] = [[]]
    rest = list(words[1:])
    while rest:
        if rest[0] in {"or", "||"}:
            rest.pop(0)
            groups.append([])
            continue
        tests, negated = _term(rest, acls, at, read_file)
        # Negated: none of them may hold.
        groups[-1] += [(_not(one),) for one in tests] if negated else [tests]
    found = _all(filter(None, groups), at)  # HAProxy ignores an 'or' with nothing beside it
    if not found:
        raise InputError(f"'{' '.join(words)}' is no condition", where=at)
    # None of the alternatives may hold: in each, one test does not.
    return tuple(_all([[tuple(map(_not, one)) for one in found]], at) if words[0] == "unless" else found)


def _term(rest: list[str], acls: Acls, at: str, read_file: ReadFile) -> tuple[tuple[Test, ...], bool]:
    """Take one ACL from ``rest``: its tests, one of which has to hold, and whether it is negated."""
    word, negated = rest.pop(0), False
    while word.startswith("!"):
        negated, word = not negated, word[1:]
        if not word and rest:
            word = rest.pop(0)
    if word != "{":
        tests = acls.get(word) or _predefined(word)
        if not tests:
            raise InputError(f"there is no ACL '{word}'", where=at)
        return tests, negated
    if "}" not in rest:
        raise InputError("'{' is not closed", where=at)
    end = rest.index("}")
    inner = rest[:end]
    del rest[: end + 1]
    if not inner:
        raise InputError("'{ }' has no test", where=at)
    return (_test(inner, read_file),), negated


def _all(groups: Iterable[list[tuple[Test, ...]]], at: str) -> list[tuple[Test, ...]]:
    found: list[tuple[Test, ...]] = []
    for group in groups:
        for one in itertools.product(*group):
            found.append(one)
            if len(found) > MOST:
                raise InputError(f"the condition has more than {MOST} alternatives", where=at)
    return found


def _not(test: Test) -> Test:
    opposite = {"true": "false", "false": "true"}
    return replace(test, kind=opposite.get(test.kind, test.kind), negated=not test.negated, text=f"!{test.text}")


def _predefined(name: str) -> tuple[Test, ...]:
    if not _PREDEFINED.match(name):
        return ()
    if name.startswith("METH_"):
        methods = ("GET", "HEAD") if name == "METH_GET" else (name.removeprefix("METH_"),)
        return (Test("method", methods, name),)
    return (Test(name.lower() if name in {"TRUE", "FALSE"} else "other", (), name),)


def _test(words: Sequence[str], read_file: ReadFile) -> Test:
    text, how, plain, any_case = " ".join(words), "", True, False
    rest, values = list(words[1:]), list[str]()
    while rest and rest[0].startswith("-"):
        flag = rest.pop(0)
        if flag == "--":
            break
        value = rest.pop(0) if flag in _WITH_VALUE and rest else ""
        how = value if flag == "-m" else how
        any_case = any_case or flag == "-i"
        if flag == "-f":
            found = read_file(value)
            plain = plain and found is not None
            values += _patterns(found or "")
        else:
            plain = plain and flag in {"-i", "-m"}
    values += rest
    other = Test("other", tuple(values), text)
    if not plain or any("%[" in value for value in values):
        return other
    found_kind = _kind(_NORMAL.sub("", words[0]), how, values)
    if found_kind is None:
        return other
    kind, name, how = found_kind
    if kind == "host":
        values = [value.lower() for value in values]
    return Test(kind, tuple(values), text, name=name, how=how, any_case=any_case)


def _patterns(text: str) -> list[str]:
    """Return the values of a file, one a line."""
    return [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def _kind(  # noqa: PLR0911  (one for each kind)
    fetch: str, how: str, values: Sequence[str]
) -> tuple[str, str, str] | None:
    """Return what is compared, the name of the field, and how; None for what no site has."""
    match = _FETCH.match(fetch)
    if match is None:
        return None
    word, name = match["fetch"], match["name"] or ""
    suffix = _SUFFIX.match(word)
    if suffix is not None and how:
        return None
    if suffix is not None:
        word, how = suffix["fetch"], suffix["how"]
    if word in {"ssl_fc", "always_true", "always_false"} and not values:
        return {"ssl_fc": "tls", "always_true": "true"}.get(word, "false"), "", ""
    if word in _SNI or (word in _HEADER and name.lower() == "host"):
        return ("host", "", how or "str") if values and (how or "str") in _HOST_TESTS else None
    if word == "path":
        kind = {"": "path", "str": "path", "beg": "prefix", "dir": "", "end": "suffix", "reg": "regex"}.get(how)
        return (kind, "", "") if kind and values else None
    if word in {"method", "src"} and how in {"", "str", "ip"} and values:
        return ("method" if word == "method" else "source"), "", ""
    if word in _NAMED and name and how in {"", "str"} and values:
        return _NAMED[word], name, ""
    return None
