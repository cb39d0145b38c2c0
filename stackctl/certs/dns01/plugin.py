"""The authenticator ``dns-stackctl`` of certbot: it lets the CA look only once all servers have the records."""

from __future__ import annotations

import importlib
from typing import Any

from stackctl.certs.dns01.prove import Proof
from stackctl.certs.dns01.provider import Value
from stackctl.certs.dns01.zones import DnsProblem

# certbot is there in its container only.
_common: Any = importlib.import_module("certbot.plugins.common")
_errors: Any = importlib.import_module("certbot.errors")
_interfaces: Any = importlib.import_module("certbot.interfaces")


class Authenticator(_common.Plugin, _interfaces.Authenticator):  # type: ignore[misc]
    """Proves names by DNS-01 with the providers of their zones."""

    description = "Write DNS records as x-stackctl.dns says, and wait until all name servers have them"

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  (certbot's own)
        super().__init__(*args, **kwargs)
        self._proof = Proof()

    @classmethod
    def add_parser_arguments(cls, add: Any) -> None:  # noqa: ANN401
        """Add no option: the zones are in a file."""

    def more_info(self) -> str:
        """Return what it does."""
        return self.description

    def prepare(self) -> None:
        """Do nothing: a missing file is an error only of the names that need it."""

    def get_chall_pref(self, _domain: object) -> list[Any]:
        """Return the only type of challenge."""
        return [importlib.import_module("acme.challenges").DNS01]

    def auth_hint(self, _failed: object) -> str:
        """Return what to do where the CA did not see the records."""
        return "All name servers had the records. Compare what the CA says with 'stackctl dns test ZONE'."

    def perform(self, achalls: list[Any]) -> list[Any]:
        """Write all records, and wait until each server of their zones has them.

        Raises:
            PluginError: one cannot be written or seen. certbot then asks the CA for no validation.
        """
        wanted = [(_domain(one), _value(one)) for one in achalls]
        try:
            self._proof.write(wanted)
        except DnsProblem as problem:
            raise _errors.PluginError(problem.text + (f"; {problem.todo}" if problem.todo else "")) from problem
        return [one.response(one.account_key) for one in achalls]

    def cleanup(self, _achalls: list[Any]) -> None:
        """Delete what was written."""
        self._proof.delete()


def _domain(challenge: Any) -> str:  # noqa: ANN401
    """Return the name of a challenge; certbot before 5 has no other identifiers than names."""
    identifier = getattr(challenge, "identifier", None)
    return str(challenge.domain if identifier is None else identifier.value)


def _value(challenge: Any) -> Value:  # noqa: ANN401
    key = challenge.account_key
    return Value(challenge.validation(key), challenge.token, challenge.key_authorization(key))
