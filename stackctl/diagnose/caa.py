"""CAA records (RFC 8659): whether a CA may issue for a name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stackctl.model.acme import LETSENCRYPT, LETSENCRYPT_STAGING

IDENTITIES = {LETSENCRYPT: ("letsencrypt.org",), LETSENCRYPT_STAGING: ("letsencrypt.org",)}
"""By ACME directory, for CAs whose identities are known in advance (https://letsencrypt.org/docs/caa/)."""

_KNOWN_TAGS = {"issue", "issuewild", "iodef", "contactemail", "contactphone", "issuemail", "issuevmc"}
_CRITICAL = 128
HTTP, DNS = "http-01", "dns-01"
"""The methods of validation."""


@dataclass(frozen=True, slots=True)
class Permission:
    """Whether the CA may issue, or None where that is not known; and why."""

    allowed: bool | None
    reason: str


def permission(
    records: Sequence[str], identities: Sequence[str] | None, method: str = HTTP, *, wild: bool = False
) -> Permission:
    """Return whether the relevant record set, each ``FLAGS TAG VALUE``, lets the CA issue for a name.

    ``identities`` are the names of the CA in CAA records; None where they are not known. ``method`` is how it validates
    the name, ``wild`` whether that is a wildcard.
    """
    sets = [_split(record) for record in records]
    for flags, tag, _ in sets:
        if flags & _CRITICAL and tag not in _KNOWN_TAGS:
            return Permission(allowed=False, reason=f"a critical record '{tag}' forbids every CA that does not know it")
    issuers = [value for _, tag, value in sets if tag == "issue"]
    if wild:  # RFC 8659, section 4.3
        issuers = [value for _, tag, value in sets if tag == "issuewild"] or issuers
    if not issuers:
        return Permission(allowed=True, reason="no record restricts who may issue")
    named = [_issuer(value) for value in issuers]
    allowed = ", ".join(sorted({name for name, _ in named if name}))
    only = f"only {allowed} may issue" if allowed else "no CA may issue"
    if identities is None:
        return Permission(allowed=None, reason=f"{only}, and this CA does not publish its CAA identity")
    accepted = {identity.lower() for identity in identities}
    own = [parameters for name, parameters in named if name in accepted]
    if not own:
        return Permission(allowed=False, reason=f"{only}, and this CA is {', '.join(identities)}")
    return _by_parameters(own, allowed, method)


def _by_parameters(own: Sequence[dict[str, str]], allowed: str, method: str) -> Permission:
    """Restrict the permission by the parameters of the records that name the CA (RFC 8657)."""
    fitting = [parameters for parameters in own if method in parameters.get("validationmethods", method).split(",")]
    if not fitting:
        return Permission(allowed=False, reason=f"{allowed} may not validate by {method} (RFC 8657)")
    if all("accounturi" in parameters for parameters in fitting):
        return Permission(allowed=None, reason=f"{allowed} may issue for one account only (RFC 8657)")
    return Permission(allowed=True, reason=f"{allowed} may issue")


def _split(record: str) -> tuple[int, str, str]:
    flags, tag, value = (*record.split(" ", 2), "", "")[:3]
    return int(flags), tag.lower(), value


def _issuer(value: str) -> tuple[str, dict[str, str]]:
    """Parse an ``issue`` value, ``ca.example; key=value key=value``, into the CA's name and its parameters."""
    name, _, rest = value.partition(";")
    pairs = [part.strip().partition("=") for part in rest.replace(";", " ").split()]
    return name.strip().lower(), {key.strip().lower(): text.strip() for key, _, text in pairs}
