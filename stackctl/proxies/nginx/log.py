"""nginx: reads the lines of its logs about requests and errors."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from stackctl.proxies.logs import LoggedRequest, from_object, is_name_of, moment, optional
from stackctl.proxies.trace import LoggedError, Misspoken

_LINE = re.compile(
    r"^(?P<time>\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) \[(?P<level>\w+)\] \d+#\d+: (?:\*\d+ )?(?P<message>.*?), client: .*$",
    re.MULTILINE,
)
_ROUTINE = re.compile(
    r"\[(?:notice|info)\] \d+#\d+: (?:signal \d+ \(|SIG[A-Z]+ |gracefully shutting down|exiting|exit$)"
)
_BUFFERED = re.compile(r"is buffered to a temporary file")
_REQUESTED = re.compile(
    r"(?P<client>\S+) - (?P<user>.*?) \[(?P<time>\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\] (?P<host>\S*)"
    r' "(?P<request>[^"]*)" (?P<status>\d{3}) (?P<bytes>\d+) "(?P<referer>[^"]*)" "(?P<agent>[^"]*)"'
    r" (?P<seconds>\d+\.\d+) (?P<upstream>.*?)(?: (?P<id>[0-9a-f]{32}))?\Z"
)
_ESCAPED = re.compile(r"\\x([0-9A-F]{2})")
_BAD_REQUEST = 400
TLS = "(TLS)"
"""What the log has in JSON for a request that is a handshake of TLS, sent to the port for plain HTTP."""

_PLAIN_TO_HTTPS = {248, 255}
"""The length of nginx's page for a plain request on a port for HTTPS, without its version and with 1.30's."""

_BROKEN_HEADER = re.compile(r"broken header: .*? while reading PROXY protocol, client: (?P<peer>[^,\s]+)")
_HOST = re.compile(r', host: "([^"]*)"')
_REQUEST = re.compile(r', request: "([^"]*)"')
_UPSTREAM = re.compile(r', upstream: "([^"]*)"')


def logged_request(line: str) -> LoggedRequest | None:
    """Return the request that a line of the access log is about."""
    if line.startswith("{"):
        return from_object(line)
    match = _REQUESTED.match(line)
    if match is None:
        return None
    return LoggedRequest(
        time=moment(match["time"]),
        client=match["client"],
        user=_text(match["user"]),
        host=match["host"].lower(),
        request=_unescaped(match["request"]),
        status=int(match["status"]),
        bytes=int(match["bytes"]),
        seconds=float(match["seconds"]),
        upstream=optional(match["upstream"]),
        referer=_text(match["referer"]),
        agent=_text(match["agent"]),
        id=match["id"],
    )


def _text(field: str) -> str | None:
    return optional(_unescaped(field))


def _unescaped(field: str) -> str:
    r"""Return what a client sent; nginx writes quotes, backslashes and what is no printable ASCII as ``\xHH``."""
    if "\\x" not in field:
        return field
    raw = _ESCAPED.sub(lambda one: chr(int(one[1], 16)), field)
    return raw.encode("latin-1", "replace").decode("utf-8", "replace")


def logged_errors(log: str) -> list[LoggedError]:
    """Return the errors of requests in ``log``, oldest first; the host without its port, in lower case."""
    return [_error(match) for match in _LINE.finditer(log) if _HOST.search(match[0]) and not _is_ordinary(match)]


def misspoken(log: str) -> Mapping[tuple[str, Misspoken], int]:
    """Return how often each peer spoke another protocol than its port, as the two logs show it."""
    found: Counter[tuple[str, Misspoken]] = Counter()
    for one in filter(None, map(logged_request, log.splitlines())):
        if one.status != _BAD_REQUEST:
            continue
        if one.request.startswith(("\x16\x03", TLS)):
            found[one.client, Misspoken.TLS_TO_HTTP] += 1
        elif one.request.startswith("PROXY ") or one.request == "\x00":
            found[one.client, Misspoken.PROXY_UNEXPECTED] += 1
        elif one.bytes in _PLAIN_TO_HTTPS:
            found[one.client, Misspoken.HTTP_TO_HTTPS] += 1
    found.update((match["peer"], Misspoken.PROXY_MISSING) for match in _BROKEN_HEADER.finditer(log))
    return dict(found)


def is_routine(line: str) -> bool:
    """Return whether a line is nginx's notice of a signal, as each reload and each stop has several."""
    return _ROUTINE.search(line) is not None


def concerns(line: str, names: Sequence[str]) -> bool:
    """Return whether a request was for one of ``names``, or an error names one."""
    request = logged_request(line)
    if request is not None:
        return any(is_name_of(request.host, name) for name in names)
    return any(f" {name} " in line for name in names) or names[0] in line


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
