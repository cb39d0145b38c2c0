"""What in certbot's tree governs the unattended renewals, and how it differs from ``x-stackctl``; pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from stackctl.certs.cli_ini import aligned_ini
from stackctl.certs.lineage import Lineage
from stackctl.certs.renewal_edit import Wanted, aligned
from stackctl.model.acme import Acme

HOOK_KINDS = ("pre", "deploy", "post")
"""The folders of programs that certbot runs at renewals."""


@dataclass(frozen=True, slots=True)
class TreeSettings:
    """The settings in certbot's tree.

    Attributes:
        renewals: the renewal files, by lineage.
        ini: the text of ``cli.ini``, or None.
        hooks: the programs in ``renewal-hooks``, as paths in the tree.
        accounts: the ids of the accounts at the stack's CA.
        account: the one in use, or None.
        elsewhere: the ids of the accounts at further CAs, and the one in use, by the CA's directory.
    """

    renewals: Mapping[str, str] = field(default_factory=dict)
    ini: str | None = None
    hooks: tuple[str, ...] = ()
    accounts: frozenset[str] = frozenset()
    account: str | None = None
    elsewhere: Mapping[str, tuple[frozenset[str], str | None]] = field(default_factory=dict)

    def renewal(
        self, lineage: Lineage, acme: Acme, *, adopting: bool = False, dns: bool = False
    ) -> tuple[str, list[str]]:
        """Return the renewal file of a lineage brought in line, and a description of each change.

        ``dns`` is whether its names are proved by the zones of ``x-stackctl``.
        """
        text = self.renewals.get(lineage.name, "")
        one = lineage.certificate
        names, life = (one.names, one.not_after - one.not_before) if one else ((), None)
        accounts, account = self.elsewhere.get(acme.directory, (self.accounts, self.account))
        wanted = Wanted(acme, names or (lineage.name,), accounts, account, life, dns)
        return aligned(text, wanted, adopting=adopting)

    def account_at(self, directory: str) -> str | None:
        """Return the account in use at a CA, or None."""
        return self.elsewhere.get(directory, (self.accounts, self.account))[1]

    def global_changes(self, acme: Acme) -> list[str]:
        """Return what governs all renewals from outside ``x-stackctl``."""
        changes = aligned_ini(self.ini, hooks=acme.hooks)[1] if self.ini is not None else []
        return [*changes, *(f"{path} runs at renewals" for path in self.unwanted_hooks(acme))]

    def unwanted_hooks(self, acme: Acme) -> Collection[str]:
        """Return the programs in ``renewal-hooks`` that are not wanted."""
        return () if acme.hooks else self.hooks
