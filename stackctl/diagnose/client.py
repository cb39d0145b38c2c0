"""Say where the address of a client comes from: the hop of what is in front of the proxy."""

from __future__ import annotations

from stackctl.diagnose.check import Verdict
from stackctl.diagnose.hops import Hop, HopKind
from stackctl.model.edge import Behind
from stackctl.wording import listed


def client_hops(behind: Behind | None) -> list[Hop]:
    """Return the hop; none where clients connect to the proxy themselves."""
    if behind is None:
        return []
    text = "nobody in front is trusted: the address of a client is that of its connection"
    if behind.trusted:
        known = {network for one in behind.published for network in one.networks}
        own = [str(network) for network in behind.trusted if network not in known]
        peers = listed([*(one.operator for one in behind.published), *own], 3)
        said = behind.client_ip.header or "the PROXY protocol"
        text = f"the address is that of the connection; that in {said} if it comes from {peers}"
    if behind.terminated:
        text = f"{text}; TLS ends in front of the proxy"
    return [Hop(HopKind.CLIENT, Verdict.OK, text, behind.where)]
