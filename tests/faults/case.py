"""Run one case: inject the fault, observe, remove the fault, run the command again, compare."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from tests.faults.bed import STOP, Bed, Row, Run, State, Stopped, differences

Done = subprocess.CompletedProcess[str]


@contextmanager
def recorded(run: Run, family: str, injected: str) -> Iterator[Row]:
    """Add a row; an exception in the block means that it did not hold, and does not stop the other rows."""
    if STOP.is_set():
        raise Stopped
    row = Row(family, injected)
    started = time.monotonic()
    try:
        yield row
    except (AssertionError, OSError, subprocess.SubprocessError, ValueError, KeyError) as error:
        row.held = False
        row.after = f"{row.after} {type(error).__name__}: {str(error)[:300]}".strip()
    run.rows.append(row)
    mark = "not run" if row.skipped else "held" if row.held else "DID NOT HOLD"
    run.say(f"{family}: {injected}: {mark} ({time.monotonic() - started:.1f} s) {'' if row.held else row.after}")


def case(
    bed: Bed,
    family: str,
    injected: str,
    *,
    broken: Callable[[], str],
    mend: Callable[[], object] = lambda: None,
    again: Sequence[str] = (),
    expected: State | None = None,
    may_lose: bool = False,
    check: Callable[[], object] = lambda: None,
) -> Row:
    """Run ``broken`` with the fault, then ``mend``, then the same command as ``again``."""
    with recorded(bed.run, family, injected) as row, bed.client() as client:
        try:
            row.meanwhile = broken()
            row.meanwhile = f"{row.meanwhile}; {served(bed)}" if row.meanwhile else served(bed)
        finally:
            mend()
        if again:
            done = bed.stack.run(*again)
            row.after = f"exit {done.returncode}"
            if done.returncode:
                row.held = False
                row.after += f": {said(done)}"
        _compare(bed, row, expected)
        row.requests, row.lost = client.requests, len(client.errors)
        check()
        if row.lost and not may_lose:
            row.held = False
            row.after += f"; lost: {client.errors[0]}"
        assert client.requests, "the client sent no request"
    return row


def _compare(bed: Bed, row: Row, expected: State | None) -> None:
    if expected is None:
        return
    wrong = differences(bed.state(), expected)
    row.held = row.held and not wrong
    row.after += f"; differs: {wrong}" if wrong else "; as undisturbed"
    row.after = row.after.removeprefix("; ")


def served(bed: Bed) -> str:
    """Describe what is served now, by the first label of each name."""
    shown = bed.served()
    return "served: " + (", ".join(f"{name.partition('.')[0]} {kind}" for name, kind in shown.items()) or "nothing")


def said(done: Done) -> str:
    """Return the first error of a command that failed."""
    lines = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
    return (lines[0] if lines else "")[:500]


def ended(done: Done) -> str:
    """Describe the result of a command."""
    if done.returncode == 0:
        return "exit 0"
    # Tokens and URLs are left out: they hide the relevant part.
    shown = re.sub(r"\"?https?://\S+", "URL", said(done).removeprefix("error: "))
    return f"exit {done.returncode} ({shown if len(shown) < 150 else f'{shown[:70]} … {shown[-75:]}'})"
