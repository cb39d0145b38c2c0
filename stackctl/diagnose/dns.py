"""One name as a CA sees it: its records, and what answers at its addresses on port 80."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass

from stackctl.certs.ledger import Refusal
from stackctl.diagnose.caa import Permission, permission
from stackctl.diagnose.cdn import cdn_of
from stackctl.diagnose.check import Check, ok, skipped, unknown, wrong
from stackctl.model.endpoints import HTTP_PORT, PortBinding
from stackctl.model.layout import CHALLENGES, MARKER_HOST, MARKER_PATH, WEBROOT
from stackctl.model.values import Domain
from stackctl.observed.network import Answer, Fetched, Lookup, Reach
from stackctl.wording import moment

"""Where CAs come for HTTP-01 (RFC 8555, section 8.3), wherever the proxy is published."""

_LOCAL = tuple(
    ipaddress.ip_network(text)
    for text in (
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
        *("::1/128", "fc00::/7", "fe80::/10"),
    )
)
"""Addresses that lead somewhere else from everywhere: RFC 1918, 6598, 3927, 4193, 4291."""


@dataclass(frozen=True, slots=True)
class ProbeFile:
    """What a client must get for the challenge path: ``text`` at ``path``."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class CaaFacts:
    """The relevant CAA records of a name (RFC 8659, section 3): found at ``at``, itself or above."""

    lookup: Lookup
    at: str
    identities: tuple[str, ...] | None = None

    @property
    def permission(self) -> Permission:
        """What they say of the CA in use."""
        return permission(self.lookup.records, self.identities)


@dataclass(frozen=True, slots=True)
class NameFacts:
    """What was found of one name.

    Attributes:
        fetched: what each address gave; None where nothing was fetched, ``unfetched`` says why.
        own: the addresses of this host.
        http: where the proxy is published; None without one.
        generation: the generation that is live, by which the proxy can be told from elsewhere.
        public: the CA in use is out in the Internet.
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
        """Whether it has an address."""
        return bool(self.v4.records or self.v6.records)

    def led_here(self, fetched: Fetched) -> bool:
        """Whether what came was this stack's own file."""
        return (
            self.probe_file is not None
            and fetched.status == 200
            and fetched.body.strip() == self.probe_file.text.encode()
        )

    def is_own(self, address: str) -> bool:
        """Whether ``address`` is one of this host's."""
        return address in self.own or ipaddress.ip_address(address).is_loopback

    def dead(self, fetched: Fetched) -> bool:
        """Whether nobody, the CA included, can get an answer there."""
        # Where another port is published, a redirection of port 80 may be for outsiders alone.
        direct = self.http is not None and self.http.port == HTTP_PORT
        return (
            direct
            and not fetched.redirect
            and self.is_own(fetched.address)
            and fetched.reach in {Reach.REFUSED, Reach.SILENT, Reach.BROKEN}
        )


def judge_name(facts: NameFacts) -> list[Check]:
    """The name's checks."""
    name = facts.name
    checks = [check for check in (_cname(facts), *_dns(facts)) if check is not None]
    if not facts.found:
        because = "no resolver answers" if facts.v4.answer is Answer.SILENT else "the name has no address"
        return [*checks, *skipped(("caa", "reach"), because, name)]
    if facts.caa is not None:
        checks.append(_caa(facts, facts.caa))
    if facts.fetched is None:
        checks += skipped(("reach",), facts.unfetched or "there is no stack here", name)
    else:
        checks += [_reach(facts, fetched) for fetched in facts.fetched]
    return checks


