"""``python -m tests.hostile [--seconds N]``: clients that hold a site for longer; print a table of what that costs.

Everything is on the loopback interface, in a stack of its own whose proxy may use 192 MB.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.helpers import LAB, Lab, Stack, free_addresses
from tests.hostile.clients import MB, stalled_readers, stalled_requests, stalled_uploads, upload
from tests.hostile.site import LIMIT, HeldSite

LARGE = (b"X-Large: " + b"x" * 30000 + b"\r\n") * 3


@dataclass
class Row:
    """What clients did, what it cost, and what the other site lost."""

    what: str
    memory: int = 0
    asked: int = 0
    lost: str = ""

    def __str__(self) -> str:
        return f"| {self.what} | {self.memory / MB:.0f} MB | {self.asked} | {self.lost or '0'} |"


def main() -> int:
    """Run every kind of client; the result is 0 if nothing was lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each kind of client holds on")
    seconds = parser.parse_args().seconds
    lab = Lab((LAB / "ca/directory").read_text().strip(), LAB / "ca/ca.pem", root="")
    with tempfile.TemporaryDirectory(prefix="stackctl-lab-") as folder:
        stack = Stack(lab, Path(folder), next(free_addresses(0, 1)), f"h{secrets.token_hex(3)}")
        try:
            site = HeldSite.made(stack)
            rows = [_run(site, what, clients, seconds) for what, clients in _kinds(site).items()]
            rows.append(_uploads(site, seconds))
        finally:
            stack.remove()
    sys.stdout.write(f"Limit of the proxy's memory: {LIMIT // MB} MB\n\n")
    sys.stdout.write("| clients of one site | memory | requests to the other site | lost |\n|---|--:|--:|---|\n")
    sys.stdout.write("".join(f"{row}\n" for row in rows))
    return int(any(row.lost for row in rows))


def _kinds(site: HeldSite) -> dict[str, Callable[[], AbstractContextManager[object]]]:
    target = site.target
    return {
        "none": lambda: stalled_requests(target, 0),
        "5 uploads of 60 MB that stall": lambda: stalled_uploads(target, 5, 60 * MB),
        "50 uploads to an app that reads nothing": lambda: stalled_uploads(target, 50, 4 * MB, "/stuck"),
        "1,000 uploads that stall": lambda: stalled_uploads(target, 1000, 1000),
        "200 readers of 300 MB that stall": lambda: stalled_readers(target, 200, f"/download?size={300 * MB}"),
        "2,000 requests without an end": lambda: stalled_requests(target, 2000),
        "500 requests with 90 KB of headers, without an end": lambda: stalled_requests(target, 500, LARGE),
    }


def _run(site: HeldSite, what: str, clients: Callable[[], AbstractContextManager[object]], seconds: float) -> Row:
    row = Row(what)
    try:
        with site.nothing_lost() as asking, clients():
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                row.memory = max(row.memory, site.memory())
                time.sleep(0.5)
        row.asked = asking.requests
    except (AssertionError, OSError) as error:
        row.lost = (str(error) or repr(error))[:200]
    return row


def _uploads(site: HeldSite, seconds: float) -> Row:
    """Uploads of 400 MB, one after the other, each complete."""
    row = Row("uploads of 400 MB, one after the other")
    size = 400 * MB

    def send() -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert upload(site.target, size).endswith(str(size).encode())

    try:
        with site.nothing_lost() as asking:
            sender = threading.Thread(target=send)
            sender.start()
            while sender.is_alive():
                row.memory = max(row.memory, site.memory())
                sender.join(0.5)
        row.asked = asking.requests
    except (AssertionError, OSError) as error:
        row.lost = (str(error) or repr(error))[:200]
    return row


if __name__ == "__main__":
    sys.exit(main())
