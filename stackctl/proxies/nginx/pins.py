"""nginx: generated files with addresses of containers in the place of a service, while the service is deployed.

A line that names the service is replaced in place, and kept as a comment after what replaces it: so the same files
come back by a change of their text alone, whatever else was rendered meanwhile.

A service without addresses is a server that is down: it gets no request.

Before a name comes back, it stands in its group beside the pins, as a server that is down. nginx takes the addresses of
a name over at a reload, if the group of before has the name; else it resolves it first, and answers 502 until then.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from stackctl.model.endpoints import Endpoint
from stackctl.proxies.nginx.health import CHOSEN
from stackctl.proxies.proxy import Files, Pins

_MARK = " # in place of: "
_LINE = re.compile(
    r"""^(?P<indent>[ \t]*)(?P<line>
        server\ (?P<host>[^\s:;]+):(?P<port>\d+)(?P<more>(?:\ [^\s;]+)*);
        | set\ (?P<variable>\$\w+)\ "?(?P<name>[^\s:;"]+):(?P<at>\d+)"?;
    )$""",
    re.MULTILINE | re.VERBOSE,
)
_CHOICE = re.compile(rf"^(?P<indent>[ \t]*)(?P<line>include {re.escape(CHOSEN)};)$", re.MULTILINE)
_PINNED = re.compile(rf"^(?P<indent>[ \t]*)(?P<pins>\S.*?){re.escape(_MARK)}(?P<line>.*)$", re.MULTILINE)
_ADDRESS = re.compile(r"[ \"](?P<address>\[[0-9a-fA-F:.]+\]|[0-9.]+):(?P<port>\d+)")


def pinned(files: Files, pins: Pins, *, beside: bool = False) -> dict[str, bytes]:
    """See :meth:`Proxy.pinned`."""
    return {path: _pinned(body, pins, beside=beside) if _is_generated(path) else body for path, body in files.items()}


def pins_in(files: Files) -> dict[str, dict[str, dict[int, int]]]:
    """Return the services that ``files`` have addresses in the place of, with these addresses."""
    found: dict[str, dict[str, dict[int, int]]] = {}
    for path, body in files.items():
        if _MARK.encode() not in body or not _is_generated(path):
            continue
        for pin in _PINNED.finditer(body.decode("utf-8", "replace")):
            line = _LINE.match(pin["line"])
            if line is None:
                continue
            addresses, written = found.setdefault(line["host"] or line["name"], {}), int(line["port"] or line["at"])
            for one in _ADDRESS.finditer(pin["pins"]):
                ports, own = addresses.setdefault(one["address"].strip("[]"), {}), int(one["port"])
                if own != written:
                    ports[written] = own
    return found


def _is_generated(path: str) -> bool:
    """Whether the lines of a file are stackctl's, and none is the user's."""
    return path.endswith(".conf")


def _without_choice(text: str) -> str:
    """Return a text in which no group of other addresses takes the place of one with pins."""
    return _CHOICE.sub(lambda line: f"{line['indent']}# pinned{_MARK}{line['line']}", text)


def _pinned(body: bytes, pins: Pins, *, beside: bool) -> bytes:
    if _MARK.encode() not in body and not any(host.encode() in body for host in pins):
        return body
    text = _PINNED.sub(lambda one: f"{one['indent']}{one['line']}", body.decode("utf-8", "surrogateescape"))
    found = _LINE.sub(lambda line: _replaced(line, pins, beside=beside), text)
    return (found if found == text else _without_choice(found)).encode("utf-8", "surrogateescape")


def _replaced(line: re.Match[str], pins: Pins, *, beside: bool) -> str:
    addresses = pins.get(line["host"] or line["name"])
    if addresses is None or (line["variable"] and not addresses):
        return line[0]
    port = int(line["port"] or line["at"])
    servers = [Endpoint(address, ports.get(port, port)) for address, ports in addresses.items()]
    if line["variable"]:  # it holds one; the others wait until there is a name again
        text = f'set {line["variable"]} "{servers[0]}";'
    else:
        words = line["more"].split()
        more = "".join(f" {one}" for one in words if one != "resolve")
        text = " ".join(f"server {server}{more};" for server in servers)
        if (beside and "resolve" in words) or not addresses:
            named = f"{line['host']}:{port}"
            text = f"{text} {server_down(named, words)}"
    return f"{line['indent']}{text.strip()}{_MARK}{line['line']}"


def is_pinned(body: bytes) -> bool:
    """Whether a file has addresses in the place of a name."""
    return _MARK.encode() in body


def server_down(server: str, words: Collection[str]) -> str:
    """Return the directive of a server whose name nginx resolves, but which gets no request."""
    return f"server {server}{''.join(f' {one}' for one in words if one not in {'down', 'drain'})} down;"
