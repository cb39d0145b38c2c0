"""How long a command waits for a service follows the service's own health check."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from stackctl.engine.apply import services
from stackctl.errors import ExitCode
from stackctl.observed.containers import Deployment
from tests.usecases.world import World, done


class Time:
    """Seconds that pass only between two looks."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now

    def wait_for(self, look: Callable[[], bool | None], _seconds: float) -> None:
        while look() is None:
            self.now += 1.0
            assert self.now < 10_000


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    made = Time()
    monkeypatch.setattr(services, "time", made)
    monkeypatch.setattr(services, "wait_for", made.wait_for)
    monkeypatch.setattr(services, "SERVICE_SECONDS", 60.0)
    return made


def health_of(world: World, monkeypatch: pytest.MonkeyPatch, service: str, health: Callable[[], str]) -> None:
    containers = world.fake.containers

    def seen(project: str) -> Deployment:
        return Deployment(
            tuple(replace(one, health=health()) if one.service == service else one for one in containers(project))
        )

    monkeypatch.setattr(world.fake, "containers", seen)


def test_a_start_period_is_waited_for(site: World, monkeypatch: pytest.MonkeyPatch, time: Time) -> None:
    site.fake.looks.seen["two"] = {"health_seconds": 330.0}
    health_of(site, monkeypatch, "two", lambda: "healthy" if time.now >= 185 else "starting")
    result = done(site.add("two.example.com"))
    assert 185 <= time.now <= 186
    assert site.served()["two.example.com"] == "real"
    assert any("waiting up to 330 s" in note for note in site.report.notes)
    assert not result.errors


def test_a_health_check_that_never_passes_ends_with_its_own_time(
    site: World, monkeypatch: pytest.MonkeyPatch, time: Time
) -> None:
    site.fake.looks.seen["two"] = {"health_seconds": 330.0, "health_output": "no database"}
    health_of(site, monkeypatch, "two", lambda: "starting")
    result = site.add("two.example.com")
    assert 330 <= time.now <= 331
    assert result.code is ExitCode.ENGINE
    assert [error.message for error in result.errors] == [
        "the service two is not healthy after 330 s: its health check says 'starting': no database"
    ]
    assert site.served()["two.example.com"] == "real"


def test_what_its_health_check_calls_unhealthy_is_not_waited_for_longer(
    site: World, monkeypatch: pytest.MonkeyPatch, time: Time
) -> None:
    site.fake.looks.seen["two"] = {"health_seconds": 330.0}
    health_of(site, monkeypatch, "two", lambda: "unhealthy" if time.now >= 100 else "starting")
    assert site.add("two.example.com").code is ExitCode.ENGINE
    assert 100 <= time.now <= 101


@pytest.mark.parametrize(
    ("seen", "waited"),
    [
        ({}, 60),
        ({"started": timedelta(seconds=50)}, 10),
        ({"started": timedelta(days=3)}, 5),
        ({"started": timedelta(seconds=-5000)}, 60),
    ],
    ids=["just started", "started 50 s ago", "has run for days", "started in the future"],
)
def test_without_a_health_check(site: World, time: Time, seen: dict[str, Any], waited: int) -> None:
    if seen:
        site.fake.looks.seen["two"] = {"started": site.clock() - seen["started"]}
    site.fake.faults.silent.add("two")
    assert site.add("two.example.com").code is ExitCode.ENGINE
    assert waited <= time.now <= waited + 1


def test_a_healthy_service_that_does_not_listen_on_the_port_is_reported(
    site: World, monkeypatch: pytest.MonkeyPatch, time: Time
) -> None:
    health_of(site, monkeypatch, "two", lambda: "healthy")
    result = site.add("two.example.com", port=9999)
    assert ["does not answer on port 9999" in error.message for error in result.errors] == [True]
    assert time.now <= 61
