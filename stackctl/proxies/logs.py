"""What a proxy logs: the requests, as values, and the protocol that reads its lines."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from stackctl.model.wildcards import wildcard_of
from stackctl.proxies.trace import Advice, LoggedError, Misspoken

FIELDS = ("time", "id", "client", "user", "host", "request", "status", "bytes", "upstream", "referer", "agent")
"""The names of what is in an object of the log, whichever proxy writes it; besides, how long the request took."""

_NONE = frozenset({"", "-"})


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """A request that the proxy has answered.

    Attributes:
        time: when it ended, or with HAProxy when it came; aware.
        user: of basic authentication.
        host: the name it was for, in lower case.
        request: its first line, such as ``GET / HTTP/1.1``; or what else a client sent.
        status: 0 for none.
        bytes: of the response.
        seconds: how long it took; None if that is unknown.
        upstream: the addresses of the servers that were asked, the last one having answered.
        id: what the app got as ``X-Request-ID``; None in lines of earlier versions.
        state: how the connection ended, as HAProxy says it.
    """

    time: datetime
    client: str
    user: str | None
    host: str
    request: str
    status: int
    bytes: int
    seconds: float | None = None
    upstream: str | None = None
    referer: str | None = None
    agent: str | None = None
    id: str | None = None
    state: str | None = None

    @property
    def method(self) -> str | None:
        """The method; None if the first line is none of HTTP."""
        parts = self.request.split(" ")
        return parts[0] if len(parts) > 1 else None

    @property
    def target(self) -> str:
        """The path and the query as sent."""
        return self.request.removeprefix(f"{self.method} ").rpartition(" HTTP/")[0] or self.request

    @property
    def path(self) -> str:
        """The path as sent."""
        return self.target.partition("?")[0]


class ProxyLog(Protocol):
    """Reads the log of a proxy."""

    def logged_request(self, line: str) -> LoggedRequest | None:
        """Return the request that a line is about, in either format; None for other lines."""

    def logged_errors(self, log: str) -> list[LoggedError]:
        """Return the errors in its log that are about requests, oldest first."""

    def misspoken(self, log: str) -> Mapping[tuple[str, Misspoken], int]:
        """Return how often each peer spoke another protocol than its port expects, by its log."""

    def advice(self, message: str) -> Advice:
        """Return what to do about an error that it logged for a request."""

    def is_routine(self, line: str) -> bool:
        """Return whether a line of its log only says that it reloads or stops."""

    def concerns(self, line: str, names: Sequence[str]) -> bool:
        """Return whether a line of its log is about a site with ``names``, its own name first."""


def optional(text: str | None) -> str | None:
    """Return a field of the log; None for the dash that stands for nothing."""
    return None if text is None or text in _NONE else text


def is_name_of(host: str, name: str) -> bool:
    """Return whether a request for ``host`` is one for ``name``, which may be a wildcard."""
    return name in {host, wildcard_of(host)}


def from_object(line: str) -> LoggedRequest | None:
    """Return the request of a line that is a JSON object, as every proxy here writes it; None for any other."""
    if not line.startswith("{"):
        return None
    try:
        found = json.loads(line)
        if not isinstance(found, dict) or not all(name in found for name in FIELDS):
            return None
        texts = {name: optional(str(found[name])) for name in ("user", "upstream", "referer", "agent", "id")}
        return LoggedRequest(
            time=moment(str(found["time"])).astimezone(UTC),
            client=str(found["client"]),
            host=str(found["host"]).lower(),
            request=str(found["request"]),
            status=max(0, int(found["status"])),
            bytes=int(found["bytes"]),
            seconds=_seconds(found),
            state=optional(str(found.get("state", ""))),
            **texts,
        )
    except (ValueError, TypeError, OverflowError, RecursionError):
        return None


def _seconds(found: Mapping[str, Any]) -> float | None:
    if "milliseconds" in found:
        return max(0, int(found["milliseconds"])) / 1000
    if "seconds" not in found:
        return None
    taken = float(found["seconds"])
    if not math.isfinite(taken):
        raise ValueError(found["seconds"])
    return taken


_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTHS = {name: number for number, name in enumerate(_NAMES, start=1)}
_COMMON = re.compile(
    r"(?P<day>\d\d)/(?P<month>[A-Z][a-z]{2})/(?P<year>\d{4})"
    r":(?P<clock>\d\d:\d\d:\d\d(?:\.\d{3})?)(?: (?P<zone>[+-]\d{4}))?\Z"
)


def moment(text: str) -> datetime:
    """Return the time of a line: of the common log format, whatever the locale, or of ISO 8601.

    Raises:
        ValueError: it is neither.
    """
    match = _COMMON.match(text)
    if match is None:
        found = datetime.fromisoformat(text)
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    month = _MONTHS.get(match["month"])
    if month is None:
        raise ValueError(text)
    return datetime.fromisoformat(
        f"{match['year']}-{month:02}-{match['day']}T{match['clock']}{match['zone'] or '+0000'}"
    )
