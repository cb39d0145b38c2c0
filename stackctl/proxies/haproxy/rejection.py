"""HAProxy: which site's file, and which line of the user's, a rejection is about."""

from __future__ import annotations

import re

from stackctl.model.layout import site_of_file
from stackctl.model.values import Domain
from stackctl.proxies.haproxy.layout import (
    CERTS,
    CUSTOM_SECTIONS,
    FRONTEND,
    HAPROXY,
    SECTIONS,
    SITES,
    site_of_backend,
)
from stackctl.proxies.proxy import Files, Rejection

_ALERT = re.compile(r"^\[ALERT\]\s+(?:\(\d+\) : )?(?:config : )?(?P<message>.*)$", re.MULTILINE)
_PLACE = re.compile(r"\[(?P<path>/[^\]\s:]+):(?P<line>\d+)\]")
_FILE = re.compile(r"'(?P<path>[^'\s]*\.(?:cfg|list|map))'?(?: in line |:)(?P<line>\d+)")
_BACKEND = re.compile(r"(?:backend|proxy|section) '?(?P<name>[a-z0-9_*][^\s':/]*\.[^\s'/:]+)")
_STORE = re.compile(r"@(?P<name>[^\s/']+)/(?:pair|second)")
_OF_SITE = re.compile(r"\{ var\(txn\.site\) -m str (?P<name>\S+) \}")
_SUMMARY = ("Error(s) found in configuration file", "Fatal errors found in configuration")
_COPY = re.compile(r"^\s*# A copy of haproxy/custom/(?P<name>.+)\.$")
_COPY_END = re.compile(r"^\s*# The end of that copy\.$")


def site_of(path: str) -> Domain | None:
    """Return the site of a file below ``sites/``: ``DOMAIN.cfg`` and the texts beside it."""
    folder, _, name = path.partition("/")
    if folder != SITES:
        return None
    return Domain(site_of_file(re.sub(r"\.(?:cfg|parked|maintenance|(?:answer|ca)\d+)\Z", "", name)))


def explained(output: str, root: str, files: Files) -> Rejection:
    """Return the first alert of ``haproxy -c``, with the file that it names."""
    alerts = [one["message"].strip() for one in _ALERT.finditer(output) if not _is_summary(one["message"])]
    if not alerts:
        return Rejection(output.strip() or "haproxy -c failed without output")
    message = alerts[0]
    path, number = _place(message, root)
    shown = re.sub(r"\Aparsing\s*:\s*", "", _PLACE.sub("", message)).replace(f"{HAPROXY.mount}/{root}/", "")
    if path is None:
        named = _BACKEND.search(message) or _STORE.search(message)
        return Rejection(shown, site_of_backend(named["name"]) if named else None)
    store = _STORE.search(message)
    if store is not None:
        return Rejection(shown, site_of_backend(store["name"]))
    at, line = original(files, path, number)
    return Rejection(shown, site_of(path) or _site_in(files, path, number), f"{HAPROXY.path}/{at}:{line}")


def _is_summary(message: str) -> bool:
    return any(one in message for one in _SUMMARY)


def _place(message: str, root: str) -> tuple[str | None, int]:
    found = _PLACE.search(message) or _FILE.search(message)
    if found is None:
        return None, 0
    return found["path"].removeprefix(f"{HAPROXY.mount}/{root}/"), int(found["line"])


def _site_in(files: Files, path: str, number: int) -> Domain | None:
    """Return the site that a line of a shared file is about."""
    if path not in {FRONTEND, CERTS}:
        return None
    lines = files.get(path, b"").decode("utf-8", "replace").splitlines()
    for line in lines[number - 1 : number + 3]:
        found = _STORE.search(line) or _OF_SITE.search(line)
        if found is not None:
            return site_of_backend(found["name"])
    return None


def original(files: Files, path: str, number: int) -> tuple[str, int]:
    """Return the file that the user edits to change a line, and the line there."""
    if path == SECTIONS:
        return f"custom/{CUSTOM_SECTIONS}", number
    copied: tuple[str, int] | None = None
    for at, line in enumerate(files.get(path, b"").decode("utf-8", "replace").splitlines()[: number - 1], start=1):
        begins = _COPY.match(line)
        if begins:
            copied = begins["name"], at
        elif _COPY_END.match(line):
            copied = None
    return (f"custom/{copied[0]}", number - copied[1]) if copied else (path, number)


def original_of(path: str) -> str:
    """Return the file of the user's that a whole file is a copy of; a written file is its own source."""
    return f"custom/{CUSTOM_SECTIONS}" if path == SECTIONS else path
