"""Handles Ctrl-C and SIGTERM: one message and exit code 130 at any moment, never a traceback.

It imports little, because it is imported before everything else.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

at_leave: list[Callable[[], None]] = []
"""What is done before the process is ended at once; it must neither wait nor fail."""

TYPE_CHECKING = False  # importing typing takes a millisecond during which signals are not handled
if TYPE_CHECKING:
    from types import FrameType

CODE = 130
MESSAGE = "interrupted"
HINT = "run the same command again to finish"

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_SHOW_CURSOR = b"\x1b[?25h"
_AGAIN_SECONDS = 0.001


class _State:
    """Whether the process is ours, whether a command that needs cleanup is running, and was already interrupted."""

    caught = False
    running = False
    raised = False


def catch() -> None:
    """Install the signal handlers; outside :func:`raised` a signal ends the process at once."""
    _State.caught = True
    sys.unraisablehook = _unraisable
    for one in (*_SIGNALS, signal.SIGALRM):
        signal.signal(one, _handle)


def ignore() -> None:
    """Ignore the signals, because the process is about to end; a process of another program goes on, and keeps them."""
    for one in _SIGNALS if _State.caught else ():
        signal.signal(one, signal.SIG_IGN)


@contextmanager
def raised() -> Iterator[None]:
    """Raise KeyboardInterrupt in the block, so that it can clean up; a second signal ends the process at once."""
    _State.running, _State.raised = True, False
    try:
        yield
    finally:
        _State.running = False


def leave() -> None:
    """Print the message and end the process, whatever it is doing."""
    for stream in (1, 2):
        if os.isatty(stream):
            os.write(stream, _SHOW_CURSOR)  # the spinner has hidden it
            break
    for action in at_leave:
        action()
    os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, f"error: {MESSAGE}\n  → {HINT}\n".encode())
    os._exit(CODE)


def _handle(_number: int, _frame: FrameType | None) -> None:
    if _State.running and not _State.raised:
        _State.raised = True
        raise KeyboardInterrupt
    leave()


def _unraisable(failure: sys.UnraisableHookArgs) -> None:
    """Raise KeyboardInterrupt again after it was lost in a finalizer."""
    if isinstance(failure.exc_value, KeyboardInterrupt):
        _State.raised = False
        # By a timer: an exception raised in this function is lost too.
        signal.setitimer(signal.ITIMER_REAL, _AGAIN_SECONDS)
    else:
        sys.__unraisablehook__(failure)
