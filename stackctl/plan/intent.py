"""What a command wants of a plan, besides the stack itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from stackctl.certs.held import Held
from stackctl.model.routing import Site
from stackctl.model.values import Domain


@dataclass(frozen=True, slots=True)
class Intent:
    """What a command wants.

    Attributes:
        focus: the apps it is about; None for all of them and every other service.
        issue: whether certificates that are missing are asked for.
        renew: causes, by app, to ask for a certificate that is there.
        force: the apps among them whose certificate is replaced although it is not due.
        check: whether it is looked first if a name leads here; never for those of ``force``.
        ledger: whether the ledger may hold a request back; ``unattended`` lets failures in a row do so too.
        write_last: the Compose file changes only once all else is done, so that the same command can go on
            from it; for what takes away.
        stop: services that are to run no more.
        delete: certificates to delete.
        ca_bundle: what a private CA is trusted by; None leaves what is there.
        eab_key: the MAC key of the external account binding, where another is to be kept than is there.
        schema: the JSON Schema for editors; None leaves what is there.
        custom: a person's own files for the proxy, by name; None leaves what is there.
        had: lineages that were there once, when the stack was as it is wished now.
    """

    focus: frozenset[Domain] | None = None
    issue: bool = True
    renew: dict[Domain, str] | None = None
    force: frozenset[Domain] = frozenset()
    check: bool = True
    ledger: bool = True
    unattended: bool = False
    write_last: bool = False
    stop: frozenset[str] = frozenset()
    delete: tuple[Held, ...] = ()
    ca_bundle: bytes | None = None
    eab_key: str | None = field(default=None, repr=False)
    schema: bytes | None = None
    custom: Mapping[str, bytes] | None = None
    recorded_lineages: frozenset[str] = frozenset()

    def focused(self, sites: Sequence[Site]) -> list[Site]:
        """Return the sites that it is about."""
        return [site for site in sites if self.focus is None or site.name in self.focus]
