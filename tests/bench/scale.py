"""Measure the cost of a thousand apps: adding one, 'status', 'up' and 'renew' with nothing to do, and nginx."""

from __future__ import annotations

import http
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from stackctl.model.layout import MARKER_PATH
from tests.bench import lab, stacks
from tests.bench.ca import Ca, fresh_ca, point
from tests.bench.figures import Report

SIZES, QUICK_SIZES = (10, 100, 1000), (20,)
ROUNDS, QUICK_ROUNDS = 3, 1


@dataclass
class Stacked:
    """A stack with so many apps, whose certificates stackctl accepts as real."""

    apps: int
    address: str
    directory: Path
    made: float = 0.0
    added: list[float] = field(default_factory=list)
    issued: list[float] = field(default_factory=list)


def measure(options: lab.Options) -> Report:
    sizes, rounds = (QUICK_SIZES, QUICK_ROUNDS) if options.quick else (SIZES, ROUNDS)
    report = Report("scale", "A thousand apps")
    report.note(
        "The apps are listed under the top-level `apps`, with one upstream that answers. Their certificates are"
        " generated locally in certbot's layout, at all ages at which none is due; Pebble issues those of `add-app`."
    )
    report.note(
        "A reload is the command alone, as stackctl runs it; nginx replaces its workers soon after. Memory is the"
        " proportional set size of all processes of the container after a restart."
    )
    with lab.upstream() as upstream, fresh_ca(lab.STACKS_AT[0]) as ca, ExitStack() as stack:
        made: list[Stacked] = []
        for size, address in zip(sizes, lab.STACKS_AT, strict=False):
            one = Stacked(size, address, stack.enter_context(lab.project(f"scale-{size}")))
            _make(one, ca, upstream)
            options.say(f"scale: {size} apps made in {one.made:.1f} s")
            made.append(one)
        for number in range(rounds):
            for one in made:
                _add(one, number, upstream, options)
        _report_added(report, made)
        _look(report, made[-1], rounds, options)
        _nginx(report, made[-1], rounds, options)
    return report


def _make(one: Stacked, ca: Ca, upstream: str) -> None:
    names = stacks.names_of(f"scale{one.apps}", one.apps)
    lab.stackctl(one.directory, *stacks.init_arguments(ca, one.address))
    stacks.add_apps(one.directory, names, upstream)
    stacks.write_lineages(one.directory, names, ca.directory)
    one.made = lab.stackctl(one.directory, "up", "--no-issue")


def _add(one: Stacked, number: int, upstream: str, options: lab.Options) -> None:
    """Add one app without and one with a certificate."""
    dummy, real = (f"{kind}{number}.scale{one.apps}.example.com" for kind in ("dummy", "real"))
    point([real], one.address)
    one.added.append(lab.stackctl(one.directory, "add-app", dummy, "--upstream", upstream, "--no-issue"))
    one.issued.append(lab.stackctl(one.directory, "add-app", real, "--upstream", upstream))
    # Removed again, so that it is not reported as an app without a certificate.
    lab.stackctl(one.directory, "remove-app", dummy)
    options.say(f"add-app with {one.apps} apps: {one.added[-1]:.2f} s, with its certificate {one.issued[-1]:.2f} s")


def _report_added(report: Report, made: list[Stacked]) -> None:
    for one in made:
        report.add("up of new apps, once", f"{one.apps} apps", "s", [one.made])
    for what, values in (("add-app", "issued"), ("add-app --no-issue", "added")):
        found = [report.add(what, f"with {one.apps} existing apps", "s", getattr(one, values)) for one in made]
        if len(found) > 1:
            report.at_most(found[-1], 1.5, found[0])


def _look(report: Report, one: Stacked, rounds: int, options: lab.Options) -> None:
    """Measure the commands with nothing to do."""
    said = lab.run(lab.BIN / "stackctl", "up", cwd=one.directory)
    if "nothing to do" not in said:
        raise lab.BenchError(f"'up' found changes after an earlier 'up':\n{said[-1000:]}")
    for command in ("status", "up", "renew"):
        values = [lab.stackctl(one.directory, command) for _ in range(rounds)]
        what = {"up": "up without changes", "renew": "renew with nothing due"}.get(command, command)
        report.within(report.add(what, f"{one.apps} apps", "s", values), 2.0)
        options.say(f"{what} at {one.apps} apps: {values[0]:.2f} s")


def _nginx(report: Report, one: Stacked, rounds: int, options: lab.Options) -> None:
    memory: list[float] = []
    for _ in range(rounds):
        lab.docker("restart", lab.container_of(one.directory, "nginx"))
        lab.wait_until(lambda: _answers(one.address), "nginx answers after a restart")
        memory.append(_memory(lab.container_of(one.directory, "nginx")))
    container = lab.container_of(one.directory, "nginx")
    command = ("exec", container, "nginx", "-e", "/dev/stderr", "-s", "reload")
    reloads, takes = [], []
    for _ in range(rounds):
        before = _workers(container)
        started = time.perf_counter()
        reloads.append(lab.timed(lambda: lab.docker(*command)))
        lab.wait_until(partial(_new_workers, container, before), "new workers start", pause=0.01)
        takes.append(time.perf_counter() - started)
    report.within(report.add("nginx's memory after start", f"{one.apps} apps", "MB", memory), 60.0)
    report.within(report.add("reload command", f"{one.apps} apps", "s", reloads), 0.5)
    report.add("until new workers run", f"{one.apps} apps", "s", takes)
    options.say(f"nginx at {one.apps} apps: {memory[0]:.0f} MB, reload {reloads[0]:.2f} s")


def _answers(address: str) -> bool:
    """Return whether nginx answers: Docker accepts connections to its port a little earlier."""
    return lab.plain_status(address, 80, MARKER_PATH) == http.HTTPStatus.OK


def _processes(container: str) -> dict[int, str]:
    rows = lab.docker("top", container, "-o", "pid,args").splitlines()[1:]
    return {int(pid): arguments for pid, _, arguments in (row.strip().partition(" ") for row in rows)}


def _workers(container: str) -> set[int]:
    rows = _processes(container).items()
    return {pid for pid, arguments in rows if "worker process" in arguments and "shutting down" not in arguments}


def _new_workers(container: str, before: set[int]) -> bool:
    return bool(_workers(container) - before)


def _memory(container: str) -> float:
    """Return the memory in megabytes, with shared pages counted once."""
    kilobytes = 0
    for pid in _processes(container):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        kilobytes += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return kilobytes * 1024 / 1e6
