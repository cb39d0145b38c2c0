"""Check a name as a CA sees it: its DNS records, and what answers on port 80 of its addresses."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass

from stackctl.certs.ledger import Refusal
from stackctl.certs.policy import Rule
from stackctl.diagnose.caa import HTTP, Permission, permission
from stackctl.diagnose.cdn import cdn_of
from stackctl.diagnose.check import Check, ok, skipped, unknown, wrong
from stackctl.model.endpoints import HTTP_PORT, PortBinding
from stackctl.model.layout import CHALLENGES, MARKER_HOST, MARKER_PATH, WEBROOT
from stackctl.model.values import Domain
from stackctl.observed.network import Answer, Fetched, Lookup, Reach
from stackctl.wording import moment

_LOCAL = tuple(
    ipaddress.ip_network(text)
    for text in (
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
        *("::1/128", "fc00::/7", "fe80::/10"),
    )
)
"""Addresses that are not routed in the Internet: RFC 1918, 6598, 3927, 4193, 4291."""


@dataclass(frozen=True, slots=True)
class ProbeFile:
    """The one-time file in the webroot: a client must get ``text`` at ``path``."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class CaaFacts:
    """The relevant CAA records of a name (RFC 8659, section 3), found at ``at``: the name or one above it.

    ``method`` is how the CA validates the name, ``wild`` whether that is a wildcard.
    """

    lookup: Lookup
    at: str
    identities: tuple[str, ...] | None = None
    method: str = HTTP
    wild: bool = False

    @property
    def permission(self) -> Permission:
        """Whether they let the configured CA issue."""
        return permission(self.lookup.records, self.identities, self.method, wild=self.wild)


@dataclass(frozen=True, slots=True)
class NameFacts:
    """Facts about one name.

    Attributes:
        fetched: the answer of each address; None where nothing was fetched, for the reason in ``unfetched``.
        own: the addresses of this host.
        http: where the proxy is published; None without a proxy.
        generation: the live generation, which identifies the proxy to a client elsewhere.
        public: whether the configured CA is in the public Internet.
    """

    name: Domain
    v4: Lookup
    v6: Lookup
    caa: CaaFacts | None = None
    fetched: tuple[Fetched, ...] | None = None
    unfetched: str | None = None
    probe_file: ProbeFile | None = None
    own: frozenset[str] = frozenset()
    http: PortBinding | None = None
    generation: str | None = None
    public: bool = False

    @property
    def found(self) -> bool:
        """Whether the name has an address."""
        return bool(self.v4.records or self.v6.records)

    def reaches_proxy(self, fetched: Fetched) -> bool:
        """Whether the answer is the probe file, so that the request reached this stack's proxy."""
        return (
            self.probe_file is not None
            and fetched.status == 200
            and fetched.body.strip() == self.probe_file.text.encode()
        )

    def is_own(self, address: str) -> bool:
        """Whether ``address`` is an address of this host."""
        return address in self.own or ipaddress.ip_address(address).is_loopback

    def dead(self, fetched: Fetched) -> bool:
        """Whether no client, the CA included, can get an answer there."""
        # Where another port is published, a port forwarding of port 80 may apply to outside clients only.
        direct = self.http is not None and self.http.port == HTTP_PORT
        return (
            direct
            and not fetched.redirect
            and self.is_own(fetched.address)
            and fetched.reach in {Reach.REFUSED, Reach.SILENT, Reach.BROKEN}
        )


def judge_name(facts: NameFacts) -> list[Check]:
    """Return the checks of the name."""
    name = facts.name
    checks = [check for check in (_cname(facts), *_dns(facts)) if check is not None]
    if not facts.found:
        because = "no resolver answers" if facts.v4.answer is Answer.SILENT else "the name has no address"
        return [*checks, *skipped(("caa", "reach"), because, name)]
    if facts.caa is not None:
        checks.append(judge_caa(name, facts.caa))
    if facts.fetched is None:
        checks += skipped(("reach",), facts.unfetched or "there is no stack here", name)
    else:
        checks += [_reach(facts, fetched) for fetched in facts.fetched]
    return checks


