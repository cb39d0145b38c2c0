"""Plan what is done with imported certificates: store one, hand one over to its sites, remove one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from stackctl.certs.given.pair import GivenPair
from stackctl.certs.shelf import Shelf, Source, Stored
from stackctl.errors import StackctlError
from stackctl.model.layout import site_of_file
from stackctl.model.stack import Stack
from stackctl.model.values import Domain
from stackctl.plan.intent import Intent
from stackctl.plan.operation import Operation
from stackctl.wording import day


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreImported(Operation):
    """Store a certificate of the user's with its key, whole, and the copy that the proxy reads."""

    name: str
    pair: GivenPair = field(repr=False)

    @property
    def text(self) -> str:
        """A short description of what it does."""
        return f"import the certificate {site_of_file(self.name)}, valid until {day(self.pair.certificate.not_after)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RefuseImport(Operation):
    """Refuse the files of a site's certificate: it always fails, and what was imported before stays."""

    site: Domain
    error: StackctlError

    @property
    def text(self) -> str:
        """A short description of what it does."""
        return f"import no certificate for {self.site}"


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOver(Operation):
    """Let a site keep an imported certificate until its own is issued."""

    site: str
    name: str

    @property
    def text(self) -> str:
        """A short description of what it does."""
        return f"keep the imported certificate {site_of_file(self.name)} for {self.site} until another one is issued"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveImported(Operation):
    """Delete an imported certificate with its key and its copy."""

    name: str

    @property
    def text(self) -> str:
        """A short description of what it does."""
        return f"delete the imported certificate {site_of_file(self.name)}"


def stored_imports(stack: Stack, intent: Intent, shelf: Shelf) -> tuple[Shelf, list[StoreImported]]:
    """Return the certificates with those of ``intent.imports``, and what stores the ones that differ."""
    stored, operations = dict(shelf.stored), list[StoreImported]()
    for name, pair in intent.imports.items():
        there = stored.get(name)
        if there is not None and there.source == Source.IMPORTED and there.version == pair.version:
            continue
        real = there is not None and there.source == Source.IMPORTED
        users = tuple(site.name for site in stack.sites if site.imported and site.imported.name == name)
        cause = f"it replaces one that ends on {day(there.certificate.not_after)}" if there and real else "requested"
        operations.append(
            StoreImported(
                name=name, pair=pair, cause=cause, scope=users[0] if users else f"import:{name}", sharing=users[1:]
            )
        )
        stored[name] = Stored(pair.certificate, Source.IMPORTED, pair.version)
    return replace(shelf, stored=stored), operations


def refused_imports(intent: Intent) -> Iterator[RefuseImport]:
    """Yield what fails for the sites whose files are no certificate that they can be served with."""
    for site, error in intent.refused_imports.items():
        yield RefuseImport(site=site, error=error, cause="the Compose file names its files", scope=site)


def handed_over(intent: Intent, shelf: Shelf) -> tuple[Shelf, list[HandOver]]:
    """Return the certificates as they are once sites keep imported ones for a while, and what does that."""
    stored, operations = dict(shelf.stored), list[HandOver]()
    for site, name in intent.hand_over.items():
        there = stored.get(name)
        if there is not None:
            stored[site] = Stored(there.certificate, Source.KEPT)
            cause = "the Compose file no longer names it"
            operations.append(HandOver(site=site, name=name, cause=cause, scope=site))
    return replace(shelf, stored=stored), operations


def removed_imports(intent: Intent, shelf: Shelf) -> Iterator[RemoveImported]:
    """Yield what deletes the certificates of ``intent.remove_imports``; a site's own is dropped once it has another."""
    for name in intent.remove_imports:
        if name in shelf.stored and name not in intent.hand_over:
            yield RemoveImported(name=name, cause="requested", scope=f"import:{name}")


def without_removed(intent: Intent, shelf: Shelf) -> Shelf:
    """Return the certificates without those that ``intent`` removes at once."""
    gone = set(intent.remove_imports) - set(intent.hand_over)
    stored: Mapping[str, Stored] = {name: one for name, one in shelf.stored.items() if name not in gone}
    return replace(shelf, stored=stored)
