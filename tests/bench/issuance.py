"""Measure the time from an empty directory to N trusted names: stackctl, Caddy and ``init-letsencrypt.sh``."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from tests.bench import lab, rivals, stacks
from tests.bench.ca import Ca, fresh_ca
from tests.bench.figures import Measured, Report

Runner = Callable[[Path, Ca, Sequence[str], str], AbstractContextManager[None]]

PLAN = ((1, 5), (10, 3), (100, 2))
"""The numbers of names, and the runs of each."""


@contextmanager
def stackctl_run(directory: Path, ca: Ca, names: Sequence[str], upstream: str) -> Iterator[None]:
    """Write all sites to the Compose file, then create the stack."""
    (directory / "docker-compose.yml").write_text(f"{stacks.apps_block(names, upstream)}services: {{}}\n")
    lab.stackctl(directory, *stacks.init_arguments(ca, lab.HERE))
    yield


@contextmanager
def by_commands_run(directory: Path, ca: Ca, names: Sequence[str], upstream: str) -> Iterator[None]:
    """Create an empty stack with 'init', then run 'add-app'."""
    lab.stackctl(directory, *stacks.init_arguments(ca, lab.HERE))
    for name in names:
        lab.stackctl(directory, "add-app", name, "--upstream", upstream)
    yield


RUNNERS: tuple[tuple[str, str, Runner], ...] = (
    ("stackctl", lab.HERE, stackctl_run),
    ("Caddy", lab.CADDY_AT, rivals.caddy_run),
    ("the script", lab.SCRIPT_AT, rivals.script_run),
    ("stackctl init, add-app", lab.HERE, by_commands_run),
)
AT_MOST = {"the script": 2, "stackctl init, add-app": 3}
"""The runs of tools that need fewer, because no goal depends on them."""

UP_TO = {"the script": 10, "stackctl init, add-app": 1}
"""The script takes four seconds per name, sequentially: a hundred names would take seven minutes."""


def measure(options: lab.Options) -> Report:
    report = Report("issuance", "From nothing to HTTPS")
    report.note(
        "Every run has an empty directory and a new Pebble; images are present. Time is measured from the first command"
        " until every name has answered 200 from the app over TLS, with a certificate that Pebble's root validates."
    )
    report.note(
        "stackctl: one Compose file with N apps, then `stackctl init`. Caddy: one Caddyfile with N sites, then"
        " `caddy run` on the host, without a container. The script: its steps, one domain at a time,"
        " with an RSA key of 4096 bits, its default (stackctl's and Caddy's default is ECDSA)."
    )
    report.note("Caddy starts at most ten orders in ten seconds by default.")
    plan = ((1, 1),) if options.quick else PLAN
    with lab.upstream() as upstream:
        for count, repeats in plan:
            _count(report, options, count, repeats, upstream)
    return report


def _count(report: Report, options: lab.Options, count: int, repeats: int, upstream: str) -> None:
    runners = [one for one in RUNNERS if count <= UP_TO.get(one[0], count)]
    if options.quick:
        runners = runners[:2]
    seconds: dict[str, list[float]] = {subject: [] for subject, _, _ in runners}
    for number in range(repeats):
        for subject, address, runner in runners:
            if number >= AT_MOST.get(subject, repeats):
                continue
            taken = one_run(f"n{count}", address, runner, count, upstream)
            seconds[subject].append(taken)
            options.say(f"issuance N={count}, run {number + 1}: {subject} {taken:.2f} s")
    found = {
        subject: report.add(f"N={count} from nothing to HTTPS", subject, "s", values)
        for subject, values in seconds.items()
    }
    _judge(report, count, found)


def one_run(label: str, address: str, runner: Runner, count: int, upstream: str) -> float:
    """Return the seconds until all names are trusted."""
    names = stacks.names_of(label, count)
    with fresh_ca(address) as ca, lab.project("issuance") as directory:
        started = time.perf_counter()
        with runner(directory, ca, names, upstream):
            lab.wait_trusted(address, names, ca.root, 60.0 + 3 * count)
            return time.perf_counter() - started


def _judge(report: Report, count: int, found: dict[str, Measured]) -> None:
    ours = found["stackctl"]
    match count:
        case 1:
            report.at_most(ours, 1.8, found["Caddy"])
        case 10:
            report.at_most(ours, 0.8, found["Caddy"])
            report.at_most(ours, 0.1, found["the script"])
        case 100:
            report.at_most(ours, 0.15, found["Caddy"])
