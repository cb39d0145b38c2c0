"""Read stored times, and judge whether they can be true."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

TOLERANCE = timedelta(minutes=5)
"""How far two clocks, or one before and after its correction, differ without being wrong."""


def believable(at: datetime, now: datetime) -> bool:
    """Return whether something can have happened at ``at``: a time from the future was recorded by a wrong clock."""
    return at <= now + TOLERANCE


def read_time(text: str) -> datetime:
    """Return a stored time in ISO 8601; one without a zone is in UTC.

    Raises:
        ValueError: it is not a time.
    """
    at = datetime.fromisoformat(text)
    try:
        return at.astimezone(UTC) if at.tzinfo is not None else at.replace(tzinfo=UTC)
    except OverflowError as error:
        raise ValueError(f"{text!r} is not a time") from error


def read_seconds(text: str) -> datetime | None:
    """Return a stored time in seconds since 1970, as ``date +%s`` prints it; None for anything else."""
    whole = text.strip().partition(".")[0]
    try:
        return datetime.fromtimestamp(int(whole), UTC) if whole.isascii() and whole.isdigit() else None
    except (OverflowError, ValueError, OSError):
        return None
