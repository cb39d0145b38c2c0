"""Judges the files by which the proxy verifies certificates of clients."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from stackctl.certs.given.clients import end_of
from stackctl.diagnose.check import Check, ok, wrong
from stackctl.model.stack import Stack

NAME = "client-files"
_SOON = timedelta(days=14)


def ended_files(stack: Stack, now: datetime) -> Iterator[str]:
    """Yield what has expired, with its line. No client gets in by it, and no other site is affected."""
    for page in stack.client_files:
        end = end_of(stack.pages[page.path])
        if end is not None and end <= now:
            yield f"{page.where}: {page.path} expired on {end:%Y-%m-%d}: no client gets in"


def judge_client_files(stack: Stack, now: datetime) -> Iterator[Check]:
    """Yield a check for the files of all sites; none where no site verifies clients."""
    ends = {page: end_of(stack.pages[page.path]) for page in stack.client_files}
    if not ends:
        return
    near = [(end, page) for page, end in ends.items() if end is not None and end <= now + _SOON]
    for end, page in near:
        state = "expired on" if end <= now else "expires on"
        refused = "no client gets in" if end <= now else "no client gets in from then on"
        yield wrong(
            NAME, f"{page.path} {state} {end:%Y-%m-%d}: {refused}", f"get a new one from the CA, for {page.where}"
        )
    if not near:
        yield ok(NAME, "what verifies certificates of clients is valid for more than two weeks")
