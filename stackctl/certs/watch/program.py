"""One look: metrics are written, and receivers are sent what they do not know yet.

Usage: ``program CONF STAMPS PROXY METRICS SETTINGS STATE BUNDLE look``, or ``round CODE`` after a round of the renewal
loop that ended with this code, or ``test``. It runs beside the loop, which waits for none of it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from stackctl.certs.issuer.copies import replace_text
from stackctl.certs.watch import exposition
from stackctl.certs.watch.look import Places, look
from stackctl.certs.watch.measure import measured
from stackctl.certs.watch.news import check, news
from stackctl.certs.watch.send import request, send, send_all
from stackctl.certs.watch.settings import read
from stackctl.certs.watch.state import PING, State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from stackctl.certs.watch.look import Facts
    from stackctl.certs.watch.settings import Settings

APPRISE = "apprise"
"""The kind of a receiver that only the host reaches."""

_LIMIT = 240
"""Seconds after which the kernel ends a look that hangs."""

_PATIENCE = 30.0
"""Seconds for which a look after a round waits for another one to end."""


class Home(NamedTuple):
    """What the program reads, and the files that it writes: the metrics and its state."""

    places: Places
    metrics: Path
    settings: Path
    state: Path
    bundle: Path


def run(arguments: Sequence[str]) -> int:
    """Carry out one look, and return the exit code."""
    paths, words = [*map(Path, arguments[:7])], arguments[7:]
    home = Home(Places(*paths[:3]), *paths[3:])
    settings = read(home.settings)
    if settings is None:
        return 0
    signal.alarm(_LIMIT)
    if [*words] == ["test"]:
        return _test(settings, home)
    code = words[1] if words[0] == "round" else None
    # Only the look after a round sends its exit code, so it waits for one that is under way.
    with _alone(home.settings.parent, _PATIENCE if code is not None else 0.0) as free:
        if free:
            _look(settings, home, code)
    return 0


def _look(settings: Settings, home: Home, code: str | None) -> None:
    facts = look(settings, home.places)
    state = State(home.state, settings, facts)
    jobs: dict[str, Callable[[], None]] = {}
    if settings.ping is not None and code is not None:
        jobs[PING] = partial(request, f"{settings.ping}/{code}", home.bundle)
    for receiver in settings.receivers:
        message = news(settings.name, state.sent(receiver), state.problems)
        if message is not None and receiver.kind != APPRISE:
            jobs[receiver.id] = partial(send, receiver, message, home.bundle)
    # Before anything is sent, as that can take its time.
    _write(settings, home, facts, state)
    try:
        state.save()
    except OSError as error:
        # What was sent could not be remembered, and would be sent at each look.
        sys.stderr.write(f"alerts: none is sent, as {home.state} cannot be written: {error.strerror}\n")
        jobs = {name: job for name, job in jobs.items() if name == PING}
    if jobs:
        for line in state.note(send_all(jobs)):
            sys.stderr.write(f"{line}\n")
        _write(settings, home, facts, state)
        with contextlib.suppress(OSError):
            state.save()


def _write(settings: Settings, home: Home, facts: Facts, state: State) -> None:
    samples = [*measured(settings, facts), exposition.Sample(exposition.ALERTS_FAILING, len(state.failing))]
    with contextlib.suppress(OSError):  # no alert depends on it
        replace_text(home.metrics, exposition.exposition(settings.name, samples))


def _test(settings: Settings, home: Home) -> int:
    receivers = {one.id: one for one in settings.receivers if one.kind != APPRISE}
    found = send_all({name: partial(send, one, check(settings.name), home.bundle) for name, one in receivers.items()})
    sys.stdout.write(json.dumps([[receivers[name].label, reason] for name, reason in found.items()]) + "\n")
    sys.stdout.flush()
    return 0


@contextlib.contextmanager
def _alone(folder: Path, patience: float) -> Iterator[bool]:
    """Yield whether no other look runs, after waiting for it as many seconds."""
    end = time.monotonic() + patience
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        free = _locked(descriptor)
        while not free and time.monotonic() < end:
            time.sleep(0.2)
            free = _locked(descriptor)
        yield free
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True
