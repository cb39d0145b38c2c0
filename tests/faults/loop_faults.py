"""Loops that fail: certbot ends with an error in each round, the CA is down, the disk is full, the clock jumps."""

from __future__ import annotations

import json
import os
from functools import partial
from pathlib import Path

from tests.e2e.helpers import wait_until
from tests.e2e.loops import SHORT_INTERVALS, make_due
from tests.e2e.test_obstacles import _fill_up, mounted
from tests.faults.bed import Bed, Run, bed
from tests.faults.ca_proxy import between
from tests.faults.case import case, recorded

FAMILY = "loops"


def rows(run: Run) -> None:
    """Run the whole family."""
    with between(run.ca) as proxy, bed(run, directory=proxy.directory) as one:
        name = quick_loop(one)
        expected, cleared = one.state(), partial(well, one)

        def down() -> str:
            proxy.down()
            make_due(one.stack, name)
            return failing(one, name)

        case(
            one,
            FAMILY,
            "the CA down in each round",
            broken=down,
            mend=proxy.up,
            expected=None,
            check=partial(well, one),
        )
        settle(one)

        def ini() -> str:
            make_due(one.stack, name)
            (one.stack.live.parent / "cli.ini").write_text("authenticator = standalone\npre-hook = false\n")
            return failing(one, name)

        what = "`cli.ini` of another host"
        case(one, FAMILY, what, broken=ini, again=["up"], expected=expected, check=cleared)
        settle(one)
        case(
            one,
            FAMILY,
            "stamps from the future",
            broken=lambda: future(one),
            expected=expected,
            check=partial(well, one),
        )
    if run.quick:
        return
    if os.geteuid() != 0:
        with recorded(run, FAMILY, "the disk full in each round") as row:
            row.skipped, row.meanwhile = True, "not run: mounting needs root"
        return
    with mounted("8m") as disk, bed(run, parent=disk) as one:
        name = quick_loop(one)

        def full() -> str:
            make_due(one.stack, name)
            _fill_up(disk)
            return failing(one, "")

        case(
            one,
            FAMILY,
            "the disk full in each round",
            broken=full,
            mend=(disk / "ballast").unlink,
            check=partial(well, one),
        )


def quick_loop(one: Bed) -> str:
    """Add an app, and let the loop run each second."""
    name = one.add("app")
    (one.stack.directory / "docker-compose.override.yml").write_text(SHORT_INTERVALS)
    one.stack.ok("up")
    wait_until(lambda: stamp(one, "succeeded") is not None, 60, "a round succeeds")
    return name


def settle(one: Bed) -> None:
    """Remove what made the certificate due, which renews it in each round."""
    one.stack.ok("up")
    well(one)


def stamp(one: Bed, name: str) -> str | None:
    path = Path(one.stack.live).parent.parent / "deploy" / name
    return path.read_text() if path.exists() else None


def problem(one: Bed) -> str | None:
    """What ``status`` says of the loop."""
    found = json.loads(one.stack.ok("status", "--output", "json").stdout)["renewal"]["problem"]
    return None if found is None else str(found)


def failing(one: Bed, name: str) -> str:
    """Wait until ``status`` and ``doctor`` report the failure."""
    wait_until(lambda: problem(one) is not None, 90, "status reports it")
    said = problem(one) or ""
    assert name in said, said
    assert "renewal-round" in one.stack.run("doctor").stdout
    return f"`status`: {said.partition(' (')[0][:60]}"


def well(one: Bed) -> None:
    """Wait until the next success has cleared it."""
    wait_until(lambda: problem(one) is None, 90, "the next success clears it")


def future(one: Bed) -> str:
    """Date the stamps a year ahead, as a wrong clock does; the loop writes them again."""
    folder = one.stack.live.parent.parent / "deploy"
    for name in ("checked", "succeeded"):
        (folder / name).write_text("4102444800\n")
    wait_until(lambda: (stamp(one, "checked") or "") != "4102444800\n", 60, "the loop writes them again")
    return "written again by the next round"
