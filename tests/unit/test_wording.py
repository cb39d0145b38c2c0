from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from stackctl.wording import day, iso, listed, moment, shortened, size

LATE = datetime(2026, 11, 26, 23, 30, tzinfo=UTC)


@pytest.fixture
def _east_of_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "EXT-2")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("_east_of_utc")
def test_a_user_reads_times_in_the_local_time_zone_and_json_has_utc() -> None:
    assert (moment(LATE), day(LATE)) == ("2026-11-27 01:30 EXT", "2026-11-27")
    assert iso(LATE.astimezone()) == "2026-11-26T23:30:00+00:00"


def test_long_lists_and_texts_are_shortened_between_words() -> None:
    names = [f"n{number}" for number in range(100)]
    assert listed(names[:5]) == "n0, n1, n2, n3, n4"
    assert listed(names, 3) == "n0, n1, n2 and 97 more"
    assert listed(names, 0) == "100"
    assert listed((), 0) == ""
    assert shortened("add-app one.example.com", 23) == "add-app one.example.com"
    assert shortened("add-app one.example.com", 20) == "add-app …"
    assert shortened("a" * 30, 20) == f"{'a' * 18} …"


@pytest.mark.parametrize(("number", "text"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (5e9, "5.0 GB")])
def test_sizes_are_written_for_people(number: int, text: str) -> None:
    assert size(number) == text
