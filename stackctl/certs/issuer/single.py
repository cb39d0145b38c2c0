"""The ``certbot`` command itself, for one lineage after the other, where no child can be forked.

A part of the batch issuer (see :mod:`stackctl.certs.issuer`), and the host's way where the image has
no Python to run it.
"""

from __future__ import annotations

import re
import subprocess
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from stackctl.certs.issuer.merge import Tree

BUSY = "Another instance of Certbot is already running"
_NONCE = re.compile(r"anti-replay nonce|:badNonce")
_PROBLEM = re.compile(r"urn:ietf:params:acme:error:(\w+)|^ *Type: +(\w+)", re.MULTILINE)
_TIMES = 3


def retry_certbot(run: Callable[[], tuple[int, str]], patience: float, note: Callable[[str], None]) -> tuple[int, str]:
    """Run certbot, again while another one is at work, and a few times more where the CA refused its nonce.

    RFC 8555 (6.5) has a client send such a request again. certbot does so once and then gives up,
    which a CA that refuses some good nonces makes happen to one order in forty.

    Args:
        run: what runs it: exit code and all it printed.
        patience: for how many seconds to wait for another certbot.
        note: takes a line that says so, once.

    Returns: exit code and output of the last run.
    """
    end, left, told = time.monotonic() + patience, _TIMES, False
    while True:
        code, output = run()
        if code and BUSY in output and time.monotonic() < end:
            if not told:
                note("another certbot is at work: waiting for it to end")
            told = True
            time.sleep(1)
        elif code and _NONCE.search(output) and left:
            left -= 1
        else:
            return code, output


def complaint(output: str) -> tuple[str | None, str]:
    """The CA's problem type (None where it was none of the CA's) and words, as certbot prints them."""
    kind = _PROBLEM.search(output)
    words = re.findall(r"^ *Detail: (.*)", output, re.MULTILINE)
    if not words:
        lines = [line.strip() for line in output.strip().splitlines()]
        # After its error certbot tells where to ask for help.
        words = [line for line in lines if line and not line.startswith("Ask for help or search")][-1:]
    return f"urn:ietf:params:acme:error:{kind[1] or kind[2]}" if kind else None, "; ".join(words)


def run_single(lineage: str, argv: list[str], shared: Tree, patience: float, emit: Callable[..., None]) -> None:
    """Do one job with the ``certbot`` command in the shared tree, as a person would."""

    def certbot() -> tuple[int, str]:
        try:
            done = subprocess.run(  # noqa: S603 - the host made the arguments
                ["certbot", *argv, "--config-dir", str(shared.root)],  # noqa: S607 - as the container finds it
                text=True,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                check=False,
            )
        except OSError as error:
            return 127, str(error)
        return done.returncode, done.stdout

    before = shared.version(lineage)
    emit("started", lineage)
    code, output = retry_certbot(certbot, patience, lambda text: emit("note", detail=text))
    if code == 0:
        return emit("unchanged" if shared.version(lineage) == before else "issued", lineage)
    kind, words = complaint(output)
    return emit("failed", lineage, type=kind, detail=words)