def _cname(facts: NameFacts) -> Check | None:
    lookup = max(facts.v4, facts.v6, key=lambda one: (one.loop, len(one.chain)))
    if lookup.loop:
        chain = " → ".join((facts.name, *lookup.chain))
        return wrong("cname", f"its CNAME records form a loop: {chain}", "correct one of them", facts.name)
    if not lookup.chain:
        return None
    chain = " → ".join(lookup.chain)
    if not facts.found and {facts.v4.answer, facts.v6.answer} & {Answer.NO_NAME, Answer.EMPTY}:
        todo = f"correct the CNAME record, or give {lookup.chain[-1]} an A record"
        return wrong("cname", f"it is an alias of {chain}, which has no address", todo, facts.name)
    return ok("cname", f"it is an alias of {chain}", facts.name)


def _dns(facts: NameFacts) -> Iterator[Check]:
    name, v4, v6 = facts.name, facts.v4, facts.v6
    answers = {v4.answer, v6.answer}
    if facts.found and facts.public and all(map(_is_local, _all(facts))):
        text = f"this host's resolver gives {', '.join(_all(facts))}, which no public CA can reach"
        todo = f"check with a public resolver: STACKCTL_RESOLVER=9.9.9.9 stackctl doctor {name}"
        yield unknown("dns", text, todo, name)
    elif facts.found:
        yield ok("dns", f"it resolves to {', '.join(_all(facts))}", name)
    elif v4.loop or v6.loop or (v4.chain and Answer.FAILED not in answers):
        yield from skipped(("dns",), "its CNAME records lead to no address", name)
    elif Answer.SILENT in answers:
        yield unknown("dns", "no resolver answers", f"from another network: dig A {name}", name)
    elif Answer.FAILED in answers:
        todo = f"contact the operator of its DNS servers; check DNSSEC at https://dnsviz.net/d/{name}/"
        yield wrong("dns", "its DNS servers fail (SERVFAIL)", todo, name)
    else:
        text = "the name does not exist" if Answer.NO_NAME in answers else "the name has no A or AAAA record"
        yield wrong("dns", text, "create an A record for it with this host's public address", name)


def _is_local(address: str) -> bool:
    ip = ipaddress.ip_address(address)
    return any(ip in network for network in _LOCAL if network.version == ip.version)


def _all(facts: NameFacts) -> tuple[str, ...]:
    return (*facts.v4.records, *facts.v6.records)


def judge_caa(name: Domain, caa: CaaFacts) -> Check:
    """Check whether the CAA records of a name let the CA issue."""
    lookup = caa.lookup
    if lookup.answer is Answer.FAILED:
        todo = f"contact the operator of the DNS servers of {caa.at}: a CA does not issue without an answer"
        text = f"the CAA records of {caa.at} cannot be looked up: its DNS servers fail (SERVFAIL)"
        return wrong("caa", text, todo, name)
    if lookup.answer is Answer.SILENT:
        return unknown("caa", "no resolver answers", f"from another network: dig CAA {caa.at}", name)
    if not lookup.records:
        return ok("caa", "no CAA record restricts who may issue", name)
    found = caa.permission
    text = f"CAA of {caa.at}: {found.reason}"
    if found.allowed is None:
        return unknown("caa", text, f"compare 'dig CAA {caa.at}' with the CAA identity of your CA", name)
    if found.allowed:
        return ok("caa", text, name)
    by = caa.identities[0] if caa.identities else "the CA"
    return wrong("caa", text, f'add a record to {caa.at}: CAA 0 issue "{by}"', name)


def _reach(facts: NameFacts, fetched: Fetched) -> Check:
    if facts.reaches_proxy(fetched):
        return ok("reach", _reached(facts, fetched), facts.name)
    if fetched.reach is Reach.ANSWERED:
        return _other_server(facts, fetched)
    return _no_answer(facts, fetched)


def _reached(facts: NameFacts, fetched: Fetched) -> str:
    owner = "an address of this host" if facts.is_own(fetched.address) else "not an address of this host"
    cdn = cdn_of(fetched.address, fetched.headers)
    if cdn:
        owner = f"{cdn}, which passes the challenge on"
    via = f", after a redirect to {fetched.redirect}" if fetched.redirect else ""
    return f"port 80 of {fetched.address} ({owner}) reaches this proxy{via}"


