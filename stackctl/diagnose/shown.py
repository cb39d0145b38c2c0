"""The certificate that a request was shown, beside the one on disk."""

from __future__ import annotations

from datetime import datetime

from stackctl.certs.dummy import is_dummy
from stackctl.certs.held import Held
from stackctl.certs.lineage import Certificate
from stackctl.diagnose.check import Verdict
from stackctl.diagnose.hops import Hop, HopKind
from stackctl.observed.reply import Failure, Reply
from stackctl.wording import day


def judge_shown(name: str, owner: str | None, held: Held | None, reply: Reply, now: datetime) -> Hop:
    """The certificate's link."""
    shown = reply.certificate
    if shown is None:
        return _none(held, reply, now)
    text = f"{_described(shown, now)}, {_kind(shown, held)}"
    todo = _todo(name, owner, shown, held, now)
    if todo is not None:
        return Hop(HopKind.CERTIFICATE, Verdict.WRONG, f"{text}{_fault(name, shown, now)}", None, todo)
    return Hop(HopKind.CERTIFICATE, Verdict.OK, text)


def _none(held: Held | None, reply: Reply, now: datetime) -> Hop:
    on_disk = held.on_disk if held else None
    text = f"none is shown: {reply.failure.value if reply.failure else 'no TLS'}"
    if on_disk is not None:
        text += f"; on disk: {_described(on_disk, now)}"
    if reply.failure is Failure.HANDSHAKE:
        return Hop(HopKind.CERTIFICATE, Verdict.WRONG, text, None, "run 'stackctl up'; 'stackctl logs' may say more")
    return Hop(HopKind.CERTIFICATE, Verdict.UNKNOWN, text)


def _described(certificate: Certificate, now: datetime) -> str:
    return f"issued by {certificate.issuer}, {certificate.days_left(now)} days left"


def kind_of(shown: Certificate, held: Held | None) -> str:
    """``real`` (the one on disk), ``dummy``, or ``other``."""
    on_disk = held.on_disk if held else None
    if on_disk is not None and shown.fingerprint == on_disk.fingerprint:
        return "real"
    return "dummy" if is_dummy(shown) else "other"


def _kind(shown: Certificate, held: Held | None) -> str:
    match kind_of(shown, held):
        case "real":
            return "real, the one on disk"
        case "dummy":
            return "a dummy, which no browser trusts"
    return "not the one on disk" if held is not None and held.on_disk else "none is on disk"


def _fault(name: str, shown: Certificate, now: datetime) -> str:
    if not shown.covers(name):
        return f"; it is not for {name}"
    return f"; it expired on {day(shown.not_after)}" if shown.not_after <= now else ""


def _todo(name: str, owner: str | None, shown: Certificate, held: Held | None, now: datetime) -> str | None:
    """What to do about a certificate that is wrong; None for one that is right."""
    usable = held is not None and held.real
    match kind_of(shown, held):
        case "dummy":
            return "run 'stackctl up', which " + ("puts the site on the real one" if usable else "asks for a real one")
        case "other" if usable:
            return "run 'stackctl up', which reloads the proxy"
    if shown.not_after <= now:
        return f"run 'stackctl renew'; if that fails, see 'stackctl doctor {owner or name}'"
    return None if shown.covers(name) else "run 'stackctl up', which asks for one with all names"
