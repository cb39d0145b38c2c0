"""nginx: generated files with addresses of containers in the place of a service, while the service is deployed.

A line that names the service is replaced in place, and kept as a comment after what replaces it: so the same files
come back by a change of their text alone, whatever else was rendered meanwhile.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from stackctl.model.endpoints import Endpoint
from stackctl.proxies.proxy import Files

_MARK = " # in place of: "
_LINE = re.compile(
    r"""^(?P<indent>[ \t]*)(?P<line>
        server\ (?P<host>[^\s:;]+):(?P<port>\d+)(?P<more>(?:\ [^\s;]+)*);
        | set\ (?P<variable>\$\w+)\ "?(?P<name>[^\s:;"]+):(?P<at>\d+)"?;
    )$""",
    re.MULTILINE | re.VERBOSE,
)
_PINNED = re.compile(rf"^(?P<indent>[ \t]*)(?P<pins>\S.*?){re.escape(_MARK)}(?P<line>.*)$", re.MULTILINE)
_ADDRESS = re.compile(r"[ \"](?P<address>\[[0-9a-fA-F:.]+\]|[0-9.]+):\d+")


def pinned(files: Files, pins: Mapping[str, Sequence[str]]) -> dict[str, bytes]:
    """Return ``files`` with the addresses in the place of each service of ``pins``, and with no other pin."""
    return {path: _pinned(body, pins) if _is_generated(path) else body for path, body in files.items()}


def pins_in(files: Files) -> dict[str, frozenset[str]]:
    """Return the services that ``files`` have addresses in the place of, with these addresses."""
    found: dict[str, frozenset[str]] = {}
    for path, body in files.items():
        if _MARK.encode() not in body or not _is_generated(path):
            continue
        for pin in _PINNED.finditer(body.decode("utf-8", "replace")):
            line = _LINE.match(pin["line"])
            if line is not None:
                addresses = frozenset(one["address"].strip("[]") for one in _ADDRESS.finditer(pin["pins"]))
                host = line["host"] or line["name"]
                found[host] = found.get(host, frozenset()) | addresses
    return found


def _is_generated(path: str) -> bool:
    """Whether the lines of a file are stackctl's, and none is the user's."""
    return path.endswith(".conf")


def _pinned(body: bytes, pins: Mapping[str, Sequence[str]]) -> bytes:
    if _MARK.encode() not in body and not any(host.encode() in body for host in pins):
        return body
    text = _PINNED.sub(lambda one: f"{one['indent']}{one['line']}", body.decode("utf-8", "surrogateescape"))
    return _LINE.sub(lambda line: _replaced(line, pins), text).encode("utf-8", "surrogateescape")


def _replaced(line: re.Match[str], pins: Mapping[str, Sequence[str]]) -> str:
    addresses = pins.get(line["host"] or line["name"])
    if not addresses:
        return line[0]
    if line["variable"]:  # it holds one; the others wait until there is a name again
        text = f'set {line["variable"]} "{Endpoint(addresses[0], int(line["at"]))}";'
    else:
        more = "".join(f" {one}" for one in line["more"].split() if one != "resolve")
        text = " ".join(f"server {Endpoint(address, int(line['port']))}{more};" for address in addresses)
    return f"{line['indent']}{text}{_MARK}{line['line']}"
