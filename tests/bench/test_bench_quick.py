"""The benchmark runs end to end; its figures are not tested."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bench import lab, table
from tests.bench.__main__ import bench
from tests.bench.figures import TIMES, Report

pytestmark = pytest.mark.e2e


def test_quick_run_measures_every_family(tmp_path: Path) -> None:
    said: list[str] = []

    # A deploy under load takes several seconds; tests/e2e/test_deploys.py has its own.
    families = ["startup", "issuance", "throughput", "reloads", "scale", "routing", "balancing", "edge"]
    reports, text = bench(families, lab.Options(quick=True, say=said.append), tmp_path)

    assert not [report.error for report in reports if report.error], said
    found = {(one.what, one.subject): one for report in reports for one in report.measured}
    assert {subject for what, subject in found if what == "N=1 from nothing to HTTPS"} == {"stackctl", "Caddy"}
    assert {subject for what, subject in found if what == "throughput"} >= {"stackctl's nginx", "HAProxy", "Caddy"}
    # The loads show that the connection, TLS and the upstream work; their speed is not tested.
    assert all(one.median > 100 for (what, _), one in found.items() if what.startswith("throughput"))
    assert found["nginx -t, all kinds in turn", "100 rules"].median > 1
    assert found["cookie jars that stay for 4 requests", "stackctl's nginx"].median == 100
    assert found["lost over 2 reloads", "stackctl's nginx"].median == 0
    assert found["nginx's memory after start", "20 apps"].median > 1
    written = json.loads((tmp_path / "result.json").read_text())
    assert [family["family"] for family in written["families"]] == [report.family for report in reports]
    assert written["facts"]["nginx"].startswith("1.")
    assert text == (tmp_path / "result.md").read_text()
    assert f"| N=1 from nothing to HTTPS | ≤ 1.8 {TIMES} Caddy |" in text
    assert not lab.docker("ps", "--all", "--quiet", "--filter", f"name={lab.PREFIX}")


def test_goals_are_judged_by_medians() -> None:
    report = Report("x", "X")
    ours = report.add("speed", "ours", "s", [9.0, 1.0, 2.0])
    theirs = report.add("speed", "theirs", "s", [4.0, 4.0, 4.0])
    report.at_most(ours, 0.5, theirs)
    report.at_most(ours, 0.4, theirs)
    report.at_least(theirs, 2.0, ours)
    report.within(ours, 1.5)
    assert [one.reached for one in report.judged] == [True, False, True, False]
    text = table.markdown([report], {"machine": "this one"})
    assert f"| speed | ≤ 0.5 {TIMES} theirs | 0.50 {TIMES} | reached |" in text
    assert "| speed | ≤ 1.5 s | 2.00 s | **not reached** |" in text
    assert "| speed | ours | 2.00 s | 3: 1.00 to 9.00 |  |" in text


def test_a_family_that_cannot_be_measured_is_named() -> None:
    text = table.markdown([Report("x", "X", error="does not exist")], {})
    assert "**Not measured:** does not exist" in text
