"""Format the result as a Markdown table for users, and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from tests.bench.figures import Judged, Measured, Report

Facts = Mapping[str, str]


def markdown(reports: Sequence[Report], facts: Facts) -> str:
    """Return the whole result, the goals first."""
    parts = ["# Benchmark", _facts(facts)]
    judged = [one for report in reports for one in report.judged]
    if judged:
        rows = [(one.what, one.goal, number(one.value, one.unit), _verdict(one)) for one in judged]
        parts += ["## Goals", _table(("figure", "goal", "found", ""), rows, "llrl")]
    for report in reports:
        parts.append(f"## {report.title}")
        if report.error:
            parts.append(f"**Not measured:** {report.error}")
        if report.measured:
            lines = [
                (one.what, one.subject, number(one.median, one.unit), spread(one), one.note) for one in report.measured
            ]
            parts.append(_table(("figure", "of", "median", "runs", ""), lines, "llrll"))
        if report.notes:
            parts.append("\n".join(f"- {note}" for note in report.notes))
    return "\n\n".join(parts) + "\n"


def as_json(reports: Sequence[Report], facts: Facts) -> str:
    """Return the same as JSON, with the ``median`` next to the single values."""
    families = []
    for report in reports:
        family = asdict(report)
        for row, one in zip(family["measured"], report.measured, strict=True):
            row["median"] = one.median
        families.append(family)
    return json.dumps({"facts": dict(facts), "families": families}, indent=2) + "\n"


def write(folder: Path, reports: Sequence[Report], facts: Facts) -> str:
    """Write both files; return the Markdown."""
    folder.mkdir(parents=True, exist_ok=True)
    text = markdown(reports, facts)
    (folder / "result.md").write_text(text)
    (folder / "result.json").write_text(as_json(reports, facts))
    return text


def number(value: float, unit: str) -> str:
    """Format a value with its significant digits."""
    digits = 0 if abs(value) >= 100 or unit == "requests" else 1 if abs(value) >= 20 else 2
    if unit == "s" and abs(value) < 1:
        digits = 3
    return f"{value:,.{digits}f} {unit}"


def spread(one: Measured) -> str:
    """Return the number of values and their range."""
    if len(one.values) == 1:
        return "1"
    low, high = (number(value, one.unit).removesuffix(one.unit).strip() for value in (min(one.values), max(one.values)))
    return f"{len(one.values)}: {low} to {high}"


def _verdict(one: Judged) -> str:
    return "reached" if one.reached else "**not reached**"


def _facts(facts: Facts) -> str:
    return "\n".join(f"- {name}: {value}" for name, value in facts.items())


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], alignment: str) -> str:
    rule = ["---:" if one == "r" else "---" for one in alignment]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *rows))
