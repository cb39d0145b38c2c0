"""The ledger: what a CA would refuse is known before it is asked, by its own way of counting."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackctl.certs.ledger import KEPT, Entry, Ledger, registered_domain
from stackctl.certs.limits import BACKOFF, LIMITS, Bucket
from stackctl.model.acme import LETSENCRYPT, LETSENCRYPT_STAGING
from tests.unit.build import DAY, NOW

MINUTE = timedelta(minutes=1)
NAMES = ("a.example.com", "www.example.com")


def entry(
    *names: str, ago: timedelta = MINUTE, issued: bool = True, renewal: bool = False, directory: str = LETSENCRYPT
) -> Entry:
    return Entry(NOW - ago, directory, tuple(sorted(names or NAMES)), issued, renewal)


def ledger(*entries: Entry) -> Ledger:
    return Ledger(tuple(sorted(entries, key=lambda one: one.at)))


def until(found: Ledger, *names: str, directory: str = LETSENCRYPT, now: datetime = NOW) -> datetime | None:
    refusal = found.refusal(directory, names or NAMES, now)
    return refusal.until if refusal else None


def test_an_empty_ledger_refuses_nothing() -> None:
    assert until(Ledger()) is None
    assert Ledger().backoff(NAMES, NOW) is None
    assert Ledger().free_orders(LETSENCRYPT, NOW) == LIMITS[LETSENCRYPT][Bucket.ORDERS].count


@pytest.mark.parametrize("count", [4, 5])
def test_the_sixth_certificate_of_the_same_names_has_to_wait(count: int) -> None:
    found = ledger(*(entry(ago=DAY) for _ in range(count)))
    assert (until(found) is not None) is (count == 5)
    if count == 5:
        # One of five comes back each 7/5 days.
        assert until(found) == NOW - DAY + 7 * DAY / 5
        assert until(found, now=NOW - DAY + 7 * DAY / 5) is None


def test_a_refusal_names_the_limit_and_what_it_is_about() -> None:
    refusal = ledger(*(entry() for _ in range(5))).refusal(LETSENCRYPT, NAMES, NOW)
    assert refusal
    assert refusal.reason == "5 certificates of exactly these names (a.example.com, www.example.com) are used up"


def test_names_in_another_order_are_the_same_set() -> None:
    found = ledger(*(entry() for _ in range(5)))
    assert until(found, *reversed(NAMES)) == until(found, *NAMES)
    assert until(found, NAMES[0]) is None


def test_failures_count_for_each_name_in_whatever_company() -> None:
    found = ledger(*(entry("a.example.com", f"n{n}.example.com", issued=False) for n in range(5)))
    assert until(found, "a.example.com", "other.example.com") is not None
    assert until(found, "n0.example.com") is None


def test_a_registered_domain_has_fifty_new_certificates_a_week() -> None:
    found = ledger(*(entry(f"n{n}.example.co.uk") for n in range(50)))
    assert until(found, "new.example.co.uk") is not None
    assert until(found, "new.other.co.uk") is None
    assert until(found, "n7.example.co.uk") is None  # a renewal


def test_renewals_do_not_use_the_registered_domain_up() -> None:
    found = ledger(*(entry(f"n{n}.example.com", renewal=True) for n in range(60)))
    assert until(found, "new.example.com") is None


def test_the_longest_wait_counts() -> None:
    found = ledger(*(entry(issued=False) for _ in range(5)), *(entry() for _ in range(5)))
    exact = ledger(*(entry() for _ in range(5)))
    assert until(found) == until(exact)


def test_each_ca_counts_for_itself_and_an_unknown_one_not_at_all() -> None:
    found = ledger(*(entry() for _ in range(5)))
    assert until(found, directory=LETSENCRYPT_STAGING) is None
    own = ledger(*(entry(directory="https://ca.test/dir") for _ in range(500)))
    assert until(own, directory="https://ca.test/dir") is None
    assert own.free_orders("https://ca.test/dir", NOW) is None


def test_orders_of_the_account_come_back_one_by_one() -> None:
    limit = LIMITS[LETSENCRYPT][Bucket.ORDERS]
    found = ledger(*(entry(f"n{n}.example.com", ago=timedelta(0)) for n in range(10)))
    assert found.free_orders(LETSENCRYPT, NOW) == limit.count - 10
    assert found.free_orders(LETSENCRYPT, NOW + 3 * limit.refill) == limit.count - 7
    assert found.free_orders(LETSENCRYPT, NOW + 300 * limit.refill) == limit.count
    full = ledger(*(entry(f"n{n}.example.com", ago=timedelta(0)) for n in range(400)))
    assert full.free_orders(LETSENCRYPT, NOW) == 0


@pytest.mark.parametrize(("count", "wait"), list(enumerate([*BACKOFF, BACKOFF[-1]], start=1)))
def test_an_unattended_run_waits_longer_after_each_failure_in_a_row(count: int, wait: timedelta) -> None:
    found = ledger(*(entry(ago=timedelta(0), issued=False) for _ in range(count)))
    refusal = found.backoff(NAMES, NOW)
    assert refusal
    assert refusal.until == NOW + wait
    assert found.backoff(NAMES, NOW + wait) is None


def test_a_success_ends_the_row_of_failures() -> None:
    found = ledger(entry(ago=2 * MINUTE, issued=False), entry(ago=MINUTE, issued=True))
    assert found.backoff(NAMES, NOW) is None
    assert ledger(entry(issued=False, ago=timedelta(0))).backoff(("other.example.com",), NOW) is None


def test_what_was_issued_is_remembered_by_ca_and_names() -> None:
    found = ledger(entry(), entry("b.example.com", issued=False))
    assert found.was_issued(LETSENCRYPT, list(reversed(NAMES)))
    assert not found.was_issued(LETSENCRYPT_STAGING, NAMES)
    assert not found.was_issued(LETSENCRYPT, ["b.example.com"])


def test_what_is_old_can_be_forgotten_and_changes_nothing() -> None:
    old = [entry(ago=KEPT + MINUTE) for _ in range(5)]
    found = ledger(*old, entry())
    assert found.between(NOW - KEPT, NOW).entries == (entry(),)
    assert until(found.between(NOW - KEPT, NOW)) == until(found)


@given(st.lists(st.integers(0, 60 * 24 * 10), max_size=12), st.integers(0, 60 * 24 * 14))
def test_a_refusal_ends_when_it_says(minutes: list[int], later: int) -> None:
    found = ledger(*(entry(ago=at * MINUTE) for at in minutes))
    end = until(found)
    if end is None:
        assert until(found, now=NOW + later * MINUTE) is None
    else:
        assert end > NOW
        assert until(found, now=end) is None
        assert until(found, now=end - timedelta(seconds=1)) == end


@given(
    st.lists(st.builds(entry, st.sampled_from(["a.b", "ü.b"]), issued=st.booleans(), renewal=st.booleans()), max_size=5)
)
def test_a_ledger_is_read_back_as_it_was_written(entries: list[Entry]) -> None:
    text = "".join(f"{one.line()}\n" for one in entries)
    assert Ledger.parse(text).entries == tuple(entries)


@pytest.mark.parametrize("line", ["", "{", '{"at": 1}', "[]", "null", '{"at": "yesterday", "ca": "", "names": []}'])
def test_a_line_that_a_crash_cut_short_is_left_out(line: str) -> None:
    text = f"{entry().line()}\n{line}\n{entry(issued=False).line()}\n"
    assert Ledger.parse(text).entries == (entry(), entry(issued=False))


@pytest.mark.parametrize(
    ("name", "domain"),
    [
        ("www.example.com", "example.com"),
        ("example.com", "example.com"),
        ("a.b.example.co.uk", "example.co.uk"),
        ("user.github.io", "user.github.io"),
        ("co.uk", "co.uk"),
        ("a.internal.lan", "internal.lan"),
    ],
)
def test_a_registered_domain_is_found_by_the_public_suffix_list(name: str, domain: str) -> None:
    assert registered_domain(name) == domain


AHEAD = [timedelta(minutes=6), DAY, 300 * DAY, 7000 * 365 * DAY]


@pytest.mark.parametrize("ahead", AHEAD)
def test_an_entry_from_the_future_holds_nothing_back(ahead: timedelta) -> None:
    found = ledger(*(entry(ago=-ahead, issued=issued) for issued in (True, False) for _ in range(400)))
    assert until(found) is None
    assert found.backoff(NAMES, NOW) is None
    assert found.free_orders(LETSENCRYPT, NOW) == LIMITS[LETSENCRYPT][Bucket.ORDERS].count
    assert found.between(NOW - KEPT, NOW).entries == ()


def test_entries_of_a_clock_a_few_minutes_ahead_count() -> None:
    found = ledger(*(entry(ago=-2 * MINUTE) for _ in range(5)))
    assert until(found) is not None


@pytest.mark.parametrize(
    "at", ["2026-08-01T12:00:00", "2026-08-01", "9999-12-31T23:59:59-14:00", "0001-01-01", "x", "7"]
)
def test_a_line_with_any_time_is_read_or_skipped(at: str) -> None:
    """A time without a zone is in UTC: one that cannot be compared would end the command."""
    line = entry(issued=False).line().replace(entry().at.isoformat(), at)
    found = Ledger.parse(f"{line}\n{entry().line()}\n")
    assert found.refusal(LETSENCRYPT, NAMES, NOW) is None
    assert found.backoff(NAMES, NOW) is None
    assert Ledger.parse("".join(f"{one.line()}\n" for one in found.entries)) == found
