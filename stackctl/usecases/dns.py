"""``stackctl dns``: the zones in which names are proved by DNS-01."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from stackctl.diagnose.dns_records import WRONG, Finding
from stackctl.engine.context import Context
from stackctl.engine.probe.dns_records import record_findings
from stackctl.errors import ExitCode, InputError, StackfileError
from stackctl.model.dns_zones import DnsZone, by_dns, zone_of
from stackctl.model.stack import Stack
from stackctl.model.values import Domain
from stackctl.plan.intent import Intent
from stackctl.stackfile import edit
from stackctl.stackfile.document import Document
from stackctl.stackfile.keys import KEY
from stackctl.templates import yaml_name, yaml_quote
from stackctl.usecases.converge import Loaded, converge, load, load_current, open_document
from stackctl.usecases.refresh import refreshed
from stackctl.usecases.result import Result
from stackctl.wording import listed

_AGAIN = "run 'stackctl dns test {}' to write, see and delete a test record"


@dataclass(frozen=True, slots=True)
class ZoneRow:
    """One zone as ``dns list`` shows it; ``stored`` says whether its credentials are there."""

    zone: Domain
    provider: str
    credentials: str | None
    stored: bool
    alias: str | None
    sites: tuple[Domain, ...]


@dataclass(frozen=True, slots=True)
class ZonesReport:
    """The payload of ``dns list``."""

    zones: tuple[ZoneRow, ...]


@dataclass(frozen=True, slots=True)
class FindingsReport:
    """The payload of ``dns test``."""

    findings: tuple[Finding, ...]


def list_zones(context: Context) -> Result[ZonesReport]:
    """Return the zones of the stack, each with the sites that it proves."""
    stack = load_current(context).stack
    rows = (
        ZoneRow(
            zone.name,
            zone.provider,
            zone.credentials if zone.has_credentials else None,
            not zone.has_credentials or (context.directory.root / zone.credentials).is_file(),
            zone.alias,
            _users(stack, zone),
        )
        for zone in stack.dns
    )
    return Result("dns list", ZonesReport(tuple(rows)))


def _users(stack: Stack, zone: DnsZone) -> tuple[Domain, ...]:
    """Return the sites with a name that is proved by ``zone``."""
    return tuple(site.name for site in stack.sites if by_dns(site) and _names(stack, zone, site.domains))


def _names(stack: Stack, zone: DnsZone, names: Sequence[Domain]) -> list[Domain]:
    """Return the names that are proved by ``zone``, and not by a longer one."""
    return [name for name in names if zone_of(stack.dns, name) == zone]


def check_zones(context: Context, names: Sequence[Domain]) -> Result[FindingsReport]:
    """Write, see and delete a test record: of each name, and of a zone for all names that are proved by it.

    Raises:
        InputError: there are no zones, or none has a name.
    """
    stack = load_current(context).stack
    if not stack.dns:
        raise InputError("x-stackctl.dns has no zone", hint="add one with 'stackctl dns add ZONE --provider NAME'")
    asked = list(names) or [zone.name for zone in stack.dns]
    found = record_findings(context, stack, list(dict.fromkeys(_tested(stack, asked))), write=True)
    failed = any(one.verdict == WRONG for one in found)
    code = ExitCode.FAILED if failed else ExitCode.OK
    return Result("dns test", FindingsReport(tuple(found)), found=code)


def _tested(stack: Stack, asked: Sequence[Domain]) -> Iterator[Domain]:
    for name in asked:
        zone = next((one for one in stack.dns if one.name == name), None)
        if zone_of(stack.dns, name) is None:
            known = listed([one.name for one in stack.dns])
            raise InputError(f"no zone of x-stackctl.dns has {name}", hint=f"the zones are {known}")
        proved = (site.domains for site in stack.sites if by_dns(site))
        own = [one for names in proved for one in _names(stack, zone, names)] if zone else []
        yield from own or [name]


@dataclass(frozen=True, slots=True)
class AddZone:
    """A zone to add: keys that are None stay as they are, or have their defaults."""

    name: Domain
    provider: str
    alias: str | None = None
    propagation: str | None = None
    auth: str | None = None
    cleanup: str | None = None

    @property
    def keys(self) -> dict[str, str]:
        """The keys to write."""
        given = {key: getattr(self, key) for key in ("provider", "alias", "propagation", "auth", "cleanup")}
        return {key: value for key, value in given.items() if value is not None}


def provider_of_zone(context: Context, name: Domain) -> str | None:
    """Return the provider that the file has for a zone, or None."""
    return next((zone.provider for zone in load_current(context).stack.dns if zone.name == name), None)


def add_zone(context: Context, wanted: AddZone, credentials: bytes | None, *, dry_run: bool = False) -> Result[None]:
    """Add a zone to the file, or change it, and store its credentials.

    Raises:
        InputError: a value is wrong; nothing was changed.
    """
    doc = open_document(context)
    before = doc.text
    for key, value in wanted.keys.items():
        doc = _with_key(doc, wanted.name, key, value)
    after = _loaded(context, refreshed(context, doc), before, wanted)
    zone = next(one for one in after.stack.dns if one.name == wanted.name)
    stored = {zone.credentials: credentials} if credentials is not None else {}
    intent = Intent(focus=frozenset(), credentials=stored)
    result = converge(context, "dns add", after, intent, dry_run=dry_run)
    return replace(result, notes=(*result.notes, _AGAIN.format(wanted.name)))


def _with_key(doc: Document, zone: Domain, key: str, value: str) -> Document:
    written = f"{key}: {yaml_quote(value)}\n"
    if doc.entry((KEY, "dns", zone)) is None:
        return edit.add_entry(doc, (KEY, "dns"), f"{yaml_name(zone)}:\n  {written}")
    if doc.entry((KEY, "dns", zone, key)) is None:
        return edit.add_entry(doc, (KEY, "dns", zone), written)
    if doc.data((KEY, "dns", zone, key)) == value:
        return doc
    return edit.replace(doc, (KEY, "dns", zone, key), written)


def _loaded(context: Context, doc: Document, before: str, wanted: AddZone) -> Loaded:
    """Load ``doc``; an error in a line of the zone names the option, as the line was never written."""
    try:
        return load(context, doc, before)
    except StackfileError as error:
        places = {doc.where_of((KEY, "dns", wanted.name, key)): f"--{key}" for key in wanted.keys}
        places[doc.where_of((KEY, "dns", wanted.name))] = "ZONE"
        if error.where not in places:
            raise
        raise InputError(error.message, where=places[error.where], hint=error.hint) from error


def remove_zone(context: Context, name: Domain, *, dry_run: bool = False) -> Result[None]:
    """Remove a zone from the file, and its credentials unless another zone has the same.

    Raises:
        InputError: a site is proved by it; nothing was changed.
    """
    loaded = load_current(context)
    stack = loaded.stack
    zone = next((one for one in stack.dns if one.name == name), None)
    if zone is None:
        result = converge(context, "dns remove", loaded, Intent(focus=frozenset()), dry_run=dry_run)
        return replace(result, notes=(*result.notes, f"x-stackctl.dns has no zone {name}"))
    users = _users(stack, zone)
    if users:
        raise InputError(
            f"the names of {listed(users)} are proved by the zone {name}",
            where=zone.where,
            hint="remove these sites first, or their 'challenge: dns'",
        )
    written = next(text for text in loaded.doc.data((KEY, "dns")) if str(text).lower().removesuffix(".") == name)
    alone = len(stack.dns) == 1
    doc = edit.remove(loaded.doc, (KEY, "dns") if alone else (KEY, "dns", written))
    after = load(context, doc, loaded.before)
    shared = any(one.credentials == zone.credentials for one in after.stack.dns)
    stored = {zone.credentials: None} if zone.has_credentials and not shared else {}
    return converge(context, "dns remove", after, Intent(focus=frozenset(), credentials=stored), dry_run=dry_run)
