"""Check what is in front of the proxy: whether it is believed, speaks the right protocol, and would call it healthy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from stackctl.diagnose.check import Check, ok, unknown, wrong
from stackctl.model.edge import Behind
from stackctl.model.published import LISTS
from stackctl.proxies.trace import Misspoken
from stackctl.wording import listed

OLD = timedelta(days=365)
"""Published lists change once in years."""

_HEALTHY, _DRAINED = 200, 503

_MISSPOKEN = {
    Misspoken.TLS_TO_HTTP: (
        "sends TLS to the port for plain HTTP",
        "let it speak HTTP to that port, or use the port for HTTPS",
    ),
    Misspoken.HTTP_TO_HTTPS: (
        "sends plain HTTP to the port for HTTPS",
        "let it speak HTTPS to that port, or write 'tls: terminated' and use the port for HTTP",
    ),
    Misspoken.PROXY_UNEXPECTED: (
        "sends the PROXY protocol, which is not expected",
        "write 'client-ip: proxy-protocol' into 'behind', or turn the PROXY protocol off there",
    ),
    Misspoken.PROXY_MISSING: (
        "sends no PROXY protocol, which 'client-ip' expects",
        "turn the PROXY protocol on there, or remove 'client-ip: proxy-protocol'",
    ),
}


@dataclass(frozen=True, slots=True)
class EdgeFacts:
    """Facts about what is in front of the proxy.

    Attributes:
        cdns: the operator of the addresses that names have, for those with a published list.
        limited: the names whose requests are limited by client.
        misspoken: how often a peer spoke another protocol than its port, in the last lines of the log.
        running: whether the proxy's container runs.
        health: the status of the health path for a host that no site has, of ``/`` without one; None without an answer.
        drained: whether this host is in maintenance.
        at: where visitors' requests arrive.
    """

    behind: Behind | None
    today: date
    at: str = ""
    cdns: Mapping[str, str] = field(default_factory=dict)
    limited: frozenset[str] = frozenset()
    misspoken: Mapping[tuple[str, Misspoken], int] = field(default_factory=dict)
    running: bool = True
    health: int | None = None
    drained: bool = False


def judge_edge(facts: EdgeFacts) -> list[Check]:
    """Return the checks; none for a stack to which clients connect themselves."""
    return [*_cdns(facts), *(_balancer(facts, facts.behind) if facts.behind is not None else ())]


def _cdns(facts: EdgeFacts) -> Iterator[Check]:
    """Yield whether the CDNs that names lead to are trusted."""
    trusted = {LISTS[name].operator for name in (facts.behind.lists if facts.behind else ())}
    for operator in sorted(set(facts.cdns.values())):
        names = listed([name for name, found in facts.cdns.items() if found == operator], 3)
        if operator in trusted:
            yield ok("trusted", f"{names}: requests of {operator} have the address of the client")
            continue
        word = next(word for word, one in LISTS.items() if one.operator == operator)
        shared = any(found == operator and name in facts.limited for name, found in facts.cdns.items())
        more = ", and all clients share one limit of requests" if shared else ""
        yield wrong(
            "trusted",
            f"{names} leads to {operator}, which is not trusted: apps see its addresses instead of the clients'{more}",
            f"write 'behind: {{trusted: [{word}], client-ip: cf-connecting-ip}}' into x-stackctl",
        )


def _balancer(facts: EdgeFacts, behind: Behind) -> Iterator[Check]:
    yield from _protocol(facts, behind)
    if facts.running:
        yield from _health(facts, behind)
    for one in behind.published:
        age = facts.today - one.dated
        if age > OLD:
            yield wrong(
                "published-list",
                f"the list of {one.operator}'s addresses dates from {one.dated}",
                f"upgrade stackctl, or write what {' and '.join(one.urls)} have into 'trusted'",
            )
        else:
            yield ok("published-list", f"the list of {one.operator}'s addresses dates from {one.dated}")
        yield unknown(
            "around-cdn",
            f"whether {facts.at} is reached around {one.operator} is seen only from elsewhere",
            f"run elsewhere: curl -kI --connect-timeout 5 https://ADDRESS-OF-THIS-HOST; if it answers, let a firewall"
            f" pass only {one.operator}'s networks",
        )


def _protocol(facts: EdgeFacts, behind: Behind) -> Iterator[Check]:
    found = {kind: [peer for peer, one in facts.misspoken if one is kind and behind.trusts(peer)] for kind in Misspoken}
    for kind, peers in found.items():
        if peers:
            what, todo = _MISSPOKEN[kind]
            times = sum(facts.misspoken[peer, kind] for peer in peers)
            text = f"the load balancer at {listed(sorted(peers), 3)} {what}: {times} times in the last lines of the log"
            yield wrong("balancer-protocol", text, todo)
    if not any(found.values()):
        yield ok("balancer-protocol", "no trusted peer spoke another protocol than its port")


def _health(facts: EdgeFacts, behind: Behind) -> Iterator[Check]:
    if behind.health is None:
        # A CDN asks for nothing but what visitors do.
        if not behind.lists:
            shown = "gets no answer" if facts.health is None else f"gets {facts.health}"
            yield wrong(
                "balancer-health",
                f"a load balancer that asks '/' of this host's address {shown}, and would call it unhealthy",
                "write 'health: /healthz' into 'behind', and let the load balancer ask that path",
            )
        return
    path = behind.health.text
    if facts.drained:
        todo = "'stackctl maintenance host off' ends it"
        yield wrong("balancer-health", f"{path} answers {facts.health or _DRAINED}: this host is in maintenance", todo)
    elif facts.health == _HEALTHY:
        yield ok("balancer-health", f"{path} answers 200 for any host")
    else:
        shown = "gets no answer" if facts.health is None else f"answers {facts.health}"
        yield wrong("balancer-health", f"{path} {shown}: a load balancer leaves this host out", "run 'stackctl up'")
