"""What Docker's inspect says, as facts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from stackctl.adapters.docker.inspected import inspected

ROW: dict[str, Any] = {
    "Name": "/stack-web-1",
    "RestartCount": 2,
    "State": {
        "Status": "running",
        "OOMKilled": False,
        "Pid": 4711,
        "ExitCode": 0,
        "StartedAt": "2026-11-22T01:37:06.123456789Z",
        "Health": {
            "Status": "unhealthy",
            "Log": [
                {"ExitCode": 0, "Output": "fine"},
                {"ExitCode": 1, "Output": "connecting\nrefused\n\n"},
            ],
        },
    },
    "Config": {"Labels": {"com.docker.compose.service": "web"}, "Env": ["PORT=8000", "EMPTY=", "BARE"]},
    "NetworkSettings": {
        "Networks": {
            "stack_default": {"IPAddress": "10.9.0.2"},
            "six": {"IPAddress": "", "GlobalIPv6Address": "fd00::2"},
            "off": {"IPAddress": ""},
        }
    },
}


def test_the_facts_of_a_running_container() -> None:
    seen = inspected(ROW)
    assert (seen.name, seen.service, seen.state, seen.running) == ("stack-web-1", "web", "running", True)
    assert (seen.health, seen.health_output, seen.restarts, seen.pid) == ("unhealthy", "refused", 2, 4711)
    assert seen.started == datetime(2026, 11, 22, 1, 37, 6, 123456, UTC)
    assert seen.networks == {"stack_default": "10.9.0.2", "six": "fd00::2", "off": ""}
    assert seen.addresses == {"10.9.0.2", "fd00::2"}
    assert seen.environment == {"PORT": "8000", "EMPTY": "", "BARE": ""}


def test_a_container_that_never_started_has_few() -> None:
    state = {"Status": "created", "StartedAt": "0001-01-01T00:00:00Z", "Health": {"Status": "none"}}
    seen = inspected({"Name": "/x", "State": state})
    assert (seen.started, seen.health, seen.health_output, seen.networks) == (None, None, None, {})
    assert inspected({"Name": "/x", "State": {"Status": "created", "StartedAt": "?"}}).started is None


@pytest.mark.parametrize(
    ("check", "seconds"),
    [
        (None, None),
        ({}, None),
        ({"Test": ["NONE"]}, None),
        ({"Test": ["CMD", "true"]}, 30 + 3 * 60),
        ({"Test": ["CMD", "true"], "StartPeriod": 180_000_000_000}, 180 + 30 + 3 * 60),
        (
            {"Test": ["CMD-SHELL", "x"], "Interval": 5_000_000_000, "Timeout": 2_000_000_000, "Retries": 4},
            5 + 4 * 7,
        ),
    ],
    ids=str,
)
def test_a_health_check_says_how_long_it_may_take(check: dict[str, object] | None, seconds: float | None) -> None:
    row = {**ROW, "Config": {**ROW["Config"], "Healthcheck": check}}
    assert inspected(row).health_seconds == seconds
