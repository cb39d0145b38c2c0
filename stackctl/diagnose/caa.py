"""CAA records (RFC 8659): whether a CA may issue for a name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stackctl.model.stack import LETSENCRYPT, LETSENCRYPT_STAGING

IDENTITIES = {LETSENCRYPT: ("letsencrypt.org",), LETSENCRYPT_STAGING: ("letsencrypt.org",)}
"""By ACME directory, for CAs whose identities need not be asked for (https://letsencrypt.org/docs/caa/)."""

_KNOWN_TAGS = {"issue", "issuewild", "iodef", "contactemail", "contactphone", "issuemail", "issuevmc"}
_CRITICAL = 128
_METHOD = "http-01"


@dataclass(frozen=True, slots=True)
class Permission:
    """Whether the CA may issue: yes, no, or None where that cannot be told; and why."""

    allowed: bool | None
    reason: str


def permission(records: Sequence[str], identities: Sequence[str] | None) -> Permission:
    """What the relevant record set, each ``FLAGS TAG VALUE``, says of a name that is no wildcard.

    ``identities`` are the names the CA is meant by; None where they are not known.
    """
    sets = [_split(record) for record in records]
    for flags, tag, _ in sets:
        if flags & _CRITICAL and tag not in _KNOWN_TAGS:
            return Permission(allowed=False, reason=f"a critical record '{tag}', which no CA may pass over")
    issuers = [value for _, tag, value in sets if tag == "issue"]
    if not issuers:
        return Permission(allowed=True, reason="no record restricts who may issue")
    named = [_issuer(value) for value in issuers]
    shown = ", ".join(sorted({name or "nobody" for name, _ in named}))
    if identities is None:
        return Permission(allowed=None, reason=f"only {shown} may issue, and this CA does not say its name")
    known = {identity.lower() for identity in identities}
    own = [parameters for name, parameters in named if name in known]
    if not own:
        return Permission(allowed=False, reason=f"only {shown} may issue, and this CA is {', '.join(identities)}")
    return _by_parameters(own, shown)


def _by_parameters(own: Sequence[dict[str, str]], shown: str) -> Permission:
    """What the parameters of the records that name the CA leave of the permission (RFC 8657)."""
    fitting = [parameters for parameters in own if _METHOD in parameters.get("validationmethods", _METHOD).split(",")]
    if not fitting:
        return Permission(allowed=False, reason=f"{shown} may not validate by {_METHOD} (RFC 8657)")
    if all("accounturi" in parameters for parameters in fitting):
        return Permission(allowed=None, reason=f"{shown} may issue, for one account alone (RFC 8657)")
    return Permission(allowed=True, reason=f"{shown} may issue")


def _split(record: str) -> tuple[int, str, str]:
    flags, tag, value = (*record.split(" ", 2), "", "")[:3]
    return int(flags), tag.lower(), value


def _issuer(value: str) -> tuple[str, dict[str, str]]:
    """The CA's name and the parameters of an ``issue`` value: ``ca.example; key=value key=value``."""
    name, _, rest = value.partition(";")
    pairs = [part.strip().partition("=") for part in rest.replace(";", " ").split()]
    return name.strip().lower(), {key.strip().lower(): text.strip() for key, _, text in pairs}
