"""The loops of proxy and certbot, made quick enough to be watched."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

from cryptography import x509

from tests.e2e.helpers import CERTBOTS_LOCK, Stack, wait_until

QUICK_PROXY = """\
services:
  nginx:
    environment:
      RELOAD_CHECK_SECONDS: "1"
"""

SHORT_INTERVALS = f"""\
{QUICK_PROXY}\
  certbot:
    environment:
      RENEW_SECONDS: "3"
"""
"""Not shorter: each round with a certificate is a start of certbot, which takes a third of a second."""

_DUE = "renew_before_expiry = 36500 days\n"
_SETTING = re.compile(r"(?m)^#? ?renew_before_expiry.*\n")


@contextmanager
def held(stack: Stack) -> Iterator[None]:
    """No round of certbot's loop runs meanwhile: its lock is taken, as certbot takes it."""
    path = stack.directory / CERTBOTS_LOCK
    lock = -1

    def taken() -> bool:
        nonlocal lock
        lock = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # certbot deletes the file when it is done: a lock on that one is worth nothing.
            if path.exists() and os.path.samestat(os.fstat(lock), path.stat()):
                return True
        except BlockingIOError:
            pass
        os.close(lock)
        return False

    wait_until(taken, 60, "no round runs")
    try:
        yield
    finally:
        path.unlink()
        os.close(lock)


def make_due(stack: Stack, name: str) -> None:
    """Have certbot renew it a hundred years before it expires, hence once with each round of the loop."""
    with held(stack):
        _edit(stack, name, _DUE)


def make_undue(stack: Stack, name: str) -> None:
    """Have certbot renew it when it is due again, and wait until what it renewed last is served."""
    with held(stack):
        _edit(stack, name, "")
    disk = stack.live / name / "cert.pem"
    wait_until(lambda: stack.certificate(name) == x509.load_pem_x509_certificate(disk.read_bytes()), 60, "it is served")


def _edit(stack: Stack, name: str, setting: str) -> None:
    path = stack.live.parent / f"renewal/{name}.conf"
    path.write_text(setting + _SETTING.sub("", path.read_text()))
