"""Measure the start-up time of stackctl."""

from __future__ import annotations

from functools import partial

from tests.bench import lab
from tests.bench.figures import Report

ROUNDS, QUICK_ROUNDS = 15, 3


def measure(options: lab.Options) -> Report:
    report = Report("startup", "Starting")
    rounds = QUICK_ROUNDS if options.quick else ROUNDS
    commands = {
        "stackctl --help": (lab.BIN / "stackctl", "--help"),
        "stackctl --version": (lab.BIN / "stackctl", "--version"),
        "python -c pass": (lab.BIN / "python", "-c", "pass"),
    }
    values: dict[str, list[float]] = {what: [] for what in commands}
    for command in commands.values():
        lab.run(*command)
    for _ in range(rounds):
        for what, command in commands.items():
            values[what].append(lab.timed(partial(lab.run, *command)))
    found = {what: report.add(what, "from the shell", "s", times) for what, times in values.items()}
    report.within(found["stackctl --help"], 0.15)
    options.say(f"stackctl --help: {found['stackctl --help'].median:.3f} s")
    return report
