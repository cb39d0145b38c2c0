"""``python -m tests.engines [ENGINE …] [-- PYTEST-ARGS]``: run end-to-end tests on several engines; print a table."""

from __future__ import annotations

import argparse
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tests.e2e.helpers import LAB, ROOT
from tests.engines.machine import IMAGES, KINDS, Kind, Machine, machine

OUT = LAB / "engines"
MAIN = ("alone", "init", "apps", "certificates", "existing_project", "edits", "rollback", "backup", "adopt", "explain")
"""The modules of the end-to-end tests with the main scenarios; they take a few minutes on each engine."""

ONE_STACK = ("alone", "init", "apps", "edits", "rollback", "backup")
"""Those with one stack at a time: a rootless engine can publish a port only once, whatever the address."""

ALONE = "tests/engines/address_pools.py"
"""Run alone on each engine, as it affects whatever starts meanwhile."""

DIGESTS = "tests/engines/digests.py"
"""What differs between versions of Compose; run on each."""

WITHOUT_RIGHTS = "tests/engines/low_ports.py"
"""Run on rootless engines only."""

SUMMARY = re.compile(r"^(\d+ .*) in [\d.]+s", re.MULTILINE)
ROWS = re.compile(r"(\d+) (passed|failed|errors?|skipped)")


@dataclass(frozen=True)
class Row:
    """The result of the tests on one engine."""

    kind: Kind
    engine: str = "-"
    compose: str = "-"
    counts: str = "-"
    seconds: float = 0
    error: str = ""

    @property
    def passed(self) -> bool:
        return not self.error


def on(kind: Kind, tests: Sequence[str], images: Sequence[str] = IMAGES) -> Row:
    """Run the tests on one engine."""
    started = time.monotonic()
    try:
        with machine(kind, images) as made:
            row = on_machine(made, tests)
    except (AssertionError, OSError, subprocess.SubprocessError) as error:
        row = Row(kind, error=str(error)[-300:])
    return replace(row, seconds=time.monotonic() - started)


def on_machine(made: Machine, tests: Sequence[str]) -> Row:
    """Run the tests on a machine."""
    kind = made.kind
    engine, compose = made.versions()
    say(f"{kind.name}: Engine {engine} with Compose {compose} runs")
    log = OUT / f"{kind.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.unlink(missing_ok=True)
    pytest = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    alone = [DIGESTS, ALONE, *([WITHOUT_RIGHTS] if kind.rootless else [])]
    codes = [
        made.run([*pytest, "--numprocesses", "1" if kind.rootless else "2", "--dist", "loadfile", *tests], log),
        made.run([*pytest, *alone], log),
    ]
    counts = counted(log.read_text(errors="replace"))
    error = f"pytest exits with {max(codes)}; log: {log.relative_to(ROOT)}" if any(codes) else ""
    return Row(kind, engine, compose, counts or "-", error=error)


def counted(printed: str) -> str:
    """Return the sum of what each run of pytest counts."""
    sums: Counter[str] = Counter()
    for line in SUMMARY.findall(printed):
        sums.update({what: int(number) for number, what in ROWS.findall(line)})
    return ", ".join(f"{number} {what}" for what, number in sums.items())


def table(rows: Sequence[Row]) -> str:
    """Return the matrix in Markdown."""
    lines = ["| Engine | Compose | Rights | Found by | Tests | Time | |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        rights = "rootless" if row.kind.rootless else "root"
        found = "a context" if row.kind.context else "`DOCKER_HOST`"
        result = "passed" if row.passed else f"**{row.error}**".replace("|", "/").replace("\n", " ")
        engine = row.engine if row.engine != "-" else row.kind.name
        cells = (engine, row.compose, rights, found, row.counts, f"{row.seconds:.0f} s", result)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def say(text: str) -> None:
    print(f"engines: {text}", file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit with status 1 if a test failed on any engine."""
    parser = argparse.ArgumentParser(prog="make engines ARGS=…", description=__doc__)
    parser.add_argument("engines", nargs="*", metavar="ENGINE", help=f"{', '.join(KINDS)}; default: all")
    parser.add_argument("--tests", nargs="+", metavar="MODULE", help="modules of tests/e2e; default: the main ones")
    asked = parser.parse_args(arguments)
    unknown = set(asked.engines) - set(KINDS)
    if unknown:
        parser.error(f"unknown engine: {', '.join(sorted(unknown))}")
    # The engines are removed however the run ends.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    rows = []
    for kind in KINDS.values():
        if not asked.engines or kind.name in asked.engines:
            names = asked.tests or (ONE_STACK if kind.rootless else MAIN)
            rows.append(on(kind, [f"tests/e2e/test_{name}.py" for name in names]))
            say(f"{kind.name}: {rows[-1].error or 'passed'} ({rows[-1].counts})")
    text = table(rows)
    (OUT / "result.md").write_text(text + "\n")
    print(text)
    return int(not all(row.passed for row in rows))


if __name__ == "__main__":
    sys.exit(main())