def _cname(facts: NameFacts) -> Check | None:
    lookup = max(facts.v4, facts.v6, key=lambda one: (one.loop, len(one.chain)))
    if lookup.loop:
        told = " → ".join((facts.name, *lookup.chain))
        return wrong("cname", f"its CNAME records lead in a circle: {told}", "correct one of them", facts.name)
    if not lookup.chain:
        return None
    told = " → ".join(lookup.chain)
    if not facts.found and {facts.v4.answer, facts.v6.answer} & {Answer.NO_NAME, Answer.EMPTY}:
        todo = f"correct the CNAME record, or give {lookup.chain[-1]} an A record"
        return wrong("cname", f"it is an alias of {told}, which has no address", todo, facts.name)
    return ok("cname", f"it is an alias of {told}", facts.name)


def _dns(facts: NameFacts) -> Iterator[Check]:
    name, v4, v6 = facts.name, facts.v4, facts.v6
    answers = {v4.answer, v6.answer}
    if facts.found and facts.public and all(map(_is_local, _all(facts))):
        text = f"it has the address {', '.join(_all(facts))} for the resolver here, which leads no public CA anywhere"
        yield unknown("dns", text, f"with a resolver outside: STACKCTL_RESOLVER=9.9.9.9 stackctl doctor {name}", name)
    elif facts.found:
        yield ok("dns", f"it has the address{'es' if len(_all(facts)) > 1 else ''} {', '.join(_all(facts))}", name)
    elif v4.loop or v6.loop or (v4.chain and Answer.FAILED not in answers):
        yield from skipped(("dns",), "its CNAME records lead nowhere", name)
    elif Answer.SILENT in answers:
        yield unknown("dns", "no resolver answers", f"from another network: dig A {name}", name)
    elif Answer.FAILED in answers:
        todo = f"ask who runs its DNS servers; broken DNSSEC shows so too: https://dnsviz.net/d/{name}/"
        yield wrong("dns", "its DNS servers fail (SERVFAIL)", todo, name)
    else:
        what = "the name does not exist" if Answer.NO_NAME in answers else "the name has no A and no AAAA record"
        yield wrong("dns", what, "make an A record for it, with this host's public address", name)


def _is_local(address: str) -> bool:
    ip = ipaddress.ip_address(address)
    return any(ip in network for network in _LOCAL if network.version == ip.version)


def _all(facts: NameFacts) -> tuple[str, ...]:
    return (*facts.v4.records, *facts.v6.records)


def _caa(facts: NameFacts, caa: CaaFacts) -> Check:
    name, lookup = facts.name, caa.lookup
    if lookup.answer is Answer.FAILED:
        todo = f"ask who runs the DNS servers of {caa.at}: a CA issues nothing while it gets no answer"
        return wrong("caa", f"the CAA records of {caa.at} cannot be had: its DNS servers fail (SERVFAIL)", todo, name)
    if lookup.answer is Answer.SILENT:
        return unknown("caa", "no resolver answers", f"from another network: dig CAA {caa.at}", name)
    if not lookup.records:
        return ok("caa", "no CAA record restricts who may issue", name)
    told = caa.permission
    text = f"CAA of {caa.at}: {told.reason}"
    if told.allowed is None:
        return unknown("caa", text, f"see 'dig CAA {caa.at}' and what your CA calls itself", name)
    if told.allowed:
        return ok("caa", text, name)
    by = caa.identities[0] if caa.identities else "the CA"
    return wrong("caa", text, f'add a record to {caa.at}: CAA 0 issue "{by}"', name)


def _reach(facts: NameFacts, fetched: Fetched) -> Check:
    if facts.led_here(fetched):
        return ok("reach", _led_here(facts, fetched), facts.name)
    if fetched.reach is Reach.ANSWERED:
        return _somebody_else(facts, fetched)
    return _nobody(facts, fetched)


def _led_here(facts: NameFacts, fetched: Fetched) -> str:
    whose = "this host's" if facts.is_own(fetched.address) else "not an address of this host"
    cdn = cdn_of(fetched.address, fetched.headers)
    if cdn:
        whose = f"{cdn}, which passes the challenge on"
    via = f", after a redirect to {fetched.redirect}" if fetched.redirect else ""
    return f"port 80 of {fetched.address} ({whose}) leads to this proxy{via}"


