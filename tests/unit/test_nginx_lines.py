"""A regex of the user's as a part of the regex for a line: it finds what it finds in the value alone."""

from __future__ import annotations

import re
from random import Random

import pytest

from stackctl.errors import InputError
from stackctl.model.matching import Conditions, FieldMatch, Match, PathKind, PathMatch, Text
from stackctl.model.patterns import as_bytes, found, pattern
from stackctl.model.routing import Answer, Route
from stackctl.proxies.nginx.lines import LAST, LINE, PARAMETER, finding
from stackctl.proxies.nginx.rules import Rules
from stackctl.proxies.nginx.variables import Variables
from tests.unit.build import routed

PARTS = [
    *(
        "a",
        "b",
        "&",
        ".",
        "é",
        " ",
        r"\s",
        r"\S",
        r"\d",
        r"\D",
        r"\w",
        r"\W",
        r"\b",
        r"\B",
        r"\n",
        r"\x0a",
        r"\x61",
        r"\.",
    ),
    *("[ab]", "[^a]", r"[^\d]", r"[\s,]", "[]a]", "$", "^", r"\A", "|", "(?:a|b)", "(a)", "(?=a)", "(?!b)", "(?i:A)"),
    *("a*", "b+?", ".*", "[^b]{1,2}", "(?:a$|b)", "(?!a|$)", "a?", r"\W*", "(^a|b)"),
]
VALUES = ["", "a", "b", "ab", "a b", "A,1", "é", "aab ", " ba", "1", "b.a", "aa\tbb"]


AROUND = {LINE: ("x a\n", "\nab 1\n/a"), PARAMETER: ("/a\nq=a&v=", "&w=b\n/a"), LAST: ("x a\n", "")}
"""What is before a text and behind it, by what ends it."""


def is_found(regex: str, value: str, ends: str) -> bool | None:
    part = finding(regex, ends)
    if part is None:
        return None
    before, after = AROUND[ends]
    whole = f"^{re.escape(before)}{part}{re.escape(after)}"
    return re.search(as_bytes(whole), as_bytes(f"{before}{value}{after}"), re.ASCII) is not None


@pytest.mark.parametrize("ends", [LINE, PARAMETER, LAST])
def test_it_finds_in_a_line_what_it_finds_in_the_value(ends: str) -> None:
    random = Random(5)
    said = 0
    values = VALUES if ends else [*VALUES, "a\nb", "\na", "b\n"]
    for _ in range(1_000):
        text = "".join(random.choice(PARTS) for _ in range(random.randint(1, 4)))
        try:
            regex = pattern(f"{random.choice(['', '', '(?i)', '^'])}{text}")
        except InputError:
            continue
        for value in values:
            if (one := is_found(regex, value, ends)) is not None:
                assert one is found(regex, value), (regex, value)
                said += 1
    assert said > 3_000


@pytest.mark.parametrize("regex", [r"(a)\1", "(?<=/)a", "(?<!a)b", "(^a|b)", "a^", r"a|(?:\Ab)", "(?=^a)a", r"a\B"])
def test_what_needs_a_text_of_its_own_is_left_to_a_map(regex: str) -> None:
    assert finding(pattern(regex), LINE) is None


def maps_of(*conditions: Conditions) -> int:
    rules = (Route(Match(one), Answer(200, "x")) for one in conditions)
    site = routed("a.example.com", *rules)
    return len(Rules.of(site, Variables(site.name)).maps)


def test_a_regex_is_compared_in_the_map_of_its_rule() -> None:
    paths = [Conditions((PathMatch(rf"^/v{number}/\d+$", PathKind.REGEX),)) for number in range(320)]
    headers = [Conditions(headers=(FieldMatch("x-a", (Text(f"b{number}$", regex=True),)),)) for number in range(320)]
    assert maps_of(*paths, *headers) == 20


def test_a_regex_of_many_rules_is_compared_once() -> None:
    header = FieldMatch("x-a", (Text("b$", regex=True),))
    assert maps_of(*(Conditions((PathMatch(f"/{number}"),), headers=(header,)) for number in range(17))) == 2
