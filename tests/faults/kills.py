"""``kill -9`` of stackctl around each operation, of nginx, and of the certbot container."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from itertools import zip_longest

from tests.e2e.helpers import APP_IMAGE, ROOT, Stack, docker, inspect, wait_until
from tests.e2e.swapped import swap_addresses
from tests.faults.bed import Bed, Run, State, bare, bed, differences
from tests.faults.case import case, ended, recorded

FAMILY = "kill"
TELLING = {("after", "WriteStackfile"), ("after", "StageFiles"), ("before", "ReloadProxy"), ("after", "Issue")}
TELLING |= {("after", "StartBeside"), ("after", "SwitchService"), ("before", "UnpinServices")}
NEXT = "stackctl-lab/app:next"
"""The lab's app as a newer image."""
Operations = list[dict[str, str]]


def planned(stack: Stack, command: Sequence[str]) -> Operations:
    """Return the plan of a command, from its ``--dry-run``."""
    found: Operations = json.loads(stack.ok(*command, "--dry-run", "--output", "json").stdout)["operations"]
    return found


def killed(
    stack: Stack, command: Sequence[str], number: int, when: str, *, victim: int = 0
) -> subprocess.CompletedProcess[str]:
    """Run ``command`` and kill it, or the process ``victim``, around its operation ``number``."""
    where = [str(number), when, str(victim)]
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.killed", *where, "--", *command, "-C", str(stack.directory)],
        cwd=ROOT,
        env=stack.environ(),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        stdin=subprocess.DEVNULL,
    )
    assert victim or done.returncode == -signal.SIGKILL, f"was not reached: {ended(done)}"
    return done


def points(plan: Operations) -> list[tuple[int, str, str]]:
    """Return the points before and after each operation."""
    return [(n, when, one["kind"]) for n, one in enumerate(plan, 1) for when in ("before", "after")]


def around(
    bed: Bed,
    command: Sequence[str],
    plan: Operations,
    point: tuple[int, str, str],
    expected: State,
    again: Sequence[str] | None = None,
) -> None:
    """Add the row of one point of ``command``, which ``again`` finishes; None for the same command."""
    number, when, kind = point

    def broken() -> str:
        killed(bed.stack, command, number, when)
        return ""

    where = f"`{command[0]}` killed {when} {number}/{len(plan)} {kind}"
    case(bed, FAMILY, where, broken=broken, again=again or command, expected=expected)


def there_and_back(one: Bed, there: Sequence[str], back: Sequence[str]) -> None:
    """Kill two commands that undo each other, alternating, at every point of both."""
    plans, expected = [], []
    for command in (there, back):
        plans.append(planned(one.stack, command))
        one.stack.ok(*command)
        expected.append(one.state())
    for places in zip_longest(points(plans[0]), points(plans[1])):
        one.forget(there[1])
        for command, plan, point, state in zip((there, back), plans, places, expected, strict=True):
            if point is not None and (not one.run.quick or point[1:] in TELLING):
                around(one, command, plan, point, state)
            else:
                one.stack.ok(*command)


def apps(run: Run) -> None:
    """Kill ``add-app`` and ``remove-app``."""
    with bed(run) as one:
        name = one.name("app")
        there_and_back(one, ["add-app", name, "--image", APP_IMAGE], ["remove-app", name, "--delete-cert", "--yes"])


def deploys(run: Run) -> None:
    """Kill ``deploy`` of the site that the client asks: it goes on without losing a request."""
    with bed(run) as one:
        docker("tag", APP_IMAGE, NEXT)
        command, back = (["deploy", one.steady, "--image", image] for image in (NEXT, APP_IMAGE))
        plan = planned(one.stack, command)
        one.stack.ok(*command)
        expected = one.state()
        for point in points(plan):
            if not run.quick or point[1:] in TELLING:
                one.stack.ok(*back)
                around(one, command, plan, point, expected)
        one.add("other")
        one.stack.ok(*command)
        expected = one.state()
        for point in points(plan):
            if point[1] == "after" and (not run.quick or point[1:] in TELLING):
                one.stack.ok(*back)
                moved(one, command, point, expected)


def moved(one: Bed, command: Sequence[str], point: tuple[int, str, str], expected: State) -> None:
    """Add the row of a deploy after which the containers get other addresses: the site answers before any command."""
    number, when, kind = point

    def broken() -> str:
        killed(one.stack, command, number, when)
        conf = one.stack.directory / f"nginx/live/sites/{one.steady}.conf"
        pins = re.findall(r"server ([\d.]+):8000; # in place of", conf.read_text())
        if not pins:
            return "nothing is pinned"
        swap_addresses(one.stack, "steady", "other", pins[0])
        began = time.monotonic()
        wait_until(lambda: one.stack.https(one.steady).status == 200, 15, "the site answers by itself")
        return f"answered by itself after {time.monotonic() - began:.1f} s"

    where = f"`{command[0]}` killed {when} {number} {kind}, and its containers swap addresses with another's"
    case(one, FAMILY, where, broken=broken, again=command, expected=expected, may_lose=True)


