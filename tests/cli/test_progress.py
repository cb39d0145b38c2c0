"""What the user sees of many certificates: a live line, and at the end what went wrong, as one table."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from stackctl.certs.request import CertificateRequest
from stackctl.cli.report import SilentReport, TextReport
from stackctl.cli.show import show_text
from stackctl.engine.apply.execute import Step
from stackctl.errors import EngineError, IssueFailed, StackctlError
from stackctl.model.values import Domain
from stackctl.plan.certificates import Issue
from stackctl.plan.operation import Plan
from stackctl.plan.operations import StageFiles
from stackctl.usecases.result import Result


def operation(name: str) -> Issue:
    return Issue(
        request=CertificateRequest(Domain(name), (Domain(name),)), source="acme", cause="no certificate yet", scope=name
    )


@pytest.mark.parametrize("terminal", [True, False])
def test_a_live_line_where_somebody_watches(*, terminal: bool) -> None:
    out = io.StringIO()
    report = TextReport(Console(file=out, force_terminal=terminal, width=100), verbose=False)
    one = operation("a.example.com")
    report.begin(one)
    report.progress("issuing 37/100, 2 failed, about 8 s left")
    if report._status is not None:
        report._status._live.refresh()  # the line is drawn some times a second
    report.note("a.example.com: issued")
    report.end(one, None)
    report.progress("issuing 38/100")  # nothing is at work any more
    report.close()
    assert ("issuing 37/100, 2 failed, about 8 s left …" in out.getvalue()) is terminal
    assert "issuing 38/100" not in out.getvalue()
    assert "a.example.com: issued" in out.getvalue()


def test_a_time_is_that_of_all_operations_that_ran_together(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 0.0, 60.0, 70.0, 75.0])
    monkeypatch.setattr("stackctl.cli.report.time.monotonic", lambda: next(clock))
    out = io.StringIO()
    report = TextReport(Console(file=out, width=100), verbose=False)
    one, two, three = (operation(f"{name}.example.com") for name in "abc")
    report.begin(one)
    report.begin(two)
    report.end(one, None)
    report.end(two, "it does not answer")
    report.begin(three)
    report.end(three, None)
    assert out.getvalue().splitlines() == [
        "✓ issue a certificate for a.example.com",
        "✗ issue a certificate for b.example.com (2 together in 60.0 s)",
        "✓ issue a certificate for c.example.com (5.0 s)",
    ]


def test_what_is_parked_after_it_was_staged_does_not_read_as_live() -> None:
    out = io.StringIO()
    report = TextReport(Console(file=out, width=100), verbose=False)
    staged = StageFiles(files={"sites/a.example.com.conf": b""}, cause="new", scope="a.example.com")
    report.begin(staged)
    report.end(staged, None)
    report.end(staged, "nginx refuses it")
    assert out.getvalue().splitlines() == [
        "✓ stage sites/a.example.com.conf",
        "✗ not published, the site is unchanged: stage sites/a.example.com.conf",
    ]


def test_json_hears_nothing_of_it() -> None:
    report = SilentReport()
    report.progress("issuing 1/2")
    assert report.notes == []


def shown(*errors: StackctlError) -> list[str]:
    steps = tuple(Step(operation(f"{n}.example.com"), "failed", error) for n, error in enumerate(errors))
    out = io.StringIO()
    result = Result("up", None, Plan(tuple(step.operation for step in steps)), steps)
    show_text(Console(file=io.StringIO()), Console(file=out, width=60), result)
    return out.getvalue().splitlines()


def failed(name: str, why: str, detail: str, hint: str | None) -> IssueFailed:
    return IssueFailed(f"{name}: {detail} ({why})", hint=hint, lineage=name, why=why, detail=detail)


def test_many_failures_are_one_table_and_each_hint_comes_once() -> None:
    long = "Fetching http://c.example.com/.well-known/acme-challenge/x:\n connection refused"
    assert shown(
        failed("a.example.com", "dns", "NXDOMAIN", "check it with dig"),
        failed("bb.example.com", "dns", "no [such] name", "check it with dig"),
        EngineError("the Docker Engine does not answer"),
        failed("c.example.com", "connection", long, "check the firewall"),
        failed("d.example.com", "-", "certbot ended early", None),
    ) == [
        "error: 4 certificates were not issued",
        "  CERTIFICATE     PROBLEM     DETAIL",
        "  a.example.com   dns         NXDOMAIN",
        "  bb.example.com  dns         no [such] name",
        f"  c.example.com   connection  {' '.join(long.split())}",
        "  d.example.com   -           certbot ended early",
        "  → dns: check it with dig",
        "  → connection: check the firewall",
        "error: the Docker Engine does not answer",
    ]


def test_a_few_are_reported_one_by_one() -> None:
    assert shown(*(failed(f"{n}.example.com", "dns", "NXDOMAIN", "dig") for n in range(3))) == [
        line for n in range(3) for line in (f"error: {n}.example.com: NXDOMAIN (dns)", "  → dig")
    ]
