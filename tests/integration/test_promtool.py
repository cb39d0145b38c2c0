"""Prometheus' own tool accepts the metrics, the alert rules with their tests, and every expression of the dashboard."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from stackctl.certs.watch.exposition import FAMILIES, Sample, exposition
from tests.docs.pages import ROOT

pytestmark = pytest.mark.slow

PROMTOOL = ROOT / ".lab" / "promtool"
SHIPPED = ROOT / "docs" / "prometheus"
RULES, RULE_TESTS, DASHBOARD = (
    SHIPPED / f"stackctl.{end}" for end in ("rules.yml", "rules.test.yml", "dashboard.json")
)
NAMES = {family.name for family in FAMILIES}


def promtool(*arguments: str | Path, said: str = "") -> str:
    done = subprocess.run([PROMTOOL, *arguments], check=False, input=said, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def expressions() -> list[str]:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel["targets"]]


def test_it_finds_nothing_to_correct_in_any_metric() -> None:
    text = exposition('a "stack"\n', [Sample(family, 1.5, tuple(family.labels)) for family in FAMILIES])
    assert all(f"# TYPE {name} " in text for name in NAMES)
    assert promtool("check", "metrics", said=text) == ""


def test_the_rules_fire_when_they_are_to() -> None:
    promtool("check", "rules", RULES)
    assert "SUCCESS" in promtool("test", "rules", RULE_TESTS)


def test_every_expression_of_the_dashboard_is_one(tmp_path: Path) -> None:
    rules = [{"record": f"dashboard:{n}", "expr": text} for n, text in enumerate(expressions())]
    file = tmp_path / "rules.json"  # JSON is YAML
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert f"{len(rules)} rules found" in promtool("check", "rules", file)


@pytest.mark.parametrize("path", [RULES, DASHBOARD], ids=lambda path: path.name)
def test_they_name_metrics_that_exist(path: Path) -> None:
    named = set(re.findall(r"\bstackctl_[a-z0-9_]+", path.read_text()))
    assert named <= NAMES
    assert len(named) > 5
