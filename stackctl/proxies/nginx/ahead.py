"""nginx: live files in which the names of the next ones stand already, so that they are resolved before they are used.

nginx takes the addresses of a name over at a reload only if a group of the same name had it before. Else it resolves
the name first, and its new workers answer 502 until then.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from stackctl.proxies.nginx.pins import is_pinned, server_down
from stackctl.proxies.proxy import Files

_GROUP = re.compile(r"^upstream (?P<name>\S+) \{\n(?P<body>(?:[ \t].*\n)*)\}\n\n?", re.MULTILINE)
_SERVER = re.compile(r"^[ \t]+server (?P<at>[^\s;]+)(?P<more>(?: [^\s;]+)* ?resolve(?: [^\s;]+)*);\n", re.MULTILINE)


def announced(live: Files, wanted: Files) -> dict[str, bytes]:
    """See :meth:`Proxy.announced`."""
    found = dict(live)
    for path, body in wanted.items():
        there = live.get(path)
        if there is not None and there != body and b"upstream " in body and not is_pinned(there):
            text = _announced(there.decode("utf-8", "surrogateescape"), body.decode("utf-8", "surrogateescape"))
            found[path] = text.encode("utf-8", "surrogateescape")
    return found


def _announced(live: str, wanted: str) -> str:
    groups = {group["name"]: group["body"] for group in _GROUP.finditer(live)}
    new = {group["name"]: group["body"] for group in _GROUP.finditer(wanted)}
    added = {name: body for name, body in new.items() if name not in groups and _SERVER.search(body)}

    def with_names(group: re.Match[str]) -> str:
        names = {server["at"] for server in _SERVER.finditer(group["body"])}
        lines = "".join(_down(new.get(group["name"], ""), names))
        last = max(
            (server.end() for server in re.finditer(r"^[ \t]+server .*\n", group["body"], re.MULTILINE)), default=0
        )
        at = group.start("body") - group.start() + last
        return f"{group[0][:at]}{lines}{group[0][at:]}"

    return "".join(f"upstream {name} {{\n{body}}}\n\n" for name, body in added.items()) + _GROUP.sub(with_names, live)


def _down(body: str, known: set[str]) -> Iterator[str]:
    """Yield the servers of a group that it does not have yet, as ones that get no request."""
    for server in _SERVER.finditer(body):
        if server["at"] not in known:
            yield f"    {server_down(server['at'], server['more'].split())}\n"
