"""The zones in which names are proved by DNS-01: which provider writes their records, and with which credentials."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from stackctl.errors import InputError
from stackctl.model.dns_providers import HOOK, MULTI, PROVIDERS
from stackctl.model.layout import DNS
from stackctl.model.routing import Site
from stackctl.model.values import Domain
from stackctl.model.wildcards import is_wildcard
from stackctl.spelling import nearest

_FILE = re.compile(rf"{re.escape(DNS.path)}/(?P<name>[A-Za-z0-9_][A-Za-z0-9._-]{{0,100}})\Z")
_LEGO = re.compile(rf"{MULTI}[a-z0-9-]{{1,40}}\Z")
PATIENCE = "5m"
"""How long all servers may take by default until they have a record."""


@dataclass(frozen=True, slots=True)
class DnsZone:
    """One zone of ``x-stackctl.dns``.

    Attributes:
        name: names in it, and below it, are proved by it.
        provider: a name of :data:`~stackctl.model.dns_providers.PROVIDERS`, or ``multi:NAME``.
        credentials: the file's path in the stack.
        alias: the record that ``_acme-challenge`` names of the zone are aliases of, in a zone of the provider's.
        patience: how many seconds all servers may take until they have a record.
        auth: the command that writes a record, and ``cleanup`` the one that deletes it; of the provider ``hook``.
    """

    name: Domain
    provider: str
    credentials: str
    alias: Domain | None = None
    patience: float = 300.0
    auth: str | None = None
    cleanup: str | None = None
    where: str = ""

    @property
    def has_credentials(self) -> bool:
        """Whether the provider needs a file."""
        return self.provider != HOOK


def zone_of(zones: Sequence[DnsZone], name: str) -> DnsZone | None:
    """Return the zone by which a name is proved: the longest one that it is in or below."""
    bare = name.removeprefix("*.")
    found = [zone for zone in zones if bare == zone.name or bare.endswith(f".{zone.name}")]
    return max(found, key=lambda zone: len(zone.name), default=None)


def by_dns(site: Site) -> bool:
    """Return whether the names of a site are proved by DNS-01: it says so, or has a wildcard, which needs it."""
    if site.local or (site.imported is not None and site.imported.fallback is None):
        return False
    return site.dns or any(is_wildcard(name) for name in site.domains)


def provable(zones: Sequence[DnsZone], site: Site) -> bool:
    """Return whether a site is to be proved by DNS-01, and all of its names are in known zones."""
    return by_dns(site) and all(zone_of(zones, name) is not None for name in site.domains)


def provider(text: str) -> str:
    """Return ``text`` as the name of a provider."""
    if text in PROVIDERS or _LEGO.match(text):
        return text
    near = nearest(text, PROVIDERS)
    known = f"known: {', '.join(PROVIDERS)}; of others 'multi:NAME', by the plugin certbot-dns-multi"
    raise InputError(f"{text!r} is no DNS provider", hint=f"did you mean {near!r}? {known}" if near else known)


def credentials(text: str) -> str:
    """Return ``text`` as a file with credentials; only the certbot container sees their folder."""
    match = _FILE.match(text)
    if match is None or match["name"] in {"zones.json", "plugin"}:
        raise InputError(f"{text!r} is no file in {DNS.path}", hint=f"write {DNS.path}/NAME.ini")
    return text


def default_credentials(zone: str) -> str:
    """Return the file with the credentials of a zone."""
    return f"{DNS.path}/{zone}.ini"


def command(text: str) -> str:
    """Return ``text`` as a command of the user's, which runs in the certbot container."""
    if not text.strip() or "\n" in text.strip() or not text.isprintable():
        raise InputError(f"{text!r} is no command", hint=f"write one line, such as {DNS.mount}/add-record")
    return text.strip()
