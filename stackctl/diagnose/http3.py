"""Judges HTTP/3: whether what ``Alt-Svc`` promises is there."""

from __future__ import annotations

from stackctl.diagnose.check import Check, unknown, wrong
from stackctl.model.http3 import Http3
from stackctl.model.values import Domain

NAME = "http3"


def judge_http3(http3: Http3, name: Domain | None, *, answers: bool) -> Check:
    """Return whether browsers can use HTTP/3; ``answers`` is whether the UDP port does on this host.

    What is between this host and visitors may drop UDP, which only they can see.
    """
    if not answers:
        return wrong(
            NAME,
            f"nothing speaks HTTP/3 at the UDP port {http3.at}, which every site names to browsers",
            "run 'stackctl up', which publishes it; a firewall of this host must accept UDP there. Or remove the key"
            f" at {http3.where}",
        )
    address = f"https://{name or 'DOMAIN'}{'' if http3.at.port == 443 else f':{http3.at.port}'}/"
    return unknown(
        NAME,
        f"the UDP port {http3.at} speaks HTTP/3 on this host; whether UDP gets through to it is seen elsewhere only",
        f"run 'curl --http3-only -sI {address}' on another machine; without an answer, let the firewall in front accept"
        f" UDP to port {http3.at.port}",
    )
