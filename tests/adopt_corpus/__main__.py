"""``python -m tests.adopt_corpus [NAME…]``: adopt every tree, two at a time; print a table of the results."""

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from tests.adopt_corpus.check import Outcome, check
from tests.adopt_corpus.trees import CORPUS, TREES, build_images
from tests.e2e.helpers import LAB, Lab, Stack, free_addresses
from tests.e2e.planned import PlannedStack


@dataclass(frozen=True)
class Row:
    """A tree, and its outcome or why it failed."""

    name: str
    outcome: Outcome | None
    seconds: float
    failure: str = ""

    def __str__(self) -> str:
        asked, listed = (self.outcome.asked, self.outcome.listed) if self.outcome else ("", "")
        result = "**failed**" if self.outcome is None else str(self.outcome)
        return f"| {self.name} | {asked} | {listed} | {result} | {self.seconds:.0f} s |"


def main() -> int:
    """Adopt the trees; the result is 0 if every one is as its description says."""
    parser = argparse.ArgumentParser(prog="python -m tests.adopt_corpus")
    parser.add_argument("names", nargs="*", help="the trees; all without any")
    parser.add_argument("--at-once", type=int, default=2, help="how many trees are adopted at once")
    arguments = parser.parse_args()
    sources = [CORPUS / name for name in arguments.names] or TREES
    build_images()
    lab = Lab((LAB / "ca/directory").read_text().strip(), LAB / "ca/ca.pem", root="")
    addresses, start = free_addresses(0, 1), time.monotonic()
    sys.stdout.write("| tree | locations | differences listed | result | time |\n|---|--:|--:|---|--:|\n")
    failures = []
    with ThreadPoolExecutor(arguments.at_once) as pool:
        for done in as_completed([pool.submit(_row, _stack(lab, addresses), source) for source in sources]):
            row = done.result()
            sys.stdout.write(f"{row}\n")
            sys.stdout.flush()
            failures += [row] if row.failure else []
    sys.stdout.write(f"\n{len(sources)} trees in {time.monotonic() - start:.0f} s, {len(failures)} failed\n")
    sys.stdout.write("".join(f"\n{row.name}: {row.failure}\n" for row in failures))
    return int(bool(failures))


def _stack(lab: Lab, addresses: Iterator[str]) -> Stack:
    token = f"t{secrets.token_hex(3)}"
    return PlannedStack(lab, Path(tempfile.gettempdir()) / f"stackctl-lab-{token}", next(addresses), token)


def _row(stack: Stack, source: Path) -> Row:
    start = time.monotonic()
    stack.directory.mkdir()
    try:
        outcome = check(stack, source)
    except Exception as error:  # noqa: BLE001  (a row of the table; the other trees go on)
        return Row(source.name, None, time.monotonic() - start, f"{type(error).__name__}: {error}")
    finally:
        stack.remove()
    return Row(source.name, outcome, time.monotonic() - start)


if __name__ == "__main__":
    sys.exit(main())
