"""What a command requests of the planner, besides the desired stack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from stackctl.certs.given.pair import GivenPair
from stackctl.certs.held import Held
from stackctl.errors import StackctlError
from stackctl.model.routing import Site
from stackctl.model.values import Domain


@dataclass(frozen=True, slots=True)
class Intent:
    """What a command requests of the planner.

    Attributes:
        focus: the apps to plan for; None for all apps and every other service.
        services: the services of these apps to start or to deploy; None for all.
        issue: whether missing certificates are requested.
        align: whether renewal settings in certbot's tree are brought in line.
        renew: causes, by app, to request a certificate that exists.
        force: the apps among them whose certificate is replaced although it is not due.
        replaced: further apps among them whose certificate is replaced, with all checks.
        check: whether names are checked first: that the CA issues for them, and that they resolve to this host;
            never for those of ``force``.
        strict: whether a request that breaks a rule of the CA ends the command before anything is changed.
        ledger: whether the ledger may defer a request; with ``unattended``, consecutive failures defer it too.
        or_back: write the Compose file as it was before if a deploy fails: then it has changed nothing.
        write_last: write the Compose file after everything else, so that the same command can be repeated
            after a failure; for commands that remove something.
        stop: services to stop and remove.
        delete: certificates to delete.
        retire: lineages that no site uses, to delete.
        ca_bundle: the trust anchors of a private CA; None leaves the file unchanged.
        eab_key: the MAC key of the external account binding to store, if it changes.
        contact_changed: whether the account's address is another one than in the last recorded state.
        new_root: whether the stack's own CA is replaced by a new one.
        credentials: the files with credentials of DNS providers to store, by path; None to delete one.
        schema: the JSON Schema for editors; None leaves the file unchanged.
        custom: the user's own files for the proxy, by name; None leaves them unchanged.
        pages: the files that the proxy answers with, by path; None leaves them unchanged.
        pages_cause: why they are written.
        imports: certificates of the user's to store, by name.
        refused_imports: why the files of a site's certificate, which the Compose file names, cannot be imported.
        hand_over: the imported certificates that sites keep until they have one of their own, by site.
        remove_imports: imported certificates to delete.
        recorded_lineages: the lineages recorded with the state that a rollback restores.
    """

    focus: frozenset[Domain] | None = None
    services: frozenset[str] | None = None
    issue: bool = True
    align: bool = True
    renew: dict[Domain, str] | None = None
    force: frozenset[Domain] = frozenset()
    replaced: frozenset[Domain] = frozenset()
    check: bool = True
    strict: bool = False
    ledger: bool = True
    unattended: bool = False
    or_back: bool = False
    write_last: bool = False
    stop: frozenset[str] = frozenset()
    delete: tuple[Held, ...] = ()
    retire: tuple[Held, ...] = ()
    ca_bundle: bytes | None = None
    eab_key: str | None = field(default=None, repr=False)
    contact_changed: bool = False
    new_root: bool = False
    credentials: Mapping[str, bytes | None] = field(default_factory=dict, repr=False)
    schema: bytes | None = None
    custom: Mapping[str, bytes] | None = None
    pages: Mapping[str, bytes] | None = None
    pages_cause: str = "restored from the history"
    imports: Mapping[str, GivenPair] = field(default_factory=dict, repr=False)
    refused_imports: Mapping[Domain, StackctlError] = field(default_factory=dict)
    hand_over: Mapping[Domain, str] = field(default_factory=dict)
    remove_imports: tuple[str, ...] = ()
    recorded_lineages: frozenset[str] = frozenset()

    def focused(self, sites: Sequence[Site]) -> list[Site]:
        """Return the sites among ``sites`` that are in focus."""
        return [site for site in sites if self.focus is None or site.name in self.focus]
