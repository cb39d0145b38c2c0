"""nginx: parses the error log lines about requests."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from stackctl.proxies.trace import LoggedError, Misspoken

_LINE = re.compile(
    r"^(?P<time>\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) \[(?P<level>\w+)\] \d+#\d+: (?:\*\d+ )?(?P<message>.*?), client: .*$",
    re.MULTILINE,
)
_ROUTINE = re.compile(
    r"\[(?:notice|info)\] \d+#\d+: (?:signal \d+ \(|SIG[A-Z]+ |gracefully shutting down|exiting|exit$)"
)
_BUFFERED = re.compile(r"is buffered to a temporary file")
_REFUSED = re.compile(r'^(?P<peer>\S+) - \S+ \[[^\]]*\] \S+ "(?P<request>[^"]*)" 400 (?P<size>\d+) ', re.MULTILINE)
_PLAIN_TO_HTTPS = {248, 255}
"""The length of nginx's page for a plain request on a port for HTTPS, without its version and with 1.30's."""

_BROKEN_HEADER = re.compile(r"broken header: .*? while reading PROXY protocol, client: (?P<peer>[^,\s]+)")
_HOST = re.compile(r', host: "([^"]*)"')
_REQUEST = re.compile(r', request: "([^"]*)"')
_UPSTREAM = re.compile(r', upstream: "([^"]*)"')


def logged_errors(log: str) -> list[LoggedError]:
    """Return the errors of requests in ``log``, oldest first; the host without its port, in lower case."""
    return [_error(match) for match in _LINE.finditer(log) if _HOST.search(match[0]) and not _is_ordinary(match)]


def misspoken(log: str) -> Mapping[tuple[str, Misspoken], int]:
    """Return how often each peer spoke another protocol than its port, as the two logs show it."""
    found: Counter[tuple[str, Misspoken]] = Counter()
    for match in _REFUSED.finditer(log):
        begins, size = match["request"], int(match["size"])
        if begins.startswith(r"\x16\x03"):
            found[match["peer"], Misspoken.TLS_TO_HTTP] += 1
        elif begins.startswith("PROXY ") or begins == r"\x00":
            found[match["peer"], Misspoken.PROXY_UNEXPECTED] += 1
        elif size in _PLAIN_TO_HTTPS:
            found[match["peer"], Misspoken.HTTP_TO_HTTPS] += 1
    found.update((match["peer"], Misspoken.PROXY_MISSING) for match in _BROKEN_HEADER.finditer(log))
    return dict(found)


def is_routine(line: str) -> bool:
    """Return whether a line is nginx's notice of a signal, as each reload and each stop has several."""
    return _ROUTINE.search(line) is not None


def _is_ordinary(match: re.Match[str]) -> bool:
    """Return whether it is the warning of a large upload or answer that takes place on disk: nothing failed."""
    return match["level"] == "warn" and _BUFFERED.search(match["message"]) is not None


def _error(match: re.Match[str]) -> LoggedError:
    fields = {name: found[1] if (found := one.search(match[0])) else None for name, one in _FIELDS.items()}
    host = re.sub(r":\d+\Z", "", (fields["host"] or "").lower())
    return LoggedError(
        match["time"], match["level"], match["message"], host, fields["request"], fields["upstream"], match[0]
    )


_FIELDS = {"host": _HOST, "request": _REQUEST, "upstream": _UPSTREAM}
