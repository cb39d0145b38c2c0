"""Which limit refused a request, by what nginx logged."""

from __future__ import annotations

import pytest

from stackctl.diagnose.check import Verdict
from stackctl.diagnose.limits import judge_limits
from stackctl.model.fields import Request
from stackctl.model.limits import Rate
from stackctl.model.matching import PathMatch
from stackctl.model.router import routed
from stackctl.model.tuning import Tuning
from stackctl.proxies.nginx.advice import advice
from tests.unit.build import site

SITE = site(
    "a.example.com", tuning=Tuning(rates=(Rate(90, 1, 9), Rate(10, 60, 1, (PathMatch("/login"),))), connections=9)
)


@pytest.mark.parametrize(
    ("message", "wrong"),
    [
        ('limiting requests, excess: 9.981 by zone "rate_90s_1"', ["90/s"]),
        ('limiting requests, excess: 1.981 by zone "rate_10m_2"', ["10/m"]),
        ('limiting connections by zone "at_once"', ["9 requests"]),
        ('limiting requests, excess: 1.981 by zone "mine"', ["90/s", "10/m", "9 requests"]),
        (None, []),
    ],
)
def test_the_limit_that_the_proxy_logged_is_at_fault(message: str | None, wrong: list[str]) -> None:
    hops = list(judge_limits(SITE, routed(SITE, Request("GET", "/login")), advice(message) if message else None))
    found = [hop for hop in hops if hop.verdict is Verdict.WRONG]
    assert len(hops) == 3
    assert [hop.text.startswith(text) for hop, text in zip(found, wrong, strict=True)] == [True] * len(wrong)
    assert all((hop.todo is not None) is (hop.verdict is Verdict.WRONG) for hop in hops)
