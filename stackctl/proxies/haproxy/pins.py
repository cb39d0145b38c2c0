"""HAProxy: generated files with addresses of containers in the place of a service, while the service is deployed.

A line that names the service is replaced in place, and kept as a comment after what replaces it: so the same files
come back by a change of their text alone, whatever else was rendered meanwhile.

Before a name comes back, it stands in its back end beside the pins, with the weight 0: it is resolved, and the next
process takes its addresses over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from stackctl.model.endpoints import Endpoint
from stackctl.proxies.haproxy.layout import SITES
from stackctl.proxies.proxy import Files, Pins

_MARK = "    # in place of: "
_LINE = re.compile(
    r"^    (?P<line>server-template (?P<name>s\d+)- \d+ (?P<host>[^\s:]+):(?P<port>\d+) (?P<more>.*))$", re.MULTILINE
)
_BESIDE = " weight 0 # beside"
_PINNED = re.compile(
    rf"^{_MARK}(?P<line>server-template .*)\n(?:    server pin.*\n|    server-template .*{_BESIDE}\n)*", re.MULTILINE
)
_PIN = re.compile(r"^    server pin\S+ (?P<address>\[[0-9a-fA-F:.]+\]|[0-9.]+):(?P<port>\d+)", re.MULTILINE)
_RESOLVES = ("resolvers docker ", "resolve-prefer ipv4 ", "init-addr last,none")


def pinned(files: Files, pins: Pins, *, beside: bool = False) -> dict[str, bytes]:
    """See :meth:`Proxy.pinned`."""
    return {path: _pinned(body, pins, beside=beside) if _is_generated(path) else body for path, body in files.items()}


def pins_in(files: Files) -> dict[str, dict[str, dict[int, int]]]:
    """Return the services that ``files`` have addresses in the place of, with these addresses."""
    found: dict[str, dict[str, dict[int, int]]] = {}
    for path, body in files.items():
        if not _is_generated(path) or _MARK.encode() not in body:
            continue
        for block in _PINNED.finditer(body.decode("utf-8", "replace")):
            line = _LINE.match(f"    {block['line']}")
            if line is None:
                continue
            addresses, written = found.setdefault(line["host"], {}), int(line["port"])
            for one in _PIN.finditer(block[0]):
                ports, own = addresses.setdefault(one["address"].strip("[]"), {}), int(one["port"])
                if own != written:
                    ports[written] = own
    return found


def _is_generated(path: str) -> bool:
    return path.startswith(f"{SITES}/") and path.endswith(".cfg")


def _pinned(body: bytes, pins: Pins, *, beside: bool) -> bytes:
    if _MARK.encode() not in body and not any(host.encode() in body for host in pins):
        return body
    text = _PINNED.sub(lambda one: f"    {one['line']}\n", body.decode("utf-8", "surrogateescape"))
    return _LINE.sub(lambda line: "\n".join(_replaced(line, pins, beside=beside)), text).encode(
        "utf-8", "surrogateescape"
    )


def _replaced(line: re.Match[str], pins: Pins, *, beside: bool) -> Iterator[str]:
    addresses = pins.get(line["host"])
    if not addresses:
        yield line[0]
        return
    port, more = int(line["port"]), line["more"]
    yield f"{_MARK}{line['line']}"
    for part in _RESOLVES:
        more = more.replace(part, "", 1)
    for number, (address, ports) in enumerate(addresses.items(), start=1):
        at = Endpoint(address, ports.get(port, port))
        yield f"    server pin{line['name']}-{number} {at} {more.strip()}".rstrip()
    if beside:
        yield f"{line[0].replace(' backup', '')}{_BESIDE}"
