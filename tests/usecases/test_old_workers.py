"""``status`` shows the proxy's workers of before a reload, and how long these may stay is a key."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from stackctl.cli.views.status import show
from stackctl.engine.apply import drain
from stackctl.errors import EngineError, StackfileError
from stackctl.model.endpoints import Endpoint
from stackctl.observed.containers import Process
from stackctl.observed.sockets import Connection
from stackctl.proxies.nginx.proxy import Nginx
from stackctl.usecases.status import status
from stackctl.wording import span
from tests.usecases.world import World, data, done

CLIENT, APP = Connection(1, Endpoint("192.0.2.7", 50000), incoming=True), Connection(2, Endpoint("app", 80), False)


def text(world: World) -> str:
    shown = io.StringIO()
    show(Console(file=shown, width=200), status(world.host))
    return shown.getvalue()


@pytest.mark.parametrize(
    ("connections", "count", "said"),
    [
        ((CLIENT, APP, CLIENT), 2, "1 old worker of the proxy holds 2 connections, the oldest has run for 5 s: they"),
        ((CLIENT,), 1, "holds 1 connection, "),
        ((), 0, None),
        (None, None, "holds connections, "),
    ],
)  # fmt: skip
def test_old_workers_are_counted_with_what_they_hold(
    site: World, connections: tuple[Connection, ...] | None, count: int | None, said: str | None
) -> None:
    assert data(status(site.host))["old_workers"] is None
    site.fake.looks.connections = lambda: connections
    site.fake.looks.leaving = 2
    assert data(status(site.host))["old_workers"] == {
        "workers": 1, "connections": count, "oldest": 5, "ends_after": "6h",
    }  # fmt: skip
    shown = text(site)
    assert said in shown if said else "old worker" not in shown


MASTER, OLD, NEW = (
    Process(f"nginx: {title} process", 5, pid) for title, pid in (("master", 1), ("worker", 7), ("worker", 8))
)
LEAVING = Process("nginx: worker process is shutting down", 5, 7)


def listed(world: World, monkeypatch: pytest.MonkeyPatch, *looks: tuple[Process, ...] | None) -> list[Any]:
    """Let each look at the proxy's processes find the next of ``looks``, or fail; returns those that are left."""
    left: list[Any] = list(looks)

    def look(_container: str) -> tuple[Process, ...]:
        found: tuple[Process, ...] | None = left.pop(0) if len(left) > 1 else left[0]
        if found is None:
            raise EngineError("Docker reports an error: exec: ps: not found")
        return found

    monkeypatch.setattr(world.fake, "processes", look)
    return left


def change(world: World) -> None:
    """Change a file of the user's, which takes a reload."""
    (world.root / "nginx/custom/one.example.com.conf").write_text("deny all;\n")


@pytest.mark.parametrize("last", [(MASTER, LEAVING, NEW), (MASTER, NEW)])
def test_a_reload_ends_when_the_workers_of_before_take_no_more_clients(
    site: World, monkeypatch: pytest.MonkeyPatch, last: tuple[Process, ...]
) -> None:
    both = (MASTER, OLD, NEW)
    left = listed(site, monkeypatch, (MASTER, OLD), both, None, both, last)
    change(site)
    done(site.up())
    assert left == [last]
    assert not [note for note in site.report.notes if "old workers" in note]


def test_workers_that_stay_are_told(site: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drain, "TURN_SECONDS", 0.05)
    listed(site, monkeypatch, (MASTER, OLD))
    change(site)
    done(site.up())
    assert [note for note in site.report.notes if "old workers of the proxy still accept clients after 0.05 s" in note]


def test_where_processes_cannot_be_listed_the_usual_time_passes(site: World, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(type(site.proxies["nginx"]), "reload", replace(Nginx.reload, overlap=0.125))
    monkeypatch.setattr("stackctl.engine.apply.drain.sleep", slept.append)
    listed(site, monkeypatch, None)
    change(site)
    done(site.up())
    assert slept.count(0.125) == 1


def test_how_long_they_may_stay_is_a_key(site: World) -> None:
    site.edit("\nx-stackctl:\n", "\nx-stackctl:\n  keep-old-connections: 24h\n")
    done(site.up())
    assert "\nworker_shutdown_timeout 24h;\n" in site.live()["nginx.conf"].decode()
    site.edit("keep-old-connections: 24h", "keep-old-connections: forever")
    with pytest.raises(StackfileError, match="'forever' is not a duration") as refused:
        site.up()
    assert refused.value.where is not None


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "0 s"), (59, "59 s"), (60, "1 min"), (10800, "3 h"), (180000, "2 d")]
)
def test_a_span_has_its_largest_unit(seconds: int, shown: str) -> None:
    assert span(seconds) == shown
