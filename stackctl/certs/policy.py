"""What a CA is known to refuse, as data: names that it never issues for, and certificates that are too large.

Let's Encrypt's are those of https://letsencrypt.org/docs/profiles/ (2026-09-08), and of its CA software,
Boulder: a name ends in a public suffix of the ICANN section of https://publicsuffix.org, is longer than
that suffix, and has at most ten labels. Suffixes of the private section, such as ``github.io``, are issued
for. A CA that is not listed is asked without rules, as a private CA issues for any name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from stackctl.model.acme import LETSENCRYPT, LETSENCRYPT_STAGING

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

RESERVED = {
    "local": "multicast DNS (RFC 6762)",
    "localhost": "the own host (RFC 6761)",
    "test": "tests (RFC 6761)",
    "example": "documentation (RFC 6761)",
    "invalid": "names that never resolve (RFC 6761)",
    "internal": "private networks (ICANN)",
    "home.arpa": "home networks (RFC 8375)",
    "onion": "Tor (RFC 7686)",
    "alt": "other naming systems (RFC 9476)",
    "in-addr.arpa": "reverse lookups (RFC 1035)",
    "ip6.arpa": "reverse lookups (RFC 3596)",
}
"""Domains that no public CA issues for, with what they are reserved for."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules of one CA.

    Attributes:
        who: the name of the CA in messages.
        names: how many names a certificate has at most.
        by_profile: the same for certificate profiles that differ.
        labels: how many labels a name has at most.
    """

    who: str
    names: int
    by_profile: Mapping[str, int] = field(default_factory=dict)
    labels: int = 10


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that a request breaks, in a sentence, and what to do about it."""

    text: str
    todo: str


_OTHER_NAME = "use a name below a domain that you own, or the 'ca' of a private CA, which issues for any name"
_FEWER_NAMES = "move some of the names to another app, which gets a certificate of its own"

_LETSENCRYPT = Policy("Let's Encrypt", 100, {"tlsserver": 25, "shortlived": 25})

POLICIES: dict[str, Policy] = {LETSENCRYPT: _LETSENCRYPT, LETSENCRYPT_STAGING: _LETSENCRYPT}
"""By ACME directory."""


def refused(directory: str, names: Sequence[str], profile: str | None) -> Rule | None:
    """Return the rule by which the CA refuses a certificate for ``names``, or None if no rule is known."""
    policy = POLICIES.get(directory)
    if policy is None:
        return None
    most = policy.by_profile.get(profile or "", policy.names)
    if len(names) > most:
        by = f" with the profile {profile}" if profile in policy.by_profile else ""
        text = f"{len(names)} names are too many for one certificate: {policy.who} allows {most}{by}"
        return Rule(text, _FEWER_NAMES)
    broken = next((rule for name in names if (rule := _name_rule(policy, name.removeprefix("*."))) is not None), None)
    return None if broken is None else Rule(broken, _OTHER_NAME)


def _name_rule(policy: Policy, name: str) -> str | None:
    """Return the rule that a name breaks, or None."""
    labels = name.split(".")
    if len(labels) > policy.labels:
        return f"{name} has {len(labels)} labels: {policy.who} allows {policy.labels}"
    for label in labels:
        if label[2:4] == "--" and not label.startswith("xn--"):
            return f"{name} has a label of a reserved form, {label}: {policy.who} issues for none of them (RFC 5890)"
    for count in range(1, len(labels) + 1):
        use = RESERVED.get(".".join(labels[-count:]))
        if use is not None:
            return f"{name} is under .{'.'.join(labels[-count:])}, which is reserved for {use}"
    suffix = _suffixes().publicsuffix(name)
    if suffix is None:
        return f"{name} does not end in a public suffix: .{labels[-1]} is no known top-level domain"
    # The list implies the parent of a wildcard rule as a suffix; the CA does not.
    if suffix == name and _suffixes().publicsuffix(f"a.{name}") == name:
        return f"{name} is a public suffix: {policy.who} issues only for names below it"
    return None


def is_public_suffix(name: str) -> bool:
    """Return whether names below ``name`` are registered by anyone, as below ``com`` and ``co.uk``."""
    return bool(_suffixes().publicsuffix(name) == name)


@lru_cache(maxsize=1)
def _suffixes() -> PublicSuffixList:
    from publicsuffixlist import PublicSuffixList  # noqa: PLC0415  (0.05 s, and only when something is issued)

    return PublicSuffixList(accept_unknown=False, only_icann=True)