def canaries(run: Run) -> None:
    """Kill ``deploy --canary``, ``abort`` and ``promote`` of the site that the client asks: 'up' finishes each."""
    with bed(run) as one:
        docker("tag", APP_IMAGE, NEXT)
        begin = ["deploy", one.steady, "--image", NEXT, "--canary", "20%"]
        abort, promote = ["abort", one.steady], ["promote", one.steady]
        back = ["deploy", one.steady, "--image", APP_IMAGE]
        for command, first, undo in ((begin, None, abort), (abort, begin, None), (promote, begin, back)):
            if first is not None:
                one.stack.ok(*first)
            plan = planned(one.stack, command)
            one.stack.ok(*command)
            expected = one.state()
            for point in points(plan):
                if not run.quick or point[1:] in TELLING:
                    for step in (undo, first):
                        if step is not None:
                            one.stack.ok(*step)
                    # Before the file is written, nothing says yet what is to be done.
                    again = command if point[:2] == (1, "before") else ["up"]
                    around(one, command, plan, point, expected, again)
            if undo is not None:
                one.stack.ok(*undo)


def renew(run: Run) -> None:
    """Kill ``renew``, then nginx and certbot."""
    with bed(run) as one:
        command = ["renew", "--force", one.add("app")]
        plan = planned(one.stack, command)
        expected = one.state()
        for point in points(plan):
            if not run.quick or point[1:] in TELLING:
                around(one, command, plan, point, expected)
        if not run.quick:
            containers(one)


def init(run: Run) -> None:
    """Kill ``init``: there is no other site yet, so only the state is compared."""
    with bare(run) as one:
        command = one.stack.init_arguments()
        plan = planned(one.stack, command)
        one.stack.ok(*command)
        expected = one.state()
        empty(one.stack)
        for number, when, kind in points(plan):
            if run.quick and (when, kind) not in TELLING:
                continue
            with recorded(run, FAMILY, f"`init` killed {when} {number}/{len(plan)} {kind}") as row:
                killed(one.stack, command, number, when)
                row.meanwhile = "no site yet"
                done = one.stack.run(*command)
                wrong = differences(one.state(), expected)
                row.held = done.returncode == 0 and not wrong and one.stack.refused("nobody.example.com")
                row.after = f"{ended(done)}; {f'differs: {wrong}' if wrong else 'as undisturbed'}"
            empty(one.stack)


def empty(stack: Stack) -> None:
    """Reset a directory to its initial state."""
    stack.remove()
    stack.directory.mkdir()


def containers(one: Bed) -> None:
    """Check that a killed container restarts by itself; the requests lost in between are counted."""
    stack = one.stack
    stack.ok("up")
    expected = one.state()

    def kill(service: str) -> str:
        container = stack.container(service)
        before = inspect(container)["State"]
        os.kill(before["Pid"], signal.SIGKILL)
        wait_until(lambda: inspect(container)["State"]["StartedAt"] != before["StartedAt"], 30, "it restarts")
        wait_until(lambda: stack.trusted(one.steady), 30, "the site is served")
        return "it restarted by itself"

    case(one, FAMILY, "certbot's container killed", broken=lambda: kill("certbot"), again=["up"], expected=expected)
    case(
        one,
        FAMILY,
        "nginx killed",
        broken=lambda: kill("nginx"),
        again=["up"],
        expected=expected,
        may_lose=True,
    )
    name = one.stack.domain("app")

    def in_the_middle() -> str:
        """Kill certbot's container while it issues."""
        with subprocess.Popen(
            stack.command("renew", "--force", name),
            cwd=stack.directory,
            env=stack.environ(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            container = stack.container("certbot")
            wait_until(lambda: "python3 -u -" in docker("top", container, "-o", "pid,args"), 20, "the issuer runs")
            os.kill(inspect(container)["State"]["Pid"], signal.SIGKILL)
            out, err = process.communicate(timeout=120)
        wait_until(lambda: inspect(container)["State"]["Running"], 30, "the container runs again")
        assert "the container of certbot was stopped while certbot was running" in err, err
        return ended(subprocess.CompletedProcess([], process.returncode, out, err))

    again = ["renew", "--force", name]
    case(
        one, FAMILY, "certbot's container killed while it issues", broken=in_the_middle, again=again, expected=expected
    )
