"""``stackctl init --behind``: the key ``behind`` for load balancers and CDNs that are often used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stackctl.errors import InputError
from stackctl.model import edge
from stackctl.model.edge import ClientIp, Front

HEALTH = "/healthz"


_KEYS: Mapping[Front, Mapping[str, str | bool]] = {
    # An Application Load Balancer terminates TLS, and says in X-Forwarded-Proto how visitors came.
    Front.ALB: {"tls": "terminated", "redirect": True, "health": HEALTH},
    # Cloudflare in its mode "Full (strict)" opens a TLS connection of its own.
    Front.CLOUDFLARE: {"client-ip": ClientIp.CF_CONNECTING_IP.value},
    # A Network Load Balancer passes TCP on, with the PROXY protocol in front.
    Front.NLB: {"client-ip": ClientIp.PROXY_PROTOCOL.value, "health": HEALTH},
}


def behind_keys(front: Front | None, trusted: Sequence[str]) -> dict[str, str | bool | list[str]] | None:
    """Return the keys of ``behind``; None for nothing in front.

    Raises:
        InputError: whom to trust is not known, or not a network.
    """
    if front is None:
        if trusted:
            raise InputError("a network is trusted only where something is in front", field="trusted")
        return None
    for one in trusted:
        try:
            edge.trusted(one)
        except InputError as error:
            raise error.of("trusted") from None
    believed = [*(["cloudflare"] if front is Front.CLOUDFLARE else []), *trusted]
    if not believed:
        raise InputError(
            f"the networks of the {front.upper()} are needed: nobody is trusted by default",
            field="trusted",
            hint="name those of its subnets, such as 10.0.0.0/16",
        )
    return {**_KEYS[front], "trusted": list(dict.fromkeys(believed))}
