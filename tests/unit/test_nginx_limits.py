"""Limits of bodies as regexes of their lengths."""

from __future__ import annotations

import re

from hypothesis import example, given
from hypothesis import strategies as st

from stackctl.model.matching import Conditions, Match
from stackctl.model.routing import Answer, Route
from stackctl.model.tuning import Tuning
from stackctl.proxies.nginx.limits import Limits
from stackctl.proxies.nginx.variables import Variables
from tests.unit.build import routed

RULE = Route(Match(Conditions(methods=("PUT",))), Answer(403), tuning=Tuning("0"))


def limits(rule: Route = RULE) -> Limits:
    site = routed("a.example.com", Route(Match.of("/"), Answer(403)), rule, tuning=Tuning("64m"))
    return Limits(site, Variables(site.name))


@given(st.integers(1, 10**9), st.integers(0, 10**10), st.sampled_from(["", "0", "00"]))
@example(9, 10, "")
@example(1999, 2000, "")
@example(67108864, 67108864, "")
def test_a_length_is_too_long_if_the_number_is_greater(limit: int, length: int, zeros: str) -> None:
    made = limits()
    (line,) = made.refusals(str(limit))
    (found,) = made.maps()
    assert line == f"if ({found.name}) {{ return 413; }}"
    ((regex, _),) = found.rows
    assert (re.match(regex[2:-1], f"{zeros}{length}") is not None) is (length > limit)


def test_the_largest_limit_needs_no_condition() -> None:
    assert limits().largest == "0"
    assert list(limits().refusals("0")) == []
    assert list(limits(Route(RULE.match, RULE.action, tuning=Tuning("1g"))).refusals("1g")) == []
    assert limits().maps() == []