def _other_server(facts: NameFacts, fetched: Fetched) -> Check:
    name, address = facts.name, fetched.address
    cdn = cdn_of(address, fetched.headers)
    if cdn:
        text = f"port 80 of {address} is {cdn}, which does not pass the challenge on (status {fetched.status})"
        todo = f"switch {cdn} to 'DNS only' for the name, or configure it to pass /{CHALLENGES}/ on unchanged"
        return wrong("reach", text, todo, name)
    if fetched.redirect:
        text = f"port 80 of {address} redirects the challenge to {fetched.redirect}, which answers {fetched.status}"
        return wrong("reach", text, f"exclude /{CHALLENGES}/ from that redirect", name)
    server = fetched.headers.get("server", "")
    answer = f"{server}, status {fetched.status}" if server else f"status {fetched.status}"
    family = "AAAA" if ":" in address else "A"
    todo = f"point the {family} record to this host's public address, or forward port 80 of {address} to this host"
    return wrong("reach", f"another server answers on port 80 of {address} ({answer})", todo, name)


def _no_answer(facts: NameFacts, fetched: Fetched) -> Check:
    name, address = facts.name, fetched.address
    is_ipv6 = ":" in address
    text = f"port 80 of {address}: {fetched.reach.value}"
    if fetched.redirect:
        text = f"port 80 of {address} redirects the challenge to {fetched.redirect}: {fetched.reach.value}"
    if facts.dead(fetched):
        todo = f"point the record to the address where the proxy is published ({facts.http}), or publish it there too"
        return wrong("reach", f"{text}; the address belongs to this host", todo, name)
    ipv4 = [one for one in facts.fetched or () if facts.reaches_proxy(one) and ":" not in one.address]
    if is_ipv6 and ipv4 and fetched.reach is not Reach.NO_ROUTE:
        todo = f"remove the AAAA record, or make this host answer at {address}: CAs and browsers prefer IPv6"
        return wrong("reach", f"{text}, but the address of the A record answers", todo, name)
    if facts.http is not None and facts.http.port != HTTP_PORT:
        text += f"; a CA connects to port 80, but the proxy is published on {facts.http}"
    if fetched.reach is not Reach.NO_ROUTE:
        text += "; the router may not support hairpin NAT"
    return unknown("reach", text, _from_elsewhere(facts, address), name)


def _from_elsewhere(facts: NameFacts, address: str) -> str:
    """Return the command that makes the check from another network."""
    at = f"[{address}]" if ":" in address else address
    if facts.generation is None:
        url = f"http://{facts.name}/{CHALLENGES}/test"
        return f"from another network: curl -i {url} (expect a 404 of the proxy)"
    return f"from another network: curl -H 'Host: {MARKER_HOST}' http://{at}{MARKER_PATH} (expect {facts.generation})"


def judge_challenge(probe_file: ProbeFile, fetched: Fetched, at: PortBinding) -> Check:
    """Check whether the proxy serves the HTTP-01 challenge path on its published port."""
    if fetched.status == 200 and fetched.body.strip() == probe_file.text.encode():
        return ok("challenge", f"the proxy serves challenges on {at}")
    answer = f"status {fetched.status}" if fetched.reach is Reach.ANSWERED else fetched.reach.value
    text = f"the proxy on {at} does not serve challenges from {WEBROOT.path}: {answer}"
    todo = f"check that your own proxy files do not handle /{CHALLENGES}/, and that {WEBROOT.path} is mounted"
    return wrong("challenge", text, todo)


def judge_limits(subject: Domain, rule: Rule | None, refusal: Refusal | None, *, needed: bool) -> Check:
    """Check whether a rule of the CA, or a rate limit by the ledger, forbids a certificate for the names."""
    if rule is not None and needed:
        return wrong("limits", rule.text, rule.todo, subject)
    if refusal is None:
        return ok("limits", "no known rate limit applies", subject)
    until = moment(refusal.until)
    if not needed:
        return ok("limits", f"{refusal.reason} until {until}, but no certificate is needed now", subject)
    todo = f"wait until {until}; to test, use another stack made by 'stackctl init --ca letsencrypt-staging'"
    return wrong("limits", f"{refusal.reason}", todo, subject)