def _somebody_else(facts: NameFacts, fetched: Fetched) -> Check:
    name, address = facts.name, fetched.address
    cdn = cdn_of(address, fetched.headers)
    if cdn:
        text = f"port 80 of {address} is {cdn}'s, and the challenge does not come through ({fetched.status})"
        todo = f"switch {cdn} to 'DNS only' for the name, or have it pass /{CHALLENGES}/ on unchanged"
        return wrong("reach", text, todo, name)
    if fetched.redirect:
        text = f"port 80 of {address} redirects the challenge to {fetched.redirect}, where it is not ({fetched.status})"
        return wrong("reach", text, f"have /{CHALLENGES}/ left out of that redirect", name)
    server = fetched.headers.get("server", "")
    who = f"another server answers ({server}, {fetched.status})" if server else f"another server ({fetched.status})"
    family = "AAAA" if ":" in address else "A"
    todo = f"point the {family} record to this host's public address, or forward port 80 of {address} to this host"
    return wrong("reach", f"on port 80 of {address} {who}", todo, name)


def _nobody(facts: NameFacts, fetched: Fetched) -> Check:
    name, address = facts.name, fetched.address
    six = ":" in address
    text = f"port 80 of {address}: {fetched.reach.value}"
    if fetched.redirect:
        text = f"port 80 of {address} redirects the challenge to {fetched.redirect}: {fetched.reach.value}"
    if facts.dead(fetched):
        todo = f"point the record to the address where the proxy is published ({facts.http}), or publish it there too"
        return wrong("reach", f"{text}, and it is this host's own", todo, name)
    others = [one for one in facts.fetched or () if facts.led_here(one) and ":" not in one.address]
    if six and others and fetched.reach is not Reach.NO_ROUTE:
        todo = f"remove the AAAA record, or have this host answer at {address}: CAs and browsers prefer IPv6"
        return wrong("reach", f"{text}, while the A record's address does", todo, name)
    if facts.http is not None and facts.http.port != HTTP_PORT:
        text += f"; a CA comes to port 80, and the proxy is published on {facts.http}"
    if fetched.reach is not Reach.NO_ROUTE:
        text += "; a router may not lead its own network back in"
    return unknown("reach", text, _elsewhere(facts, address), name)


def _elsewhere(facts: NameFacts, address: str) -> str:
    at = f"[{address}]" if ":" in address else address
    if facts.generation is None:
        url = f"http://{facts.name}/{CHALLENGES}/test"
        return f"from another network: curl -i {url} (404 by the proxy is right)"
    return f"from another network: curl -H 'Host: {MARKER_HOST}' http://{at}{MARKER_PATH} (right: {facts.generation})"


def judge_challenge(probe_file: ProbeFile, fetched: Fetched, at: PortBinding) -> Check:
    """The proxy at its own door: what a name that leads here would get."""
    if fetched.status == 200 and fetched.body.strip() == probe_file.text.encode():
        return ok("challenge", f"the proxy gives out challenges on {at}")
    told = f"status {fetched.status}" if fetched.reach is Reach.ANSWERED else fetched.reach.value
    text = f"the proxy on {at} does not give out a challenge from {WEBROOT.path}: {told}"
    todo = f"check that your own proxy files leave /{CHALLENGES}/ alone, and that {WEBROOT.path} is mounted"
    return wrong("challenge", text, todo)


def judge_limits(subject: Domain, refusal: Refusal | None, *, needed: bool) -> Check:
    """The ledger's word on the CA's rate limits, for the names of one certificate."""
    if refusal is None:
        return ok("limits", "no rate limit that is known of stands in the way", subject)
    until = moment(refusal.until)
    if not needed:
        return ok("limits", f"{refusal.reason} until {until}, but no certificate is needed now", subject)
    todo = f"wait until {until}; try things out with 'stackctl init --ca letsencrypt-staging' elsewhere"
    return wrong("limits", f"{refusal.reason}", todo, subject)
