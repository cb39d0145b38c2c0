"""Reads the zones in which names are proved by DNS-01."""

from __future__ import annotations

from collections.abc import Iterator

from stackctl.errors import StackfileError
from stackctl.model import dns_zones, values
from stackctl.model.dns_providers import HOOK
from stackctl.model.dns_zones import DnsZone
from stackctl.model.values import Domain
from stackctl.stackfile.dns_keys import DnsKeys
from stackctl.stackfile.document import Document, Path
from stackctl.stackfile.keys import KEY, checked
from stackctl.stackfile.schema import StackKeys


def read_zones(doc: Document, top: StackKeys) -> tuple[DnsZone, ...]:
    """Return the zones of the file.

    Raises:
        StackfileError: a wrong value, or one that the provider does not have.
    """
    return tuple(_zones(doc, top))


def _zones(doc: Document, top: StackKeys) -> Iterator[DnsZone]:
    seen: dict[Domain, str] = {}
    for text, keys in top.dns.items():
        path: Path = (KEY, "dns", text)
        zone = _zone(doc, path, text, keys)
        if zone.name in seen:
            raise StackfileError(f"{zone.name} is listed twice", where=zone.where, hint=f"see {seen[zone.name]}")
        seen[zone.name] = zone.where
        yield zone


def _zone(doc: Document, path: Path, text: str, keys: DnsKeys) -> DnsZone:
    name = checked(doc, path, values.domain, text)
    provider = checked(doc, (*path, "provider"), dns_zones.provider, keys.provider)
    commands = [key for key in ("auth", "cleanup") if getattr(keys, key) is not None]
    if provider == HOOK and len(commands) < 2:
        hint = "CERTBOT_VALIDATION and STACKCTL_RECORD have the value and the name of the record"
        raise StackfileError("the provider 'hook' needs 'auth' and 'cleanup'", where=doc.where_of(path), hint=hint)
    if provider != HOOK and commands:
        hint = f"remove it, or write 'provider: {HOOK}'"
        raise StackfileError(
            f"the provider {provider} has no command", where=doc.where_of((*path, commands[0])), hint=hint
        )
    given = keys.credentials or dns_zones.default_credentials(name)
    return DnsZone(
        name,
        provider,
        checked(doc, (*path, "credentials"), dns_zones.credentials, given),
        None if keys.alias is None else checked(doc, (*path, "alias"), _record, keys.alias),
        checked(doc, (*path, "propagation"), values.seconds, keys.propagation),
        None if keys.auth is None else checked(doc, (*path, "auth"), dns_zones.command, keys.auth),
        None if keys.cleanup is None else checked(doc, (*path, "cleanup"), dns_zones.command, keys.cleanup),
        doc.where_of(path),
    )


def _record(text: str) -> Domain:
    """Return ``text`` as the name of a record, whose labels may begin with an underscore."""
    values.domain(".".join(label.lstrip("_") for label in text.split(".")))
    return Domain(text.lower().removesuffix("."))
