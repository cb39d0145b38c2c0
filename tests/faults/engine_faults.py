"""Kill the engine during a command: a separate engine, not the machine's, see ``own_engine``.

``rows`` only starts ``python -m tests.faults.engine_faults`` in a network namespace, where the engine,
the CA, ``stackctl`` and the client of the other site all run.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict

from tests.e2e.helpers import APP_IMAGE, CERTBOT_IMAGE, NGINX_IMAGE, ROOT, Stack, wait_until
from tests.faults.authority import authority
from tests.faults.bed import STOP, Bed, Row, Run, Stopped, bed
from tests.faults.case import case, ended, recorded
from tests.faults.kills import killed, planned
from tests.faults.own_engine import DIES_WITH_US, NEEDS, Engine, engine, gone, network
from tests.pebble import IMAGE as PEBBLE

FAMILY = "engine"
PLACES = [("before", "StartService"), ("before", "Publish"), ("after", "Publish"), ("before", "Issue")]
"""The operations that use the engine; the others do not need it."""


def rows(run: Run) -> None:
    """Run the whole family."""
    missing = [name for name in NEEDS if shutil.which(name) is None]
    if os.geteuid() or missing:
        with recorded(run, FAMILY, "the engine killed") as row:
            row.skipped = True
            row.meanwhile = f"not run: a second engine needs {' '.join(missing) or 'root'}"
        return
    with network(f"stackctl-lab-faults-{os.getpid()}") as inside, tempfile.TemporaryFile("w+") as printed:
        here = [sys.executable, "-m", "tests.faults.engine_faults", *(["--quick"] if run.quick else [])]
        with subprocess.Popen([*DIES_WITH_US, *inside, *here], cwd=ROOT, stdout=printed) as process:
            while process.poll() is None:
                if STOP.wait(0.2):
                    process.terminate()
        printed.seek(0)
        run.rows += [Row(**json.loads(line)) for line in printed]
        assert process.returncode == 0, f"it exited with {process.returncode}"


def main(arguments: Sequence[str]) -> None:
    """Run the rows in the network namespace; print one JSON object per line."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: STOP.set())
    found: list[Row] = []
    try:
        with engine((NGINX_IMAGE, CERTBOT_IMAGE, APP_IMAGE, PEBBLE)) as mine:
            os.environ["DOCKER_HOST"] = mine.address
            # The CA is not a container: it would lose its state whenever the engine starts.
            with authority(contained=False) as ca, bed(Run(ca, found, "--quick" in arguments, _say)) as one:
                _all(one, mine)
    except Stopped:
        pass
    finally:
        for row in found:
            print(json.dumps(asdict(row)))


def _say(text: str) -> None:
    print(f"faults: {text}", file=sys.stderr, flush=True)


def _all(one: Bed, mine: Engine) -> None:
    name = one.name("app")
    command = ["add-app", name, "--image", APP_IMAGE]
    plan = planned(one.stack, command)
    one.stack.ok(*command)
    expected = one.state()
    one.away(name)

    def mend() -> None:
        mine.start()
        # The client of the other site resumes here too.
        wait_until(lambda: _served(one.stack, one.steady), 60, "the site is served again")

    def row(what: str, die: object) -> None:
        assert callable(die)
        case(one, FAMILY, what, broken=die, mend=mend, again=command, expected=expected, may_lose=True)
        one.away(name)

    def around(number: int, when: str) -> str:
        done = killed(one.stack, command, number, when, victim=mine.pid)
        assert done.returncode in range(1, 10), ended(done)
        assert "internal error" not in done.stderr, ended(done)
        return ended(done)

    for number, operation in enumerate(plan, 1):
        for when in ("before", "after"):
            if (when, operation["kind"]) in PLACES and not one.run.quick:
                what = f"the engine killed {when} {number}/{len(plan)} {operation['kind']} of `add-app`"
                row(what, lambda number=number, when=when: around(number, when))
    row("the engine killed while certbot issues", lambda: _issuing(one, mine, command))


def _issuing(one: Bed, mine: Engine, command: Sequence[str]) -> str:
    """The issuer continues in its container until the engine is back and stops it."""
    stages = one.stack.directory / "data/certbot/conf/.stackctl-issuer"
    with subprocess.Popen(
        one.stack.command(*command),
        cwd=one.stack.directory,
        env=one.stack.environ(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        wait_until(lambda: bool(list(stages.glob(f"run-*/{command[1]}"))), 60, "the issuer is running")
        pid = mine.pid
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: gone(pid), 20, "the process has ended")
        out, err = process.communicate(timeout=120)
    done = subprocess.CompletedProcess(command, process.returncode, out, err)
    assert "the Docker Engine does not answer" in err, err
    return ended(done)


def _served(stack: Stack, name: str) -> bool:
    try:
        return stack.trusted(name)
    except OSError:
        return False


if __name__ == "__main__":
    main(sys.argv[1:])
