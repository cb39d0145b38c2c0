"""Compare the certificate of a TLS handshake with the one on disk."""

from __future__ import annotations

from datetime import datetime

from stackctl.certs.dummy import is_dummy
from stackctl.certs.held import Held
from stackctl.certs.lineage import Certificate
from stackctl.diagnose.check import Verdict
from stackctl.diagnose.hops import Hop, HopKind
from stackctl.observed.reply import Failure, Reply
from stackctl.wording import day


def judge_handshake(name: str, owner: str | None, held: Held | None, reply: Reply, now: datetime) -> Hop:
    """Return the hop of the certificate."""
    served = reply.certificate
    if served is None:
        return _no_certificate(held, reply, now)
    source = f"{held.source}, " if held is not None and kind_of(served, held) == "real" else ""
    text = f"{source}{_described(served, now)}, {_kind(served, held)}"
    if held is not None and held.second is not None:
        text += f"; clients without ECDSA get one with an RSA key, {held.second.certificate.days_left(now)} days left"
    todo = _todo(name, owner, served, held, now)
    if todo is not None:
        return Hop(HopKind.CERTIFICATE, Verdict.WRONG, f"{text}{_fault(name, served, now)}", None, todo)
    return Hop(HopKind.CERTIFICATE, Verdict.OK, text)


def _no_certificate(held: Held | None, reply: Reply, now: datetime) -> Hop:
    on_disk = held.on_disk if held else None
    text = f"none is served: {reply.failure.value if reply.failure else 'no TLS'}"
    if on_disk is not None:
        text += f"; on disk: {_described(on_disk, now)}"
    if reply.failure is Failure.HANDSHAKE:
        return Hop(
            HopKind.CERTIFICATE,
            Verdict.WRONG,
            text,
            None,
            "run 'stackctl up'; if that does not help, see 'stackctl logs'",
        )
    return Hop(HopKind.CERTIFICATE, Verdict.UNKNOWN, text)


def _described(certificate: Certificate, now: datetime) -> str:
    return f"issued by {certificate.issuer}, {certificate.days_left(now)} days left"


def kind_of(served: Certificate, held: Held | None) -> str:
    """Return ``real`` (the one on disk), ``dummy``, or ``other``."""
    on_disk = held.on_disk if held else None
    if on_disk is not None and served.fingerprint == on_disk.fingerprint:
        return "real"
    return "dummy" if is_dummy(served) else "other"


def _kind(served: Certificate, held: Held | None) -> str:
    match kind_of(served, held):
        case "real":
            return "real, the one on disk"
        case "dummy":
            return "a dummy, which no browser trusts"
    return "not the one on disk" if held is not None and held.on_disk else "none is on disk"


def _fault(name: str, served: Certificate, now: datetime) -> str:
    if not served.covers(name):
        return f"; it does not cover {name}"
    return f"; it expired on {day(served.not_after)}" if served.not_after <= now else ""


def _todo(name: str, owner: str | None, served: Certificate, held: Held | None, now: datetime) -> str | None:
    """Return what to do about a wrong certificate; None for a right one."""
    usable = held is not None and held.real
    match kind_of(served, held):
        case "dummy":
            return "run 'stackctl up', which " + ("switches the site to the real one" if usable else "requests one")
        case "other" if usable:
            return "run 'stackctl up', which reloads the proxy"
    if served.not_after <= now:
        return f"run 'stackctl renew'; if that fails, see 'stackctl doctor {owner or name}'"
    return None if served.covers(name) else "run 'stackctl up', which requests one with all names"
