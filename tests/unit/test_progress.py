"""How far a batch of certificates is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from stackctl.engine.sources.webroot.progress import Progress

BEGUN = datetime(2026, 1, 1, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return BEGUN + timedelta(seconds=seconds)


def counted(total: int, at_once: int, **states: int) -> Progress:
    """``states`` are how many certificates came how far."""
    progress, number = Progress(total, at_once, BEGUN), 0
    for event, count in states.items():
        for _ in range(count):
            progress.take(event, f"{number}.example.com")
            number += 1
    return progress


@pytest.mark.parametrize(
    ("progress", "seconds", "expected"),
    [
        (counted(100, 16), 0, "issuing 0/100"),
        (counted(100, 16, queued=100), 1, "issuing 0/100"),
        (counted(100, 16, started=4, ordered=8, challenged=4), 2, "issuing 0/100, 16 running"),
        (counted(100, 16, issued=15, started=1), 3, "issuing 15/100, 1 running"),
        (counted(100, 16, issued=10, unchanged=5, failed=1), 4, "issuing 15/100, 1 failed, about 20 s left"),
        (
            counted(100, 16, issued=37, failed=2, ordered=16),
            5,
            "issuing 37/100, 2 failed, 16 running, about 8 s left",
        ),
        (counted(100, 16, issued=99), 50, "issuing 99/100, about 1 s left"),
        (counted(1000, 16, issued=100), 60, "issuing 100/1000, about 9 min left"),
        (counted(100, 16, issued=98, failed=2), 50, "issuing 98/100, 2 failed"),
        (counted(3, 16, issued=2, started=1), 4, "issuing 2/3, 1 running"),
        (counted(2, 1, issued=1), 0, "issuing 1/2, about 1 s left"),
    ],
)
def test_counts_and_an_estimate_once_there_is_something_to_go_by(
    progress: Progress, seconds: float, expected: str
) -> None:
    assert progress.text(after(seconds)) == expected


def test_only_what_changes_something_is_worth_telling() -> None:
    progress = Progress(2, 16, BEGUN)
    told = [progress.take(event, "a.example.com") for event in ("queued", "started", "started", "note", "issued")]
    assert told == [False, True, False, False, True]
