"""Stored times: what is read, and what is believed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from stackctl.times import TOLERANCE, believable, read_seconds, read_time
from tests.unit.build import NOW


@pytest.mark.parametrize(
    ("ahead", "believed"),
    [(-timedelta(days=9000), True), (timedelta(), True), (TOLERANCE, True), (timedelta(days=300), False)],
)
def test_a_time_is_believed_unless_it_is_in_the_future(ahead: timedelta, believed: bool) -> None:
    assert believable(NOW + ahead, NOW) is believed


def test_a_time_without_a_zone_is_in_utc() -> None:
    assert read_time("2026-08-01T12:00:00") == datetime(2026, 8, 1, 12, tzinfo=UTC)
    assert read_time("2026-08-01T12:00:00+02:00") == datetime(2026, 8, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "x", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"])
def test_what_is_no_time_is_an_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  (the caller treats all alike)
        read_time(text)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("0", datetime(1970, 1, 1, tzinfo=UTC)),
        ("1785585600\n", datetime(2026, 8, 1, 12, tzinfo=UTC)),
        ("1785585600.123456789", datetime(2026, 8, 1, 12, tzinfo=UTC)),
        *((text, None) for text in ("", "x", "-5", "\u00b2", "9" * 30, "1 2")),
    ],
)
def test_seconds_are_read_or_nothing_is(text: str, at: datetime | None) -> None:
    assert read_seconds(text) == at
