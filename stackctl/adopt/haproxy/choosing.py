"""Which back end of a HAProxy configuration gets the requests for one name, and how a route says that."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from stackctl.adopt.haproxy.collecting import Collector
from stackctl.adopt.haproxy.conditions import Test
from stackctl.adopt.haproxy.fronts import Front, Rule
from stackctl.adopt.haproxy.redirects import is_challenge
from stackctl.adopt.proposal import Handling
from stackctl.errors import InputError
from stackctl.model import match_values
from stackctl.stackfile.services import Value
from stackctl.wording import listed

_STATIC = frozenset({"host", "tls", "true", "false"})
_PATHS = frozenset({"path", "prefix", "suffix", "regex"})
_NAMES = {
    "header": match_values.header_name,
    "query": match_values.parameter_name,
    "cookie": match_values.cookie_name,
}
_FIELDS = frozenset(_NAMES)


@dataclass(frozen=True, slots=True)
class Choice:
    """Requests for a name that one rule sends to its back end: those that pass all ``tests``."""

    tests: tuple[Test, ...]
    rule: Rule
    front: str


def choices(fronts: Iterable[Front], name: str, *, tls: bool) -> tuple[Choice, ...]:
    """Return what is done with requests for ``name``, in order; nothing follows what all requests pass."""
    found: list[Choice] = []
    for front in fronts:
        for rule in front.rules:
            for tests in rule.alternatives:
                left = _left(tests, name, tls=tls)
                if left is None:
                    continue
                found.append(Choice(left, rule, front.section.name))
                if not left:
                    return tuple(found)
    return tuple(found)


def _left(tests: Sequence[Test], name: str, *, tls: bool) -> tuple[Test, ...] | None:
    """Return the tests that depend on the request; None if no request for ``name`` passes, or only a challenge."""
    left: list[Test] = []
    for test in tests:
        if is_challenge(test):
            if not test.negated:
                return None
        elif test.kind == "prefix" and "/" in test.values:
            if test.negated:
                return None
        elif test.kind not in _STATIC:
            left.append(test)
        elif not _holds(test, name, tls=tls):
            return None
    return tuple(left)


def _holds(test: Test, name: str, *, tls: bool) -> bool:
    match test.kind:
        case "host":
            return test.of_host(name)
        case "tls":
            return tls is not test.negated
        case kind:
            return kind == "true"


def without_shadowed(found: Sequence[Choice], collector: Collector) -> list[Choice]:
    """Return the choices without the paths that an earlier one has: of those that compete, the longest would win."""
    kept: list[Choice] = []
    prefixes: list[str] = []
    exact: set[str] = set()
    for choice in found:
        if not is_plain(choice):
            kept.append(choice)
            continue
        (test,) = choice.tests
        same = exact if test.kind == "path" else {prefix.rstrip("/") for prefix in prefixes}
        left = [
            path
            for path in dict.fromkeys(test.values)
            if not path.startswith(tuple(prefixes)) and (path if test.kind == "path" else path.rstrip("/")) not in same
        ]
        if len(left) < len(test.values):
            hidden = listed([path for path in test.values if path not in left])
            text = f"no request for {hidden} reaches it: an earlier rule has it"
            collector.say(Handling.CHANGED, text, choice.rule.at)
        if left:
            kept.append(replace(choice, tests=(replace(test, values=tuple(left)),)))
        if test.kind == "path":
            exact |= set(left)
        else:
            prefixes += left
    return kept


def _paths(tests: Sequence[Test], kind: str) -> tuple[str, ...]:
    """Return the values of the only test, if it is of ``kind``."""
    if len(tests) == 1 and tests[0].kind == kind and not tests[0].negated:
        return tests[0].values
    return ()


def is_plain(choice: Choice) -> bool:
    """Return whether a route with nothing but paths says it: those compete by their length, not by their order."""
    return bool(_paths(choice.tests, "prefix") or _paths(choice.tests, "path"))


def plain_route(choice: Choice, collector: Collector) -> dict[str, Value] | None:
    """Return the keys of a route with nothing but paths; None if it cannot have one of them."""
    exact = choice.tests[0].kind == "path"
    written = _value(choice.tests[0])
    if written is None:
        return None
    say_prefixes(choice, collector)
    return {"path": written, **({"exact": True} if exact else {})}


def say_prefixes(choice: Choice, collector: Collector) -> None:
    """Say how a prefix of HAProxy differs from one of a route, which ends at a slash."""
    for test in choice.tests:
        if test.any_case and any(value.lower() != value.upper() for value in test.values):
            text = f"'{test.text}': paths are compared with the case of their letters"
            collector.say(Handling.CHANGED, text, choice.rule.at)
        for value in test.values if test.kind == "prefix" else ():
            if value.endswith("/"):
                text = f"the path {value.rstrip('/')} without a slash at its end goes to {choice.rule.backend} too"
            else:
                text = f"paths such as {value}x, which only begin with {value}, do not go to {choice.rule.backend}"
            collector.say(Handling.CHANGED, text, choice.rule.at)


def matching_route(choice: Choice, collector: Collector) -> dict[str, Value] | None:
    """Return the keys of a route by conditions; None if ``match`` cannot say them."""
    if is_plain(choice):  # with nothing but a path it would not be a rule, and would not come before others
        (test,) = choice.tests
        if _value(test) is None:
            return None
        end = "$" if test.kind == "path" else ""
        choice = replace(
            choice, tests=(replace(test, kind="regex", values=tuple(f"^{_quoted(one)}{end}" for one in test.values)),)
        )
    said: dict[str, Value] = {}
    excluded: dict[str, Value] = {}
    exact = False
    for test in choice.tests:
        into = excluded if test.negated else said
        key = "path" if test.kind in _PATHS else test.kind
        value = _value(test)
        if value is None or (key in into and key not in _FIELDS) or (test.negated and excluded):
            return None
        if key in _FIELDS:
            there = into.get(key)
            fields = there if isinstance(there, Mapping) else {}
            if test.name.lower() in {name.lower() for name in fields}:
                return None
            into[key] = {**fields, test.name: value}
        else:
            into[key] = value
        if test.kind == "path":
            if test.negated:
                return None
            exact = True
    say_prefixes(choice, collector)
    match: dict[str, Value] = {**said, **({"not": excluded} if excluded else {})}
    return {"match": match, **({"exact": True} if exact else {})}


def _value(test: Test) -> Value | None:
    """Return the values of a condition of ``match``; None if it cannot have them."""
    if test.kind not in _VALUES or (test.any_case and test.kind in {"regex", "suffix", *_FIELDS}):
        return None
    try:
        if test.kind in _FIELDS:
            _NAMES[test.kind](test.name)
        found = [_VALUES[test.kind](value) for value in test.values]
    except InputError:
        return None
    return (found[0] if len(found) == 1 else found) or None


def _quoted(text: str) -> str:
    return re.sub(r"[.^$*+?{}\[\]\\|()]", r"\\\g<0>", text)


def _regex(text: str) -> str:
    return str(match_values.path_or_regex(f"~{text}"))


def _text(text: str) -> str:
    if text.startswith("~"):
        raise InputError(f"{text!r} would be a regular expression")
    return str(match_values.value(text))


_VALUES: Mapping[str, Callable[[str], str]] = {
    "prefix": lambda text: str(match_values.path_prefix(text)),
    "path": lambda text: str(match_values.exact_path(text)).removeprefix("="),
    "regex": _regex,
    "suffix": lambda text: _regex(f"{_quoted(text)}$"),
    "method": match_values.method,
    "source": lambda text: str(match_values.network(text)),
    **dict.fromkeys(("header", "query", "cookie"), _text),
}
"""How a value of a test is written in ``match``."""
