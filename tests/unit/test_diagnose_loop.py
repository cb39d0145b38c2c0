"""The renewal loop: whether it turns, and what its last round did."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from stackctl.certs.loop import Failure, read_failure
from stackctl.diagnose.check import Verdict
from stackctl.diagnose.loop import LOOP, ROUND, LoopFacts, judge_loop
from tests.unit.build import NOW

HOUR = timedelta(hours=1)


def loop(
    state: str | None = "running", started: float | None = 100, checked: float | None = 5, interval: float = 12
) -> LoopFacts:
    """``started`` and ``checked`` are hours ago."""
    times = [None if hours is None else NOW - hours * HOUR for hours in (started, checked)]
    return LoopFacts("certbot", state, times[0], times[1], interval * HOUR, NOW)


@pytest.mark.parametrize(
    ("given", "verdict", "text"),
    [
        (loop(), Verdict.OK, "was 5 h ago, it runs every 12 h"),
        (loop(checked=12.5), Verdict.OK, "was 12 h ago"),
        (loop(started=5.0001, checked=5.0004), Verdict.OK, "was 5 h ago"),
        (loop(started=0.1, checked=None), Verdict.OK, "first run"),
        (loop(started=0.1, checked=300), Verdict.OK, "first run"),
        (loop(checked=2.5, interval=2), Verdict.OK, "was 2 h ago, it runs every 2 h"),
        (loop(checked=5, interval=2), Verdict.WRONG, "last run was 5 h ago"),
        (loop(checked=14), Verdict.WRONG, "last run was 14 h ago"),
        (loop(checked=72), Verdict.WRONG, "last run was 3 days ago"),
        (loop(started=5, checked=30), Verdict.WRONG, "last run was 30 h ago"),
        (loop(checked=None), Verdict.WRONG, "never run"),
        (loop("exited"), Verdict.WRONG, "its container is exited"),
        (loop(None, None), Verdict.WRONG, "it has no container"),
        # Times that a wrong clock recorded
        (loop(checked=-7200), Verdict.WRONG, "dated in the future"),
        (loop(started=-7200, checked=5), Verdict.OK, "was 5 h ago"),
        (loop(started=-7200, checked=30), Verdict.WRONG, "last run was 30 h ago"),
        (loop(started=-7200, checked=-7200), Verdict.WRONG, "dated in the future"),
        (loop(started=-7200, checked=None), Verdict.WRONG, "never run"),
    ],
)
def test_the_loop_that_renews(given: LoopFacts, verdict: Verdict, text: str) -> None:
    check = judge_loop(given)[0]
    assert (check.name, check.verdict) == (LOOP, verdict)
    assert text in check.text


def failed(*lineages: str, hours: float = 5, problem: str = "connection refused") -> Failure:
    states = dict.fromkeys(("", *lineages), "read")
    return Failure(NOW - hours * HOUR, dict.fromkeys(lineages, "before"), {"a": "CA is down"}, problem, states)


def facts(failure: Failure | None, *, succeeded: float | None = 29, renewed: str = "", **changes: object) -> LoopFacts:
    """``renewed`` is a certificate that was renewed since."""
    names = failure.lineages if failure else ()
    digests = {name: "after" if name == renewed else "before" for name in names}
    at = None if succeeded is None else NOW - succeeded * HOUR
    states = failure.states if failure else {}
    given = replace(loop(), succeeded=at, failure=failure, digests=digests, states=states, used=frozenset({"a", "b"}))
    return replace(given, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "verdict", "text"),
    [
        (facts(None, succeeded=5), Verdict.OK, "renewed what was due"),
        (facts(None, succeeded=None), Verdict.OK, "renewed what was due"),
        (facts(failed("a")), Verdict.WRONG, "could not renew a (last success: "),
        (facts(failed("a")), Verdict.WRONG, ": CA is down"),
        (facts(failed("b", "a"), succeeded=None), Verdict.WRONG, "could not renew b: connection refused; also a"),
        (facts(failed()), Verdict.WRONG, "the last round failed (last success: "),
        (facts(failed("a", hours=-7200)), Verdict.WRONG, "could not renew a"),
        (facts(failed("a"), renewed="a"), Verdict.OK, "renewed what was due"),
        (facts(failed("a", "b"), renewed="a"), Verdict.WRONG, "could not renew b"),
        (facts(None), Verdict.WRONG, "and could not record why"),
        (facts(failed("a"), states={"a": "repaired"}), Verdict.UNKNOWN, "renew a, whose files were changed since"),
        (facts(failed("a", "b"), states={"a": "repaired", "b": "read"}), Verdict.WRONG, "could not renew b"),
        (facts(failed("a"), states={"a": "repaired"}, renewed="a"), Verdict.OK, "renewed what was due"),
        (facts(failed(), states={"": "other"}), Verdict.UNKNOWN, "cli.ini was changed since"),
        (facts(failed("a"), started=NOW, checked=NOW - 5 * HOUR), Verdict.UNKNOWN, "this one has not ended"),
        (facts(failed("a"), state="exited"), Verdict.UNKNOWN, "not checked"),
    ],
)
def test_the_result_of_the_last_round(given: LoopFacts, verdict: Verdict, text: str) -> None:
    check = judge_loop(given)[1]
    assert (check.name, check.verdict) == (ROUND, verdict)
    assert text in check.text
    assert (check.todo is not None) is (verdict is Verdict.WRONG)


def test_a_certificate_that_no_app_uses_can_be_deleted() -> None:
    check = judge_loop(facts(failed("gone.example.com")))[1]
    assert "certbot delete --cert-name gone.example.com" in (check.todo or "")


@pytest.mark.parametrize(
    "text", ["", "x", "\n\n", "1", "99999999999999999999 1\na\n", "1 1\n\n\n", "\ufffd 7\n b c\n\nx"]
)
def test_any_file_is_read(text: str) -> None:
    assert read_failure(text).problem
