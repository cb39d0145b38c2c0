"""HAProxy: reads the lines of its log about requests, and says what to do about those that failed."""

from __future__ import annotations

import re

from stackctl.proxies.trace import Advice, LoggedError

_LINE = re.compile(
    r'^(?P<client>\S+) - - \[(?P<time>[^\]]+)\] (?P<host>\S+) "(?P<request>[^"]*)" (?P<status>-?\d+)'
    r' \S+ "[^"]*" "[^"]*" \S+ (?P<server>\S+) (?P<end>\S{2,4}) (?P<backend>\S+)$',
    re.MULTILINE,
)
_ROUTINE = re.compile(
    r"^\[(?:NOTICE|WARNING)\]\s+\(\d+\) : (?:New worker|Loading success|Reloading|Former worker|Initializing|"
    r"haproxy version|path to executable|Exiting|Current worker|All workers|Previous)"
)
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

_TODO = {
    "SC": "run 'stackctl up', which starts what is missing, or see 'stackctl logs'",
    "sC": "the app does not accept connections in time: see 'stackctl logs'",
    "SH": "the app ended the connection before it answered: see 'stackctl logs'",
    "sH": "the app takes too long: see 'stackctl logs', or set 'read-timeout' in x-stackctl",
    "sQ": "the app has too many connections: raise 'max-connections' in x-stackctl",
}


def logged_errors(log: str) -> list[LoggedError]:
    """Return the requests that failed, oldest first; the host in lower case."""
    return [_error(match) for match in _LINE.finditer(log) if match["end"][:2] in _ENDS]


def _error(match: re.Match[str]) -> LoggedError:
    end = match["end"][:2]
    known = match["server"] not in {"-:-", "-:0", "0:0"} and "<NOSRV>" not in match["backend"]
    upstream = f"http://{match['server']}" if known else None
    return LoggedError(match["time"], "error", _ENDS[end], match["host"], match["request"], upstream, match[0])


def is_routine(line: str) -> bool:
    """Return whether a line only says that HAProxy starts, reloads or stops."""
    return _ROUTINE.search(line) is not None


def concerns(line: str, name: str, names: tuple[str, ...]) -> bool:
    """Return whether the host of a line is one of ``names``, or whether it is about a back end of ``name``."""
    return any(f" {one} " in line for one in names) or f" {name}/" in line or f" {name}:" in line


def advice(message: str) -> Advice:
    """Return what to do about a message of :func:`logged_errors`."""
    todo = next((_TODO[end] for end, text in _ENDS.items() if text == message and end in _TODO), None)
    return Advice(todo or "see 'stackctl logs', and ask again")
