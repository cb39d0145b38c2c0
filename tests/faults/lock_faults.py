"""Two commands at once: one waits, no request is lost; and the lock of a dead process."""

from __future__ import annotations

import signal
import subprocess

from tests.e2e.helpers import APP_IMAGE, REFUSED_NONCE, certbot, docker, wait_until
from tests.faults.bed import Bed, Run, bed
from tests.faults.case import Done, case, ended
from tests.faults.kills import killed

FAMILY = "locks"


def rows(run: Run) -> None:
    """Run the whole family."""
    with bed(run) as one:
        first, second = one.name("one"), one.name("two")
        commands = [["add-app", name, "--image", APP_IMAGE] for name in (first, second)]
        for command in commands:
            one.stack.ok(*command)
        expected = one.state()
        for name in (second, first):
            one.stack.ok("remove-app", name, "--delete-cert", "--yes")

        def together() -> str:
            with started(one, *commands[0]) as earlier:
                wait_until((one.stack.directory / ".stackctl/lock").read_bytes, 60, "the first holds the lock")
                earlier.send_signal(signal.SIGSTOP)  # otherwise it might finish before the others start
                try:
                    late = one.stack.run(*commands[1], "--wait", "0")
                    with started(one, *commands[1], "--wait", "120") as later:
                        assert later.stdout is not None
                        said = later.stdout.readline()
                        earlier.send_signal(signal.SIGCONT)
                        rest, _ = later.communicate(timeout=240)
                finally:
                    earlier.send_signal(signal.SIGCONT)
                out, _ = earlier.communicate(timeout=120)
            assert late.returncode == 8, ended(late)
            assert earlier.returncode == 0, out
            assert later.returncode == 0, rest
            assert "waiting for 'stackctl add-app" in said, f"it names the command it waits for: {said}"
            return "one waits and names the other; with --wait 0 it fails (exit 8)"

        case(one, FAMILY, "two stackctl at once", broken=together, again=commands[1], expected=expected)
        stale(one, commands[1], expected)
        if not run.quick:
            beside_certbot(one, second, expected)


def started(one: Bed, *command: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        one.stack.command(*command),
        cwd=one.stack.directory,
        env=one.stack.environ(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def stale(one: Bed, command: list[str], expected: dict[str, object]) -> None:
    """Kill the holder of the lock: its name stays in the lock, and the next command reports it."""
    one.stack.ok("remove-app", command[1], "--delete-cert", "--yes")
    told: list[Done] = []

    def broken() -> str:
        killed(one.stack, command, 2, "after")
        assert (one.stack.directory / ".stackctl/lock").read_bytes(), "the dead process left its name"
        told.append(one.stack.run("up"))
        assert "ended before it finished" in told[0].stdout, ended(told[0])
        return "taken over at once, and reported"

    case(one, FAMILY, "the lock of a dead process", broken=broken, again=command, expected=expected)


def beside_certbot(one: Bed, name: str, expected: dict[str, object]) -> None:
    """Request a certificate while certbot's own loop renews."""
    container = one.stack.container("certbot")
    force = ("renew", "--force-renewal", "--no-random-sleep-on-renew")
    command = ["add-app", name, "--image", APP_IMAGE]
    one.stack.ok("remove-app", name, "--delete-cert", "--yes")

    def broken() -> str:
        before = one.stack.serial(one.steady)
        loop = ["docker", "exec", container, "certbot", *force]
        with subprocess.Popen(loop, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            lock = one.stack.directory / "data/certbot/conf/.certbot.lock"
            wait_until(lock.exists, 10, "certbot holds its lock")
            done = one.stack.run(*command)
            out, _ = process.communicate(timeout=120)
        if process.returncode and REFUSED_NONCE.search(out):  # its loop would run again
            certbot(container, *force)
        else:
            assert process.returncode == 0, out[-300:]
        assert done.returncode == 0, ended(done)
        docker("exec", one.stack.container("nginx"), "nginx", "-s", "reload")
        wait_until(lambda: one.stack.serial(one.steady) != before, 10, "the renewed one is served")
        return "both succeed"

    case(one, FAMILY, "stackctl during certbot's own renewal", broken=broken, again=command, expected=expected)
