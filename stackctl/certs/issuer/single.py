"""Issue with the ``certbot`` command, one lineage at a time, if no child can be forked.

A part of the batch issuer (see :mod:`stackctl.certs.issuer`); the host uses it too, if the image has
no Python to run the issuer.
"""

from __future__ import annotations

import re
import subprocess
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from stackctl.certs.issuer.merge import ConfigDir

BUSY = "Another instance of Certbot is already running"
_NONCE = re.compile(r"anti-replay nonce|:badNonce")
_PROBLEM = re.compile(r"urn:ietf:params:acme:error:(\w+)|^ *Type: +(\w+)", re.MULTILINE)
_TIMES = 3


def retry_certbot(run: Callable[[], tuple[int, str]], patience: float, note: Callable[[str], None]) -> tuple[int, str]:
    """Run certbot; repeat while another certbot is running, and up to three times if the CA rejects its nonce.

    RFC 8555 (6.5) has a client send such a request again. certbot does so once and then gives up,
    which fails one order in forty at a CA that rejects some good nonces.

    Args:
        run: runs certbot and returns its exit code and output.
        patience: how many seconds to wait for another certbot.
        note: receives a message, once, while another certbot is running.

    Returns: exit code and output of the last run.
    """
    end, left, noted = time.monotonic() + patience, _TIMES, False
    while True:
        code, output = run()
        if code and BUSY in output and time.monotonic() < end:
            if not noted:
                note("another certbot is running: waiting for it to end")
            noted = True
            time.sleep(1)
        elif code and _NONCE.search(output) and left:
            left -= 1
        else:
            return code, output


def problem_in(output: str) -> tuple[str | None, str]:
    """Return the CA's problem type (None if the error is not the CA's) and its detail, as certbot prints them."""
    kind = _PROBLEM.search(output)
    words = re.findall(r"^ *Detail: (.*)", output, re.MULTILINE)
    if not words:
        lines = [line.strip() for line in output.strip().splitlines()]
        # After its error certbot prints where to find help.
        words = [line for line in lines if line and not line.startswith("Ask for help or search")][-1:]
    return f"urn:ietf:params:acme:error:{kind[1] or kind[2]}" if kind else None, "; ".join(words)


def run_single(lineage: str, argv: list[str], shared: ConfigDir, patience: float, emit: Callable[..., None]) -> None:
    """Run one job with the ``certbot`` command in the shared tree."""

    def certbot() -> tuple[int, str]:
        try:
            done = subprocess.run(  # noqa: S603 - the host made the arguments
                ["certbot", *argv, "--config-dir", str(shared.root)],  # noqa: S607 - found by the container's PATH
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
    kind, words = problem_in(output)
    return emit("failed", lineage, type=kind, detail=words)
