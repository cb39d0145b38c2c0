"""What stands between clients and the proxy: a load balancer or a CDN, and what it is believed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from stackctl.errors import InputError
from stackctl.model import match_values
from stackctl.model.matching import Network, PathMatch, as_few, is_within
from stackctl.model.published import LISTS, PublishedList
from stackctl.spelling import nearest

_WIDEST = {4: 8, 6: 7}
"""The shortest prefixes that are believed: 10.0.0.0/8, and fc00::/7 of the private addresses of IPv6 (RFC 4193)."""

_HEALTH = re.compile(r"/[A-Za-z0-9._~/-]{1,100}\Z")


PROBE = "stackctl-explain"
"""The User-Agent of stackctl's own requests, which stand for those of a visitor over HTTPS: they are not redirected."""


class ClientIp(StrEnum):
    """Where a trusted peer says whose request it passes on."""

    X_FORWARDED_FOR = "x-forwarded-for"
    CF_CONNECTING_IP = "cf-connecting-ip"
    PROXY_PROTOCOL = "proxy-protocol"

    @property
    def header(self) -> str | None:
        """The header; None if it stands before the request itself (HAProxy's PROXY protocol, version 1 or 2)."""
        return _HEADERS.get(self)


_HEADERS = {ClientIp.X_FORWARDED_FOR: "X-Forwarded-For", ClientIp.CF_CONNECTING_IP: "CF-Connecting-IP"}


class Front(StrEnum):
    """A load balancer or a CDN whose ways are known."""

    ALB = "alb"
    CLOUDFLARE = "cloudflare"
    NLB = "nlb"


@dataclass(frozen=True, slots=True)
class Behind:
    """A load balancer or a CDN in front of the proxy.

    The address of a client, for logs, rules, limits and apps, is what a trusted peer says in ``client_ip``; that of the
    connection itself for every other peer.

    Attributes:
        trusted: the networks of the peers that are believed, each once; empty for none.
        lists: the published lists that are among them, by their names.
        terminated: whether TLS ends there, so that the proxy speaks plain HTTP only and needs no certificate.
        redirect: whether the proxy redirects visitors who use plain HTTP to HTTPS.
        health: the path that answers 200 for any host while this host takes requests; None if there is none.
        where: ``file:line`` of its definition.
    """

    trusted: tuple[Network, ...] = ()
    lists: tuple[str, ...] = ()
    client_ip: ClientIp = ClientIp.X_FORWARDED_FOR
    terminated: bool = False
    redirect: bool = False
    health: PathMatch | None = None
    where: str = ""

    @property
    def published(self) -> tuple[PublishedList, ...]:
        """The published lists that are trusted."""
        return tuple(LISTS[name] for name in self.lists)

    @property
    def says_scheme(self) -> bool:
        """Whether a trusted peer reads requests, and so says by which scheme a visitor came."""
        return self.client_ip.header is not None

    @property
    def framed(self) -> bool:
        """Whether each connection begins with the PROXY protocol."""
        return self.client_ip is ClientIp.PROXY_PROTOCOL

    def trusts(self, address: str) -> bool:
        """Return whether a peer is believed."""
        return is_within(match_values.network(address), self.trusted)


def trusted(text: str) -> tuple[Network, ...]:
    """Return the networks of a published list, or the one that ``text`` is.

    Raises:
        InputError: it is neither, or so wide that it contains clients.
    """
    if text in LISTS:
        return LISTS[text].networks
    if re.fullmatch(r"[A-Za-z_-]+", text):
        near = nearest(text, LISTS)
        hint = f"did you mean {near!r}?" if near else f"the lists are: {', '.join(LISTS)}; or write a network"
        raise InputError(f"there is no published list {text!r}", hint=hint)
    network = match_values.network(text)
    if network.prefixlen < _WIDEST[network.version]:
        raise InputError(
            f"{text} contains clients, and what they say about themselves would be believed",
            hint="write the networks of the load balancer, such as 10.0.0.0/16",
        )
    return (network,)


def merged(networks: Iterable[Network]) -> tuple[Network, ...]:
    """Return the same addresses in as few networks as possible, in their order.

    Raises:
        InputError: together they are so wide that they contain clients.
    """
    found = as_few(networks)
    for one in found:
        if one.prefixlen < _WIDEST[one.version]:
            raise InputError(
                f"together they are {one}, which contains clients",
                hint="write the networks of the load balancer, such as 10.0.0.0/16",
            )
    return found


def health_path(text: str) -> PathMatch:
    """Return ``text`` as the path that a load balancer asks."""
    if not text.startswith("/"):
        raise InputError(f"{text!r} is not a path", hint="write it from its first slash on, such as /healthz")
    if text == "/":
        raise InputError("'/' is the page of every site", hint="write a path of its own, such as /healthz")
    path = match_values.exact_path(text)
    if not _HEALTH.match(text) or text.endswith("/"):
        raise InputError(f"{text!r} has characters that health checks do not use", hint="write one such as /healthz")
    return path
