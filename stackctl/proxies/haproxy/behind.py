"""HAProxy: what stands in front of it, and what it says that is believed.

A trusted peer is recognized by the address of the connection, before anything that a client sends is read. Then
``set-src`` makes the address of the client that of the request, for rules, limits, apps and the log.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stackctl.certs.copied import Pair, stored_pair
from stackctl.model.edge import PROBE, Behind
from stackctl.model.layout import MARKER_HOST, site_file
from stackctl.model.stack import Stack
from stackctl.proxies.haproxy.layout import HAPROXY, LAYOUT, MAPS
from stackctl.proxies.haproxy.quoting import word
from stackctl.proxies.haproxy.rules import network_rows
from stackctl.proxies.loops import LOOP, LOOP_STATUS

DRAINING = f"{HAPROXY.mount}/{LAYOUT.draining}"
NOBODY = "stackctl.nobody"
"""The store of the certificate for health checks over HTTPS; no site has such a name."""

_TRUSTED, _REDIRECTED = f"{MAPS}/trusted.list", f"{MAPS}/visitors.map"
_BELIEVED = "{ var(txn.trusted) -m bool }"
_SECURE, _PLAIN = "{ var(txn.scheme) -m str https }", "{ var(txn.scheme) -m str http }"
_WITH_PORT = r"^(?:\[(.*)\]|([0-9.]+))(?::[0-9]+)?$"
_HOPS = 10
"""HAProxy finds the last ten values of a header. Whoever is behind more trusted peers has the address of one."""


@dataclass(frozen=True)
class Front:
    """Renders what a frontend does because of what stands in front of it; without that, nothing."""

    stack: Stack

    @property
    def ahead(self) -> str:
        """The parameter of a listener whose connections begin with the PROXY protocol, version 1 or 2."""
        return " accept-proxy" if self.stack.behind is not None and self.stack.behind.framed else ""

    @property
    def scheme(self) -> str:
        """The sample that has the scheme that the visitor uses."""
        return "ssl_fc,iif(https,http)" if self.stack.behind is None else "var(txn.scheme)"

    @property
    def secure(self) -> str:
        """The condition that the visitor uses HTTPS."""
        return secure(self.stack)

    @property
    def health(self) -> str | None:
        """The path that the load balancer asks."""
        behind = self.stack.behind
        return behind.health.text if behind is not None and behind.health is not None else None

    @property
    def nobody(self) -> Pair | None:
        """The certificate and the key for health checks over HTTPS, which name no site."""
        return stored_pair(MARKER_HOST) if self.stack.answers_nobody else None

    def connections(self) -> Iterator[str]:
        """Yield the lines for new connections: the peer, before the PROXY protocol names a client."""
        if self.ahead:
            yield "tcp-request connection set-var(sess.peer) src"
            yield f"tcp-request connection set-var(sess.trusted) bool(true) if {{ src -f {_TRUSTED} }}"

    def lines(self) -> Iterator[str]:
        """Yield the lines that come before all that asks for the address of the client or the scheme."""
        behind = self.stack.behind
        if behind is None:
            return
        if behind.framed:
            yield "http-request set-var(txn.trusted) bool(true) if { var(sess.trusted) -m bool }"
            yield f"http-request set-src var(sess.peer) if !{_BELIEVED}"
        elif behind.trusted:
            yield f"http-request set-var(txn.trusted) bool(true) if {{ src -f {_TRUSTED} }}"
            yield from _client(behind)
        yield from _scheme(behind)

    def redirect(self) -> str | None:
        """Return the line that redirects visitors; the requests of stackctl stand for those over HTTPS."""
        if self.stack.behind is None or not self.stack.behind.redirect:
            return None
        return (
            f"http-request redirect code 308 location https://%[var(txn.host)]%[pathq] if {_PLAIN}"
            f" {{ var(txn.site),map_str({_REDIRECTED}) -m found }} !{{ req.fhdr(user-agent) -m str {PROBE} }}"
        )

    def loops(self) -> Iterator[str]:
        """Yield the lines for what ends HTTPS, but was not named as such: a redirect would come back."""
        answer = f"return status {LOOP_STATUS} content-type text/plain string {word(LOOP)}"
        for said in (
            "req.hdr(x-forwarded-proto,-1) -i -m str https",
            """req.fhdr(cf-visitor) -i -m reg '"scheme":[ \\t]*"https"'""",
        ):
            yield f"http-request {answer} if !{{ ssl_fc }} to_https {{ {said} }}"

    def files(self) -> dict[str, str]:
        """Return the networks that are believed, and the sites whose visitors are redirected."""
        behind, found = self.stack.behind, {}
        if behind is not None and behind.trusted:
            found[_TRUSTED] = network_rows(behind.trusted)
        if behind is not None and behind.redirect:
            sites = (site_file(site.name) for site in self.stack.sites if site.redirect is None)
            found[_REDIRECTED] = "".join(f"{site} 1\n" for site in sites)
        return found


def secure(stack: Stack) -> str:
    """Return the condition that the visitor uses HTTPS."""
    return "{ ssl_fc }" if stack.behind is None else _SECURE


def _client(behind: Behind) -> Iterator[str]:
    """Yield the lines that find the last address that no trusted peer has; what is no address ends the search."""
    header = str(behind.client_ip.header).lower()
    yield f"http-request set-var(txn.hop) bool(true) if {_BELIEVED}"
    hops, address = "{ var(txn.hop) -m bool }", "{ var(txn.ip) -m ip 0.0.0.0/0 ::/0 }"
    for number in range(1, _HOPS + 1):
        if number > 1:
            yield f"http-request set-var(txn.hop) bool(false) if {hops} !{{ src -f {_TRUSTED} }}"
        one = word(f"req.hdr({header},-{number}),regsub('{_WITH_PORT}','\\1\\2')")
        yield f"http-request set-var(txn.ip) str(-) if {hops}"
        yield f"http-request set-var(txn.ip) {one} if {hops}"
        yield f"http-request set-var(txn.hop) bool(false) if {hops} !{address}"
        yield f"http-request set-src var(txn.ip) if {hops}"


def _scheme(behind: Behind) -> Iterator[str]:
    said = "req.hdr(x-forwarded-proto,-1)"
    line = "http-request set-var(txn.scheme)"
    yield f"{line} ssl_fc,iif(https,http)"
    if not behind.trusted:
        return
    if behind.terminated:
        silent = " !{ req.fhdr(x-forwarded-proto) -m len gt 0 }" if behind.says_scheme else ""
        yield f"{line} str(https) if {_BELIEVED}{silent}"
    if behind.says_scheme:
        yield f"{line} str(https) if {_BELIEVED} {{ {said} -i -m str https wss }}"
        yield f"{line} str(http) if {_BELIEVED} {{ {said} -i -m str http ws }}"
