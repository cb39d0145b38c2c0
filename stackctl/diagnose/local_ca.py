"""Check the stack's own CA: whether it can issue, until when, and whether this host trusts it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from stackctl.certs.held import Held
from stackctl.certs.local_ca import NEW_ROOT, LocalCa
from stackctl.certs.shelf import Source
from stackctl.diagnose.check import Check, ok, skipped, unknown, wrong
from stackctl.model.layout import LOCAL_CA
from stackctl.wording import day, listed

CA, TRUST = "local-ca", "local-trust"
_SOON = timedelta(days=60)


def cannot_renew(held: Held, ca: LocalCa | None) -> str | None:
    """Return that nothing renews a certificate of the stack's own CA, and what to do; or None."""
    if held.source != Source.LOCAL or (ca is not None and ca.problem is None):
        return None
    problem = ca.problem if ca is not None else f"{LOCAL_CA.path} with the root and the key of the local CA is lost"
    return f"{problem}: nothing renews its certificate: {_restore()}"


def _restore() -> str:
    return f"restore it from a backup, or {NEW_ROOT}"


def judge_local_ca(ca: LocalCa | None, host_roots: bytes | None, now: datetime) -> Iterator[Check]:
    """Yield the checks of the CA; ``host_roots`` are the roots that programs of this host trust."""
    if ca is None:
        yield wrong(CA, "the stack has no local CA yet", "run 'stackctl up', which makes one")
    elif ca.problem is not None:
        yield wrong(CA, f"{ca.problem}: no certificate is renewed", _restore())
    elif ca.not_after - now < _SOON:
        yield wrong(CA, f"the local CA ends on {day(ca.not_after)}", NEW_ROOT)
    else:
        domains = listed(tuple(f".{one}" for one in ca.domains))
        yield ok(CA, f"{ca.name} issues for names below {domains} until {day(ca.not_after)}")
    if ca is None or not ca.root:
        yield from skipped([TRUST], "there is no root")
    elif host_roots is not None and ca.root in host_roots:
        yield ok(TRUST, "this host trusts it")
    else:
        yield unknown(TRUST, "the programs of this host do not trust it", "run 'stackctl trust'")
