"""Run the check of DNS-01 records in the certbot container, with the plugins and the credentials that it has."""

from __future__ import annotations

import json
from collections.abc import Sequence

from stackctl.certs.dns_files import CHECK
from stackctl.certs.issuer.program import FIND_PYTHON
from stackctl.diagnose.dns_records import Finding
from stackctl.engine.context import Context
from stackctl.errors import EngineError
from stackctl.model.layout import DNS, DNS_PLUGIN
from stackctl.model.stack import Stack

COMMAND = ("sh", "-c", f'{FIND_PYTHON}exec "$@" -u -m {CHECK}\n')


def record_findings(context: Context, stack: Stack, names: Sequence[str], *, write: bool) -> list[Finding]:
    """Return what is found about the records of ``names``; ``write`` writes and deletes a test record in each.

    Names that share a record are checked once, as the first of them.

    Raises:
        EngineError: the container is not running, or has no plugin.
    """
    spec = json.dumps({"names": list(names), "write": write})
    found: list[Finding] = []
    said: list[str] = []
    try:
        for line in context.containers.stream(stack.certbot, COMMAND, spec):
            finding = _parsed(line)
            if finding is None:
                said.append(line)
            else:
                found.append(finding)
    except EngineError as error:
        raise _explained(stack, error, said) from error
    return found


def findings_for(findings: Sequence[Finding], name: str) -> list[Finding]:
    """Return the findings about the record of ``name``, which a wildcard shares with its base."""
    return [one for one in findings if one.name.removeprefix("*.") == name.removeprefix("*.")]


def _parsed(line: str) -> Finding | None:
    try:
        return Finding(**{key: str(value) for key, value in json.loads(line).items()})
    except (ValueError, AttributeError, TypeError):
        return None


def _explained(stack: Stack, error: EngineError, said: Sequence[str]) -> EngineError:
    last = said[-1] if said else error.message
    if "No module named" not in f"{last} {error.message}":
        return EngineError(f"the check of DNS records ended early: {last}", hint=error.hint)
    hint = (
        f"give the service {stack.certbot} the volume './{DNS.path}:{DNS.mount}:ro' and the variable "
        f"PYTHONPATH={DNS_PLUGIN.mount}, then run 'stackctl up'"
    )
    return EngineError(f"the container of {stack.certbot} does not see {DNS_PLUGIN.path}", hint=hint)
