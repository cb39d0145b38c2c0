"""HAProxy: reads the lines of its log about requests, and says what to do about those that failed."""

from __future__ import annotations

import re
from collections.abc import Sequence

from stackctl.model.logs import LogFormat
from stackctl.proxies.logs import LoggedRequest, from_object, is_name_of, moment, optional
from stackctl.proxies.trace import Advice, LoggedError

FORMATS = {
    # The fields of the common log format, then how the connection ended, the server, and the id.
    LogFormat.TEXT: (
        r"%ci\ -\ -\ [%tr]\ %[var(txn.host)]\ %{+Q}r\ %ST\ %B\ %{+Q}[capture.req.hdr(0)]\ %{+Q}[capture.req.hdr(1)]"
        r"\ %Ta\ %si:%sp\ %tsc\ %b/%s\ %ID"
    ),
    LogFormat.JSON: "'{"
    + ",".join(
        f'"{name}":{value}'
        for name, value in {
            "time": '"%[accept_date,utime(%Y-%m-%dT%H:%M:%SZ)]"',
            "id": '"%ID"',
            "site": '"%[var(txn.site)]"',
            "client": '"%ci"',
            "user": '"-"',
            "host": '"%[var(txn.host),json(utf8s)]"',
            "request": '"%[capture.req.method,json(utf8s)] %[capture.req.uri,json(utf8s)] %HV"',
            "status": "%ST",
            "bytes": "%B",
            "milliseconds": "%Ta",
            "upstream": '"%si:%sp"',
            "referer": '"%[capture.req.hdr(0),json(utf8s)]"',
            "agent": '"%[capture.req.hdr(1),json(utf8s)]"',
            "state": '"%tsc"',
            "backend": '"%b/%s"',
        }.items()
    )
    + "}'",
}
"""How it writes a request."""

_LINE = re.compile(
    r"(?P<client>\S+) - - \[(?P<time>[^\]]+)\] (?P<host>\S+)"
    r' "(?P<request>[^"]*)" (?P<status>-?\d+) (?P<bytes>\d+) "(?P<referer>[^"]*)" "(?P<agent>[^"]*)"'
    r" (?P<milliseconds>-?\d+) (?P<server>\S+) (?P<end>\S{2,4}) (?P<backend>\S+)(?: (?P<id>[0-9a-f-]{36}))?\Z"
)
_ROUTINE = re.compile(
    r"^\[(?:NOTICE|WARNING)\]\s+\(\d+\) : (?:New worker|Loading success|Reloading|Former worker|Initializing|"
    r"haproxy version|path to executable|Exiting|Current worker|All workers|Previous)"
)
_NO_SERVER = frozenset({"-:-", "-:0", "0:0"})
_ENDS = {
    "SC": "the connection to the server failed",
    "sC": "the connection to the server timed out",
    "SH": "the server ended the connection before it answered",
    "sH": "the server did not answer in time",
    "SD": "the server ended the connection in the middle of its answer",
    "sD": "the server stopped in the middle of its answer",
    "sQ": "no server was free in time",
}
"""How a connection ended, by the first two letters of its state: those that are about the server."""

_TOO_MANY = 429
_LIMITED = "more requests than a limit lets through"

_TODO = {
    "SC": "run 'stackctl up', which starts what is missing, or see 'stackctl logs'",
    "sC": "the app does not accept connections in time: see 'stackctl logs'",
    "SH": "the app ended the connection before it answered: see 'stackctl logs'",
    "sH": "the app takes too long: see 'stackctl logs', or set 'read-timeout' in x-stackctl",
    "sQ": "the app has too many connections: raise 'max-connections' in x-stackctl",
}


def logged_request(line: str) -> LoggedRequest | None:
    """Return the request that a line is about."""
    if line.startswith("{"):
        return from_object(line)
    match = _LINE.match(line)
    if match is None:
        return None
    return LoggedRequest(
        time=moment(match["time"]),
        client=match["client"],
        user=None,
        host=match["host"].lower(),
        request=match["request"],
        status=max(0, int(match["status"])),
        bytes=int(match["bytes"]),
        seconds=max(0, int(match["milliseconds"])) / 1000,
        upstream=None if match["server"] in _NO_SERVER or "<NOSRV>" in match["backend"] else match["server"],
        referer=optional(match["referer"]),
        agent=optional(match["agent"]),
        id=match["id"],
        state=match["end"],
    )


def logged_errors(log: str) -> list[LoggedError]:
    """Return the requests that failed, oldest first; the host in lower case."""
    return [
        LoggedError(
            request.time.strftime("%Y/%m/%d %H:%M:%S"),
            "error",
            message,
            request.host,
            request.request,
            f"http://{request.upstream}" if request.upstream else None,
            line,
        )
        for line in log.splitlines()
        if (request := logged_request(line)) is not None and (message := _failure(request)) is not None
    ]


def _failure(request: LoggedRequest) -> str | None:
    """Return what failed; None for a request that was answered as it should be."""
    state = request.state or ""
    if request.status == _TOO_MANY and state.startswith("PR"):
        return _LIMITED
    return _ENDS.get(state[:2])


def is_routine(line: str) -> bool:
    """Return whether a line only says that HAProxy starts, reloads or stops."""
    return _ROUTINE.search(line) is not None


def concerns(line: str, names: Sequence[str]) -> bool:
    """Return whether a request was for one of ``names``, or whether a line is about a back end of the first."""
    request = logged_request(line)
    if request is not None:
        return any(is_name_of(request.host, name) for name in names)
    return f" {names[0]}/" in line or f" {names[0]}:" in line


def advice(message: str) -> Advice:
    """Return what to do about a message of :func:`logged_errors`."""
    if message == _LIMITED:
        return Advice("ask more slowly, or raise 'rate-limit' or 'connections' in x-stackctl", refused=True)
    todo = next((_TODO[end] for end, text in _ENDS.items() if text == message and end in _TODO), None)
    return Advice(todo or "see 'stackctl logs', and ask again")
