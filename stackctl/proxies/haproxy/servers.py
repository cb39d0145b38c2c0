"""HAProxy: the servers of a back end, and how requests are shared among them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from stackctl.model.backends import Backend, Server, Speaks
from stackctl.model.balancing import Balance, HashKind
from stackctl.model.health import ActiveCheck
from stackctl.model.layout import site_file
from stackctl.model.routing import Site
from stackctl.proxies.custom import cas_in, cas_of
from stackctl.proxies.haproxy.layout import CUSTOM, SITES
from stackctl.proxies.haproxy.quoting import word
from stackctl.proxies.haproxy.units import milliseconds, time
from stackctl.proxies.proxy import Files

SLOTS = 3
"""Containers of one service that get requests: each costs 4.4 KB, whether it is there or not."""

_BALANCE = {
    Balance.ROUND_ROBIN: "roundrobin",
    Balance.LEAST_CONN: "leastconn",
    Balance.RANDOM: "random(2)",
}
_HASHED = {
    HashKind.SOURCE: "source",
    HashKind.URI: "uri whole",
    HashKind.QUERY: "url_param {}",
    HashKind.HEADER: "hdr({})",
    HashKind.COOKIE: "hash req.cook({})",
}


def server_lines(site: Site, backend: Backend, servers: Sequence[Server], hosts: frozenset[str]) -> Iterator[str]:
    """Yield the lines of the servers of a back end; ``hosts`` are those that the container knows by itself."""
    if len(servers) > 1 or backend.sticky or backend.hash or backend.balance is not Balance.ROUND_ROBIN:
        yield from _balance_lines(backend)
    if backend.health is not None:
        yield from _check_lines(site, backend.health)
    for number, server in enumerate(servers, start=1):
        words = list(_parameters(site, server))
        # The body of an answer of gRPC's health protocol would have to be read.
        asked = backend.health if server.speaks is not Speaks.GRPC else None
        words += _check_words(server, asked) if asked else ()
        if server.is_resolved and server.endpoint.host not in hosts:
            words = ["resolvers docker", "resolve-prefer ipv4", "init-addr last,none", *words]
            # The names of the servers are s1-1, s1-2, …
            yield " ".join([f"server-template s{number}- {SLOTS} {server.endpoint}", *words])
        else:
            words = ["init-addr last,libc,none", *words] if server.is_resolved else words
            yield " ".join([f"server s{number} {server.endpoint}", *words])


def _balance_lines(backend: Backend) -> Iterator[str]:
    key = backend.hash
    if backend.balance is Balance.HASH and key is not None:
        yield f"balance {_HASHED[key.kind].format(key.name)}"
        # A server that goes takes only its own clients along.
        yield "hash-type consistent"
    else:
        yield f"balance {_BALANCE[backend.balance]}"
    if backend.sticky is not None:
        age = f' attr "Max-Age={_seconds(backend.sticky.max_age)}"' if backend.sticky.max_age else ""
        yield (
            f'cookie {backend.sticky.cookie} insert indirect nocache httponly secure attr "SameSite=Lax"{age} dynamic'
        )
        # Equal on every host: the cookie of a server is a hash of its address with this word.
        yield "dynamic-cookie-key stackctl"


def _seconds(text: str) -> int:
    return milliseconds(text) // 1000


def _parameters(site: Site, server: Server) -> Iterator[str]:
    if server.drained:
        yield "weight 0"
    elif server.weight != 1:
        yield f"weight {server.weight}"
    if server.backup:
        yield "backup"
    if server.max_connections is not None:
        yield f"maxconn {server.max_connections}"
    if server.speaks is not Speaks.HTTP:
        yield "alpn h2" if server.tls else "proto h2"
    tls = server.tls
    if tls is None:
        return
    name = tls.name or server.endpoint.host
    yield f"ssl sni str({name})"
    if not tls.verify:
        yield "verify none"
        return
    yield f"verify required verifyhost {name} ca-file {_ca_name(site, tls.ca) if tls.ca else '@system-ca'}"


def _check_lines(site: Site, health: ActiveCheck) -> Iterator[str]:
    check = health.check
    yield "option httpchk"
    # No server knows the name of a wildcard itself.
    host = site.name.replace("*", "www")
    yield f"http-check send meth GET uri {word(check.path)} ver HTTP/1.1 hdr Host {host} hdr Connection close"
    yield f"http-check expect status {','.join(check.ranges)}"
    yield f"timeout check {time(f'{int(check.timeout * 1000)}ms')}"


def _check_words(server: Server, health: ActiveCheck) -> Iterator[str]:
    yield f"check inter {health.every}s fall {health.fall} rise {health.rise}"
    if server.tls is not None:
        yield f"check-sni {server.tls.name or server.endpoint.host}"


def _ca_name(site: Site, ca: str) -> str:
    return f"{site_file(site.name)}.ca{cas_of(site).index(ca) + 1}"


def ca_files(site: Site, custom: Files) -> dict[str, bytes]:
    """Return the copies of the user's files of root certificates that the servers of a site need.

    Raises:
        InputError: a file does not exist.
    """
    found = cas_in(custom, site, CUSTOM)
    return {f"{SITES}/{_ca_name(site, name)}": content for name, content in found.items()}
