"""Maintenance: a key of the site, which the commands write and remove, and which ends by itself."""

from __future__ import annotations

import ipaddress
import re
from datetime import UTC, datetime, timedelta, timezone

import pytest

from stackctl.diagnose.maintenance import described
from stackctl.errors import InputError
from stackctl.model.pages import Maintenance, PageFile
from stackctl.model.routing import Redirect
from stackctl.model.values import Domain
from stackctl.proxies.nginx.pages import MAINTENANCE
from stackctl.usecases.add_redirect import AddRedirect, add_redirect
from stackctl.usecases.maintenance import end_of, maintenance_off, maintenance_on
from stackctl.usecases.result import Result
from tests.usecases.world import World, done

ONE = "one.example.com"
NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)
SIX = datetime(2026, 8, 1, 18, tzinfo=UTC)


def on(world: World, wanted: Maintenance, name: str = ONE) -> Result[None]:
    return maintenance_on(world.host, Domain(name), wanted)


def off(world: World) -> Result[None]:
    return maintenance_off(world.host, Domain(ONE))


def conf(world: World) -> str:
    return world.live()[f"sites/{ONE}.conf"].decode()


def checked(world: World) -> str:
    """The verdict of ``doctor``."""
    return next(checks["maintenance"] for checks in world.doctor().values() if "maintenance" in checks)


def test_it_is_a_key_of_the_site_and_goes_without_a_trace(site: World) -> None:
    before, live = site.text, site.live()
    networks = (ipaddress.ip_network("192.0.2.7"), ipaddress.ip_network("2001:db8::/32"))
    done(on(site, Maintenance("For $5, back soon.", None, SIX, networks)))
    assert (
        '      maintenance:\n        message: "For $$5, back soon."\n        until: "2026-08-01T18:00:00Z"\n'
        '        allow:\n          - "192.0.2.7"\n          - "2001:db8::/32"\n'
    ) in site.text.replace("- 192.0.2.7\n", '- "192.0.2.7"\n')
    assert "For &#36;5, back soon." in conf(site)
    assert 'Retry-After "Sat, 01 Aug 2026 18:00:00 GMT" always;' in conf(site)
    assert not site.up().plan
    done(on(site, Maintenance()))
    assert "      maintenance: {}\n" in site.text
    assert conf(site).count(f"    rewrite ^ {MAINTENANCE} last;\n") == 1
    done(off(site))
    assert (site.text, site.live()) == (before, live)
    assert off(site).notes == (f"{ONE} does not set maintenance",)


def test_status_and_doctor_tell_it(site: World) -> None:
    done(on(site, Maintenance(until=SIX)))
    assert "all clients get 503 until" in site.rows()[ONE]["maintenance"]
    assert checked(site) == "unknown"
    site.clock.now = SIX
    assert site.rows()[ONE]["maintenance"] is None
    assert checked(site) == "unknown"


def test_it_goes_back_with_the_rest(site: World) -> None:
    done(on(site, Maintenance()))
    done(site.rollback())
    assert "maintenance" not in site.text
    assert MAINTENANCE not in conf(site)


def test_a_page_must_exist_and_names_that_are_only_redirected_have_none(site: World) -> None:
    before = site.tree()
    with pytest.raises(InputError, match=r"there is no file pages/soon\.html") as caught:
        on(site, Maintenance(page=PageFile("pages/soon.html")))
    assert caught.value.field == "page"
    assert site.tree() == before
    old = AddRedirect(Domain("old.example.com"), Redirect("https://new.example.org", keep_path=True))
    done(add_redirect(site.host, old))
    with pytest.raises(InputError, match="no key 'maintenance'"):
        on(site, Maintenance(), "old.example.com")
    with pytest.raises(InputError, match="is not routed"):
        on(site, Maintenance(), "two.example.com")


def test_the_proxy_compares_its_clock_as_numbers(site: World) -> None:
    """The regexes match the end and what comes after, whatever digits it has."""
    for second in (0, 1, 9, 10, 99, 199, 5_000, 87_654, 1_234_567):
        end = SIX + timedelta(seconds=second)
        done(on(site, Maintenance(until=end)))
        found = re.search(r'"~(\^\(\?:.*?\)\[\.\])" "";', conf(site))
        assert found is not None
        at = int(end.timestamp())
        for offset in (-(10**8), -3601, -100, -11, -10, -9, -2, -1):
            assert not re.search(found[1], f"{at + offset}.999"), (second, offset)
        for offset in (0, 1, 2, 9, 10, 11, 100, 3601, 10**8, 5 * 10**9):
            assert re.search(found[1], f"{at + offset}.000"), (second, offset)


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("18:00", SIX),
        ("2:30", datetime(2026, 8, 2, 2, 30, tzinfo=UTC)),
        ("12:00", datetime(2026, 8, 2, 12, tzinfo=UTC)),
        ("90m", datetime(2026, 8, 1, 13, 30, tzinfo=UTC)),
        ("2h", datetime(2026, 8, 1, 14, tzinfo=UTC)),
        ("1d", datetime(2026, 8, 2, 12, tzinfo=UTC)),
        ("2026-08-01T18:00", SIX),
        ("2026-08-01 20:00+02:00", SIX),
        ("2026-08-01T18:00:00Z", SIX),
    ],
)
def test_an_end_is_a_time_of_day_a_duration_or_a_date(text: str, end: datetime) -> None:
    assert end_of(text, NOW) == end


def test_a_time_of_day_is_that_of_the_user() -> None:
    assert end_of("20:00", NOW.astimezone(timezone(timedelta(hours=2)))) == SIX


@pytest.mark.parametrize("text", ["", "six", "24:00", "18:60", "0m", "2026-08-01T11:59Z", "1999-01-01", "9999-12-31"])
def test_what_is_no_time_to_come_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        end_of(text, NOW)


def test_it_is_described_in_one_line() -> None:
    networks = tuple(ipaddress.ip_network(f"192.0.2.{number}") for number in range(8))
    assert described(Maintenance(), NOW) == "in maintenance: all clients get 503"
    allow = (ipaddress.ip_network("192.0.2.7"), ipaddress.ip_network("10.0.0.0/8"))
    assert "all clients but 192.0.2.7, 10.0.0.0/8 get" in described(Maintenance(allow=allow), NOW)
    assert "all clients but 192.0.2.0" in described(Maintenance(allow=networks), NOW)
    assert described(Maintenance(until=SIX), SIX).startswith("the maintenance ended at")
