"""``python -m tests.faults [--quick] [FAMILY …]``: inject faults; write .lab/faults/result.md."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import SubprocessError

from tests.bench.lab import BenchError
from tests.e2e.helpers import LAB
from tests.faults import (
    ca_faults,
    crash_faults,
    disk_faults,
    dns_faults,
    engine_faults,
    kills,
    lock_faults,
    loop_faults,
    memory_faults,
    source_faults,
    time_faults,
    tree_faults,
)
from tests.faults.bed import STOP, Row, Run, Stopped, begun

OUT = LAB / "faults"
BESIDE = 4
"""Families that run in parallel: certbot and the proxy mostly wait."""
FAMILIES: dict[str, Callable[[Run], None]] = {
    "apps": kills.apps,
    "CA": ca_faults.rows,
    "engine": engine_faults.rows,
    "disk": disk_faults.rows,
    "renew": kills.renew,
    "deploys": kills.deploys,
    "canaries": kills.canaries,
    "init": kills.init,
    "DNS": dns_faults.rows,
    source_faults.DNS: source_faults.dns,
    source_faults.IMPORTED: source_faults.imported,
    source_faults.LOCAL: source_faults.local,
    "time": time_faults.rows,
    "loops": loop_faults.rows,
    "tree": tree_faults.rows,
    "locks": lock_faults.rows,
    "memory": memory_faults.rows,
    "crash": crash_faults.rows,
}
"""The longest first, so that the others run in parallel with them."""


def faults(families: Sequence[str], *, quick: bool, folder: Path = OUT) -> tuple[list[Row], str]:
    """Run ``families``, a few in parallel, each with its own CA."""
    with ThreadPoolExecutor(BESIDE) as pool:
        rows = [row for found in pool.map(lambda one: family(one, quick=quick), families) for row in found]
    folder.mkdir(parents=True, exist_ok=True)
    text = table(rows)
    (folder / "result.md").write_text(text)
    return rows, text


def family(name: str, *, quick: bool) -> list[Row]:
    """Return the rows of one family; a family that aborts adds a row that did not hold."""
    if STOP.is_set():
        return [Row(name, "the family as a whole", "was interrupted", held=False)]
    rows: list[Row] = []
    started = time.monotonic()
    try:
        with begun(rows, quick=quick, say=say) as run:
            FAMILIES[name](run)
    except Stopped:
        rows.append(Row(name, "the family as a whole", "was interrupted", held=False))
    except (AssertionError, BenchError, OSError, SubprocessError, RuntimeError, ValueError, KeyError) as error:
        rows.append(Row(name, "the family as a whole", "aborted", str(error)[:300], held=False))
        say(f"{name}: aborted: {error}")
    say(f"{name}: {time.monotonic() - started:.0f} s")
    return rows


def say(text: str) -> None:
    print(f"faults: {text}", file=sys.stderr, flush=True)


def table(rows: Sequence[Row]) -> str:
    """Return the matrix in Markdown."""
    lines = [
        "| | Injected | Meanwhile | The same command again | Requests of another site | Lost | Held |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        held = "not run" if row.skipped else "yes" if row.held else "**no**"
        cells = (row.family, row.injected, row.meanwhile, row.after, str(row.requests or "-"), str(row.lost), held)
        lines.append(f"| {' | '.join(cell.replace('|', '/').replace(chr(10), ' ') for cell in cells)} |")
    failed = [row for row in rows if not row.held]
    skipped = sum(row.skipped for row in rows)
    lost = sum(row.lost for row in rows)
    lines += [
        "",
        f"{len(rows) - skipped} rows run, {len(failed)} did not hold, {skipped} not run; {lost} requests lost.",
    ]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit with status 1 if a row did not hold."""
    parser = argparse.ArgumentParser(prog="make faults ARGS=…", description=__doc__)
    parser.add_argument("families", nargs="*", metavar="FAMILY", help=f"{', '.join(FAMILIES)}; default: all")
    parser.add_argument("--quick", action="store_true", help="the representative rows of each family")
    asked = parser.parse_args(arguments)
    unknown = set(asked.families) - set(FAMILIES)
    if unknown:
        parser.error(f"unknown family: {', '.join(sorted(unknown))}")
    # Containers are removed however the run ends.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: STOP.set())
    families = [family for family in FAMILIES if not asked.families or family in asked.families]
    rows, text = faults(families, quick=asked.quick)
    print(text)
    return int(any(not row.held for row in rows))


if __name__ == "__main__":
    sys.exit(main())
