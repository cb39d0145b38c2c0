"""The conditions of HAProxy's rules (configuration manual, section 7): named and anonymous ACLs."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from stackctl.adopt.haproxy.words import Line
from stackctl.errors import InputError

MOST = 64
"""The alternatives that one condition may have."""

_NORMAL = re.compile(r",(?:lower|field\(1,:\)|host_only)")
_SNI = {"ssl_fc_sni", "req.ssl_sni", "req_ssl_sni"}
_HOST = {"hdr(host)", "req.hdr(host)", "req.fhdr(host)", *_SNI}
_WITH_VALUE = {"-f", "-m", "-M", "-n", "-u"}
_PREDEFINED = re.compile(r"(?:HTTP|HTTP_1\.[01]|HTTP_2\.0|HTTP_CONTENT|HTTP_URL_\w+|LOCALHOST|METH_\w+|RDP_COOKIE|"
                         r"REQ_CONTENT|WAIT_END|TRUE|FALSE)\Z")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Test:
    """One test of a request.

    Attributes:
        kind: ``host``, ``path`` (equal), ``prefix``, ``tls``, ``true``, ``false``; or ``other``, which no site has.
        values: one of them is to match.
        text: as it is written.
    """

    kind: str
    values: tuple[str, ...]
    text: str
    negated: bool = False


Alternatives = tuple[tuple[Test, ...], ...]
"""One of them has to hold, with all its tests."""
Acls = Mapping[str, tuple[Test, ...]]
"""The tests of each named ACL: one of them has to hold."""


def read_acls(lines: Iterable[Line]) -> dict[str, tuple[Test, ...]]:
    """Return the named ACLs of a section; those with the same name are alternatives."""
    found: dict[str, tuple[Test, ...]] = {}
    for line in lines:
        if not line.starts("acl"):
            continue
        _, *rest = line.words
        if len(rest) <= 1:
            raise InputError("'acl' has no test", where=line.at)
        found[rest[0]] = (*found.get(rest[0], ()), _test(rest[1:]))
    return found


def read_condition(words: Sequence[str], acls: Acls, at: str) -> Alternatives:
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
        tests, negated = _term(rest, acls, at)
        # Negated: none of them may hold.
        groups[-1] += [(_not(one),) for one in tests] if negated else [tests]
    found = _all(filter(None, groups), at)  # HAProxy ignores an 'or' with nothing beside it
    if not found:
        raise InputError(f"'{' '.join(words)}' is no condition", where=at)
    # None of the alternatives may hold: in each, one test does not.
    return tuple(_all([[tuple(map(_not, one)) for one in found]], at) if words[0] == "unless" else found)


def _term(rest: list[str], acls: Acls, at: str) -> tuple[tuple[Test, ...], bool]:
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
    return (_test(inner),), negated


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
    return (Test(name.lower() if name in {"TRUE", "FALSE"} else "other", (), name),)


def _test(words: Sequence[str]) -> Test:
    text, method, plain = " ".join(words), "", True
    fetch, rest = _NORMAL.sub("", words[0]), list(words[1:])
    while rest and rest[0].startswith("-"):
        flag = rest.pop(0)
        if flag == "--":
            break
        value = rest.pop(0) if flag in _WITH_VALUE and rest else ""
        method = value if flag == "-m" else method
        plain = plain and flag in {"-i", "-m"}
    values = tuple(rest)
    if not plain or any("%[" in value for value in values):
        return Test("other", values, text)
    if fetch in {"ssl_fc", "always_true", "always_false"} and not values:
        return Test({"ssl_fc": "tls", "always_true": "true"}.get(fetch, "false"), (), text)
    if fetch in _HOST and method in {"", "str"} and values:
        return Test("host", tuple(value.lower() for value in values), text)
    if values and ((fetch == "path_beg" and not method) or (fetch == "path" and method == "beg")):
        return Test("prefix", values, text)
    if fetch == "path" and method in {"", "str"} and values:
        return Test("path", values, text)
    return Test("other", values, text)
