"""Translate the output of Docker's inspect to the facts of a container."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from stackctl.observed.containers import Inspected

_HEALTH_INTERVAL, _HEALTH_TIMEOUT, _HEALTH_RETRIES = 30_000_000_000, 30_000_000_000, 3
"""Docker's defaults of a health check."""


def inspected(row: Mapping[str, Any]) -> Inspected:
    """Return the facts in the response of Docker's ``/containers/ID/json``."""
    state, config = row["State"], row.get("Config") or {}
    networks = (row.get("NetworkSettings") or {}).get("Networks") or {}
    health = state.get("Health") or {}
    return Inspected(
        name=row["Name"].lstrip("/"),
        state=state["Status"],
        service=(config.get("Labels") or {}).get("com.docker.compose.service", ""),
        # Docker reports 'none' for a disabled check.
        health=health.get("Status") if health.get("Status") != "none" else None,
        health_output=_last_line(
            next((one["Output"] for one in reversed(health.get("Log") or ()) if one["ExitCode"]), "")
        ),
        health_seconds=_health_seconds(config.get("Healthcheck") or {}),
        exit_code=int(state.get("ExitCode", 0)),
        oom_killed=bool(state.get("OOMKilled")),
        restarts=int(row.get("RestartCount", 0)),
        started=_time(state.get("StartedAt", "")),
        networks={name: _address(network) for name, network in networks.items()},
        environment=dict(pair.partition("=")[::2] for pair in config.get("Env") or ()),
        pid=int(state.get("Pid", 0)),
        image=str(config.get("Image") or ""),
    )


def _address(network: Mapping[str, Any]) -> str:
    return str(network.get("IPAddress") or network.get("GlobalIPv6Address") or "")


def _health_seconds(check: Mapping[str, Any]) -> float | None:
    """Return when a health check has decided at the latest; Docker reports nanoseconds, and 0 for its defaults."""
    if not check.get("Test") or check["Test"][0] == "NONE":
        return None
    interval = (check.get("Interval") or _HEALTH_INTERVAL) / 1e9
    timeout = (check.get("Timeout") or _HEALTH_TIMEOUT) / 1e9
    retries = check.get("Retries") or _HEALTH_RETRIES
    return float((check.get("StartPeriod") or 0) / 1e9 + interval + retries * (interval + timeout))


def _last_line(text: str) -> str | None:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else None


def _time(text: str) -> datetime | None:
    """Parse Docker's RFC 3339 time with nanoseconds; its year 1 means never."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if time.year == 1 else time.astimezone(UTC)
