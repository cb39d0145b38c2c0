"""Routes that can never match are found, and no others."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

import pytest

from stackctl.model.matching import Conditions, FieldMatch, Match, PathKind, PathMatch, Text
from stackctl.model.routing import Answer, Route, Site
from stackctl.model.shadowing import implies, shadowed
from stackctl.model.values import Domain
from stackctl.plan.warnings import warnings

DENY = Answer(403)


def paths(*texts: str) -> Match:
    return Match(
        Conditions(tuple(PathMatch(t.lstrip("~"), PathKind.REGEX if t[0] == "~" else PathKind.PREFIX) for t in texts))
    )


def exact(text: str) -> Match:
    return Match(Conditions((PathMatch(text, PathKind.EXACT),)))


def methods(*names: str) -> Match:
    return Match(Conditions(methods=names))


def header(*values: str) -> Match:
    return Match(Conditions(headers=(FieldMatch("a", tuple(Text(v.lstrip("~"), v[0] == "~") for v in values)),)))


def query(*values: str) -> Match:
    return Match(Conditions(query=header(*values).all_of.headers))


def sources(*networks: str) -> Match:
    return Match(Conditions(sources=tuple(map(ip_network, networks))))


def without(match: Match, none_of: Match) -> Match:
    return replace(match, none_of=none_of.all_of)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (paths("/a"), paths("/a"), True),
        (paths("/a/b"), paths("/a"), True),
        (paths("/ab"), paths("/a"), False),
        (paths("/a"), paths("/a/b"), False),
        (paths("/a", "/c"), paths("/a"), False),
        (paths("/a", "/c/d"), paths("/c", "/a"), True),
        (exact("/a/b"), paths("/a"), True),
        (paths("/a"), exact("/a"), False),
        (exact("/a"), exact("/a"), True),
        (paths("~^/a/"), paths("/a"), False),
        (paths("~^/a/"), paths("/"), True),
        (paths("~^/a/"), paths("~^/a/"), True),
        (paths("/a"), paths("~^/a"), False),
        (methods("GET"), paths("/"), True),
        (methods("GET"), paths("/a"), False),
        (methods("GET"), methods("GET", "POST"), True),
        (methods("GET", "PUT"), methods("GET", "POST"), False),
        (paths("/a"), methods("GET"), False),
        (header("x"), header(), True),
        (header(), header("x"), False),
        (header("x"), header("x", "y"), True),
        (header("x"), header("~^x"), True),
        (header("y"), header("~^x"), False),
        (header("~^xy"), header("~^x"), False),
        (header("~^x"), header("~^x"), True),
        (query("x"), query("~^x"), False),
        (query("x"), query("x"), True),
        (header("x"), query("x"), False),
        (sources("10.1.0.0/16"), sources("10.0.0.0/8"), True),
        (sources("10.0.0.0/8"), sources("10.1.0.0/16"), False),
        (sources("::/0"), sources("0.0.0.0/0"), False),
        (without(paths("/a"), methods("GET")), paths("/a"), True),
        (paths("/a"), without(paths("/a"), methods("GET")), False),
        (without(paths("/a"), methods("GET")), without(paths("/a"), methods("GET")), True),
    ],
)
def test_implication(one: Match, other: Match, *, expected: bool) -> None:
    assert implies(one, other) is expected


def test_rules_hide_by_priority_then_by_order_and_before_paths() -> None:
    first = Route(methods("GET"), DENY, where="first")
    hidden = Route(methods("GET"), DENY, where="hidden")
    urgent = Route(Match(methods("GET").all_of, Conditions(methods=("PUT",))), DENY, priority=0, where="urgent")
    path = Route(paths("/a"), DENY, where="path")
    assert list(shadowed([path, first, hidden, urgent])) == [(hidden, first)]
    everything = Route(paths("/"), DENY, priority=1, where="everything")
    found = [(one.where, by.where) for one, by in shadowed([path, first, urgent, everything])]
    assert found == [("first", "everything"), ("path", "everything")]


def test_the_warning_has_both_places() -> None:
    first, second = Route(header("~^x"), DENY, where="f.yml:7"), Route(header("xy", "x"), DENY, where="f.yml:9")
    (warning,) = warnings([Site((Domain("a.example.com"),), (first, second))], {})
    assert warning == (
        "f.yml:9: no request reaches this route of a.example.com, header a=xy|x: "
        "the one at f.yml:7 comes first, and takes all of them"
    )
