"""The redirects of a HAProxy configuration."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from stackctl.adopt.haproxy.collecting import condition_at
from stackctl.adopt.haproxy.conditions import Acls, Alternatives, ReadFile, Test, no_file, read_condition
from stackctl.adopt.haproxy.words import Line
from stackctl.errors import InputError
from stackctl.model import action_values
from stackctl.model.layout import CHALLENGES

_WHOLE = re.compile(r"%\[(?:capture\.req\.uri|pathq|url|path)\]\Z|%HU\Z")
_STATUS = 302
"""What HAProxy sends unless ``code`` says another."""

_STATUSES = (301, 302, 303, 307, 308)


@dataclass(frozen=True, slots=True)
class HostsRedirect:
    """A redirect of all requests for some hosts, such as of those over HTTP to HTTPS.

    Attributes:
        alternatives: the tests of the host of which one has to hold.
        at: ``file:line``.
    """

    alternatives: Alternatives
    status: int
    at: str

    def is_for(self, host: str) -> bool:
        """Return whether requests for ``host`` are redirected."""
        return any(all(test.of_host(host) for test in one if test.kind == "host") for one in self.alternatives)


@dataclass(frozen=True, slots=True)
class HostRedirect(HostsRedirect):
    """A redirect to another host."""

    to: str
    keep_path: bool


def is_redirect(line: Line) -> bool:
    """Return whether a line redirects requests."""
    return line.words[0] == "redirect" or line.starts("http-request", "redirect")


def is_challenge(test: Test) -> bool:
    """Return whether a test is about the paths of ACME's challenges."""
    return test.kind in {"prefix", "path", "regex"} and bool(test.values) and all(
        value.lstrip("^").replace("\\", "").strip("/").startswith(CHALLENGES.strip("/")) for value in test.values
    )  # fmt: skip


def https_redirect(line: Line, acls: Acls | None = None, read_file: ReadFile = no_file) -> HostsRedirect | None:
    """Return the redirect to HTTPS that a line is, for some or all hosts; None for another one."""
    words = _words(line)
    if words[:2] != ["scheme", "https"] and not _to_same_host(words):
        return None
    found = _condition(line, words, acls or {}, read_file)
    if found is None:
        return None
    for one in found:
        for test in one:
            is_negated = test.negated and (test.kind == "tls" or is_challenge(test))
            if not is_negated and test.kind != "host":
                return None
    return HostsRedirect(tuple(found), _status(words), line.at)


def host_redirect(line: Line, acls: Acls, read_file: ReadFile) -> HostRedirect | None:
    """Return the redirect of whole hosts that a line is; None for another one."""
    words = _words(line)
    found = _condition(line, words, acls, read_file)
    if found is None or len(words) <= 1 or not all(any(test.kind == "host" for test in one) for one in found):
        return None
    if any(test.kind not in {"host", "tls"} or (test.kind == "tls" and test.negated) for one in found for test in one):
        return None
    kind, target = words[0], words[1]
    keep_path = kind == "prefix" or (kind == "location" and _WHOLE.search(target) is not None)
    target = _WHOLE.sub("", target)
    if kind not in {"prefix", "location"} or "%" in target or set(words[2::2]) - {"code"}:
        return None
    if _status(words) not in _STATUSES:
        return None
    try:
        to = (action_values.followed_target if keep_path else action_values.redirect_target)(target.rstrip("/") or "/")
    except InputError:
        return None
    return HostRedirect(tuple(found), _status(words), line.at, to, keep_path)


def _to_same_host(words: Sequence[str]) -> bool:
    target = words[1] if len(words) > 1 and words[0] in {"location", "prefix"} else ""
    return bool(re.match(r"https://%\[(?:req\.)?hdr\(host\)\]", target)) and bool(
        words[0] == "prefix" or _WHOLE.search(target)
    )


def _words(line: Line) -> list[str]:
    found = list(line.words[line.words.index("redirect") + 1 :])
    end = condition_at(found)
    return found if end is None else found[:end]


def _condition(line: Line, words: Sequence[str], acls: Acls, read_file: ReadFile) -> Alternatives | None:
    whole = list(line.words[line.words.index("redirect") + 1 :])
    try:
        return read_condition(whole[len(words) :], acls, line.at, read_file)
    except InputError:
        return None


def _status(words: Sequence[str]) -> int:
    found = words[words.index("code") + 1] if "code" in words[:-1] else ""
    return int(found) if found.isdigit() else _STATUS
