"""``python -m tests.bench [--quick] [FAMILY …]``: measure; write .lab/bench/result.md and result.json."""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.bench import (
    balancing,
    deploys,
    edge,
    issuance,
    lab,
    reloads,
    routing,
    scale,
    startup,
    table,
    throughput,
    versions,
)
from tests.bench.figures import Report

FAMILIES: dict[str, Callable[[lab.Options], Report]] = {
    "startup": startup.measure,
    "issuance": issuance.measure,
    "throughput": throughput.measure,
    "reloads": reloads.measure,
    "scale": scale.measure,
    "routing": routing.measure,
    "balancing": balancing.measure,
    "deploys": deploys.measure,
    "edge": edge.measure,
}


def bench(families: Sequence[str], options: lab.Options, folder: Path = lab.OUT) -> tuple[list[Report], str]:
    """Measure ``families``; a failure is reported and does not stop the others."""
    reports: list[Report] = []
    with lab.alone():
        lab.build_tools()
        facts = versions.facts(options)
        for family in families:
            started = time.monotonic()
            try:
                report = FAMILIES[family](options)
            except (lab.BenchError, OSError, subprocess.SubprocessError) as error:
                report = Report(family, family, error="; ".join([str(error), *getattr(error, "__notes__", ())]))
            report.seconds = time.monotonic() - started
            reports.append(report)
            options.say(f"{family}: {report.seconds:.0f} s" + (f", failed: {report.error}" if report.error else ""))
    return reports, table.write(folder, reports, facts)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit with status 1 if something could not be measured; a goal that is not reached is a normal result."""
    parser = argparse.ArgumentParser(prog="make bench ARGS=…", description=__doc__)
    parser.add_argument("families", nargs="*", metavar="FAMILY", help=f"{', '.join(FAMILIES)}; default: all")
    parser.add_argument("--quick", action="store_true", help="small numbers, one short run of each family")
    asked = parser.parse_args(arguments)
    unknown = set(asked.families) - set(FAMILIES)
    if unknown:
        parser.error(f"unknown family: {', '.join(sorted(unknown))}")
    # Containers are removed however the run ends.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = lab.Options(quick=asked.quick, say=lambda text: print(f"bench: {text}", file=sys.stderr, flush=True))
    families = [family for family in FAMILIES if not asked.families or family in asked.families]
    reports, text = bench(families, options)
    print(text)
    return int(any(report.error for report in reports))


if __name__ == "__main__":
    sys.exit(main())
