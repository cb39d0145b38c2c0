"""``status`` shows the proxy's workers of before a reload, and how long these may stay is a key."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from stackctl.cli.views.status import show
from stackctl.errors import StackfileError
from stackctl.model.endpoints import Endpoint
from stackctl.observed.sockets import Connection
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
