"""A forked command is like one that starts by itself: what it sees, how it ends, and what is left of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import forked
from tests.e2e.helpers import wait_until
from tests.faults.own_engine import gone

SEES = """
import json, os, signal, sys
handlers = [str(one) for one in signal.valid_signals() if signal.getsignal(one) is not signal.SIG_DFL]
streams = [[one.encoding, one.errors, one.line_buffering, one.isatty()] for one in (sys.stdin, sys.stdout, sys.stderr)]
groups = [os.getpgrp(), os.getsid(0)]
files = sorted(os.listdir("/proc/self/fd"))
print(json.dumps([sys.argv[1:], dict(os.environ), os.getcwd(), groups, handlers, streams, files, sys.stdin.read()]))
"""
LATE = "import threading, time; threading.Thread(target=lambda: (time.sleep(0.2), print('late'))).start()"


def real(code: str, directory: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, "a", "\udce9"],
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "code",
    [
        SEES,
        LATE,
        "import sys; print('é', end='\\r\\n'); sys.exit(3)",
        "import sys; sys.exit('a word')",
        "import sys; sys.exit(300)",
        "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
        "raise KeyboardInterrupt",
    ],
)
def test_it_is_like_one_that_starts_by_itself(tmp_path: Path, code: str) -> None:
    environment = {**os.environ, "GIVEN": "to this one"}
    expected = real(code, tmp_path, environment)
    done = forked.run(["a", "\udce9"], tmp_path, environment, code=code)
    assert (done.returncode, done.stdout) == (expected.returncode, expected.stdout)
    assert done.stderr.splitlines()[-1:] == expected.stderr.splitlines()[-1:]


@pytest.mark.slow
def test_one_that_takes_too_long_is_killed(tmp_path: Path) -> None:
    code = "import os, pathlib, time; pathlib.Path('pid').write_text(str(os.getpid())); time.sleep(60)"
    with pytest.raises(subprocess.TimeoutExpired):
        forked.run([], tmp_path, dict(os.environ), 3.0, code)
    pid = int((tmp_path / "pid").read_text())
    wait_until(lambda: gone(pid))


def test_what_python_reads_at_its_start_is_not_left_out() -> None:
    assert forked.fits({**os.environ, "PATH": "/nowhere"})
    assert not forked.fits({**os.environ, "PYTHONUTF8": "0"})
    assert not forked.fits({**os.environ, "LC_ALL": "C"})
    assert not forked.fits({key: value for key, value in os.environ.items() if key != "TZ"})
