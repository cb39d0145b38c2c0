"""Names that several servers have: nginx uses the first server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from stackctl.adopt.nginx_conf import Listen, ServerBlock


def without_conflicts(servers: Sequence[ServerBlock]) -> tuple[tuple[ServerBlock, ...], list[tuple[ServerBlock, str]]]:
    """Return the servers with the names that nginx selects them by, and each ignored name with its server.

    Of two servers with the same name at the same place, nginx uses the first.
    """
    taken: set[tuple[tuple[str, int, bool], str]] = set()
    kept: list[ServerBlock] = []
    ignored: list[tuple[ServerBlock, str]] = []
    for server in servers:
        names: dict[frozenset[tuple[str, int, bool]], list[str]] = {}
        for name in dict.fromkeys(server.names):
            places = frozenset(one.place for one in server.listens if (one.place, name) not in taken)
            taken |= {(place, name) for place in places}
            if places:
                names.setdefault(places, []).append(name)
            else:
                ignored.append((server, name))
        default = any(listen.default for listen in server.listens)
        if not server.names or (not names and default):
            kept.append(replace(server, names=()))
        kept += [_at_places(server, places, tuple(own)) for places, own in names.items()]
    return tuple(kept), ignored


def _at_places(server: ServerBlock, places: frozenset[tuple[str, int, bool]], names: tuple[str, ...]) -> ServerBlock:
    """Return a server for some of its names, at some of the places where it listens."""
    listens = tuple(listen for listen in server.listens if listen.place in places)
    if len(listens) == len(server.listens):
        return replace(server, names=names)
    block = [one for one in server.whole.inner if one.name != "listen" or Listen.of(one).place in places]
    return replace(server, names=names, listens=listens, whole=server.whole.with_block(block))
