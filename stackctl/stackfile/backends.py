"""Reads the backend of a block of the Compose file: its servers, and how requests are shared among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from stackctl.errors import InputError, StackfileError
from stackctl.model import balancing, values
from stackctl.model.backends import Backend, Canary, Server
from stackctl.model.balancing import Balance, HashKey, Sticky
from stackctl.model.endpoints import Endpoint
from stackctl.stackfile.balance_keys import CanaryKeys, StickyKeys, UpstreamKeys
from stackctl.stackfile.document import Document, Path
from stackctl.stackfile.health import active_check
from stackctl.stackfile.keys import checked
from stackctl.stackfile.schema import AppKeys, BalanceKeys, RouteKeys, ServiceKeys
from stackctl.stackfile.servers import Services, outside_server

_KEYS = ("balance", "hash", "sticky", "canary", "health")
_WITHOUT_BACKUP = (Balance.HASH, Balance.RANDOM)


def backend_of(
    doc: Document, path: Path, keys: BalanceKeys, servers: Sequence[Server], known: Services = None
) -> Backend:
    """Return the backend with ``servers`` of the block at ``path``.

    Raises:
        StackfileError: keys that contradict each other, or a wrong value.
    """
    balance = Balance.ROUND_ROBIN
    if keys.balance is not None:
        balance = checked(doc, (*path, "balance"), balancing.balance, keys.balance)
    hashed = _hash(doc, path, keys, balance)
    sticky = _sticky(doc, path, keys)
    if sticky is not None and balance is Balance.HASH:
        raise StackfileError(
            "'sticky' has no effect beside 'balance: hash'",
            where=doc.where_of((*path, "sticky")),
            hint="remove one of them: a cookie of the proxy keeps a client at one server, and so does a hash",
        )
    for number, server in enumerate(servers):
        if server.backup and balance in _WITHOUT_BACKUP:
            raise StackfileError(
                f"'balance: {balance}' has no backups",
                where=doc.where_of((*path, "upstreams", number, "backup")),
                hint="use round-robin or least-conn",
            )
    health = None
    if keys.health is not None:
        deploys = isinstance(keys, ServiceKeys)
        health = active_check(doc, (*path, "health"), keys.health, servers, deploys=deploys)
    return Backend(tuple(servers), balance, hashed, sticky, _canary(doc, path, keys.canary, servers, known), health)


def _canary(
    doc: Document, path: Path, keys: CanaryKeys | None, servers: Sequence[Server], known: Services
) -> Canary | None:
    if keys is None:
        return None
    place: Path = (*path, "canary")
    if known is not None and keys.service not in known:
        raise StackfileError(f"there is no service {keys.service}", where=doc.where_of((*place, "service")))
    service = checked(doc, (*place, "service"), values.service_name, keys.service)
    first = servers[0]
    if first.tls is not None and first.tls.verify and first.tls.name is None:
        raise StackfileError(
            "a canary has the certificate of the servers beside it, and their name",
            where=doc.where_of(place),
            hint="add 'upstream-tls' with the 'name' of their certificates, or with 'verify: false'",
        )
    server = replace(Server.of(service, keys.port, first.tls), speaks=first.speaks, where=doc.where_of(place))
    if any(one.endpoint == server.endpoint for one in servers):
        raise StackfileError(
            f"{server.endpoint} is both the canary and what it is compared with",
            where=doc.where_of(place),
            hint="name the service of the newer version, which runs beside the other",
        )
    cookie = keys.cookie
    return Canary(
        server,
        checked(doc, (*place, "percent"), balancing.percent, keys.percent),
        None if cookie is None else checked(doc, (*place, "cookie"), balancing.cookie_pair, cookie),
    )


def refuse_balance(doc: Document, path: Path, keys: BalanceKeys, needed: str) -> None:
    """Refuse the keys of a backend in a block that has none of its own."""
    for key in _KEYS:
        if getattr(keys, key):
            raise StackfileError(
                f"'{key}' applies to servers, and there is none here", where=doc.where_of((*path, key)), hint=needed
            )


def listed_servers(doc: Document, path: Path, keys: AppKeys | RouteKeys) -> tuple[Server, ...]:
    """Return the servers of the list ``upstreams`` of the block at ``path``.

    Raises:
        StackfileError: an item is wrong, or the list is.
    """
    items = [UpstreamKeys(address=one) if isinstance(one, str) else one for one in keys.upstreams or ()]
    if not items:
        raise StackfileError(
            "'upstreams' lists no server", where=doc.where_of((*path, "upstreams")), hint="add one: - 10.0.0.11:80"
        )
    servers = [_listed(doc, path, number, keys, item) for number, item in enumerate(items)]
    _refuse_mixed(doc, path, servers)
    if all(server.backup or server.drained for server in servers):
        drained = next((n for n, server in enumerate(servers) if server.drained), 0)
        key = "drain" if servers[drained].drained else "backup"
        raise StackfileError(
            f"every server is {'drained or a backup' if key == 'drain' else 'a backup'}, and none is left",
            where=doc.where_of((*path, "upstreams", drained, key)),
            hint="remove it from one of them; 'maintenance' closes a whole site",
        )
    return tuple(servers)


def _listed(doc: Document, path: Path, number: int, keys: AppKeys | RouteKeys, item: UpstreamKeys) -> Server:
    place: Path = (*path, "upstreams", number)
    is_text = isinstance(doc.data(place), str)
    server = outside_server(doc, path, keys, item.address, place if is_text else (*place, "address"))
    limit = item.max_connections
    if limit is not None:
        limit = checked(doc, (*place, "max-connections"), balancing.max_connections, limit)
    weight = checked(doc, (*place, "weight"), balancing.weight, item.weight)
    return replace(server, weight=weight, backup=item.backup, max_connections=limit, drained=item.drain)


def _refuse_mixed(doc: Document, path: Path, servers: Sequence[Server]) -> None:
    """Refuse servers that one route cannot pass requests to alike."""
    seen: dict[Endpoint, int] = {}
    for number, server in enumerate(servers):
        place = doc.where_of((*path, "upstreams", number))
        other = seen.setdefault(server.endpoint, number)
        if other != number:
            raise StackfileError(
                f"{server.endpoint} is listed twice",
                where=place,
                hint=f"see {doc.where_of((*path, 'upstreams', other))}; a 'weight' gives a server a larger share",
            )
        if (server.tls is None) is not (servers[0].tls is None):
            raise StackfileError(
                "servers of one route speak either HTTP or HTTPS",
                where=place,
                hint="write https:// before all of them, or before none",
            )
        tls = server.tls
        if tls is not None and tls.verify and tls.name is None and server.endpoint.host != servers[0].endpoint.host:
            raise StackfileError(
                "servers with different names share one certificate's name",
                where=place,
                hint="add 'upstream-tls' with the 'name' of their certificates, or with 'verify: false'",
            )


def _hash(doc: Document, path: Path, keys: BalanceKeys, balance: Balance) -> HashKey | None:
    if keys.hash is None:
        if balance is Balance.HASH:
            raise StackfileError(
                "'balance: hash' needs 'hash'",
                where=doc.where_of((*path, "balance")),
                hint="add 'hash: source', or uri, query:NAME, header:NAME or cookie:NAME",
            )
        return None
    key = checked(doc, (*path, "hash"), balancing.hash_key, keys.hash)
    if balance is not Balance.HASH:
        raise StackfileError(
            "'hash' applies to 'balance: hash'", where=doc.where_of((*path, "hash")), hint="add 'balance: hash'"
        )
    return key


def _sticky(doc: Document, path: Path, keys: BalanceKeys) -> Sticky | None:
    if keys.sticky is False:
        return None
    said = StickyKeys() if keys.sticky is True else keys.sticky
    place: Path = (*path, "sticky")
    name = checked(doc, (*place, "cookie"), balancing.cookie_name, said.cookie)
    age = said.max_age
    return Sticky(name, None if age is None else checked(doc, (*place, "max-age"), _age, age))


def _age(text: str) -> str:
    if values.seconds(text) < 1:
        raise InputError(f"{text!r} is shorter than a second")
    return text
