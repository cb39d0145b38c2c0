"""A proxy that cannot start or reload: one site's file, a file of all sites, a held port, a killed process."""

from __future__ import annotations

import contextlib
import os
import signal

from tests.e2e.helpers import docker, inspect, listener, wait_until
from tests.faults.bed import Bed, Run, bed
from tests.faults.case import case, ended

FAMILY = "crash"
_MORE = "nginx/custom/more.inc"


def rows(run: Run) -> None:
    """Run the whole family."""
    with bed(run) as one:
        name = one.add("app")
        parked(one, name)
        loops(one)


def parked(one: Bed, name: str) -> None:
    """Delete a file that one site includes: every other site is served, changed and started."""
    more = one.stack.directory / _MORE
    more.write_text("location = /more { return 204; }\n")
    (more.parent / f"{name}.conf").write_text("include /etc/nginx/custom/more.inc;\n")
    one.stack.ok("up")
    expected = one.state()
    text = more.read_text()

    def broken() -> str:
        more.unlink()
        done = one.stack.run("renew", "--force", one.steady)
        assert done.returncode, "the site is reported"
        return f"'renew' of the other: {ended(done)}"

    case(
        one,
        FAMILY,
        "a file that a site includes is deleted",
        broken=broken,
        mend=lambda: more.write_text(text),
        again=["up"],
        expected=expected,
    )

    def restarted() -> str:
        more.unlink()
        docker("restart", one.stack.container("nginx"))
        wait_until(lambda: one.stack.trusted(one.steady), 30, "the other site is served")
        return f"'up': {ended(one.stack.run('up'))}"

    case(
        one,
        FAMILY,
        "the same, and the proxy is restarted",
        broken=restarted,
        mend=lambda: more.write_text(text),
        again=["up"],
        expected=expected,
        may_lose=True,
    )


def loops(one: Bed) -> None:
    """Keep the proxy from starting: one 'up' cures it once the cause is gone."""
    nginx = one.stack.directory / "nginx/live/nginx.conf"

    def edited() -> str:
        nginx.write_text("not_a_directive on;\n" + nginx.read_text())
        docker("restart", one.stack.container("nginx"))
        wait_until(lambda: inspect(one.stack.container("nginx"))["RestartCount"] >= 2, 60, "a crash loop")
        said = one.stack.run("doctor").stdout
        assert "not_a_directive" in said, said
        return "doctor names it"

    case(one, FAMILY, "a live file of all sites is edited", broken=edited, again=["up"], may_lose=True)

    expected = one.state()

    def killed() -> str:
        for _ in range(3):
            pid = wait_until(lambda: inspect(one.stack.container("nginx"))["State"]["Pid"], 60, "it runs")
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            wait_until(lambda pid=pid: inspect(one.stack.container("nginx"))["State"]["Pid"] != pid, 10)  # type: ignore[misc]
        return "killed three times"

    case(
        one,
        FAMILY,
        "the proxy is killed again and again",
        broken=killed,
        again=["up"],
        expected=expected,
        may_lose=True,
    )

    def held() -> str:
        docker("stop", one.stack.container("nginx"))
        with listener(one.stack.address, 80):
            return ended(one.stack.run("up"))

    case(one, FAMILY, "another process holds the port", broken=held, again=["up"], expected=expected, may_lose=True)
