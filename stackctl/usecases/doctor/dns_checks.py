"""The checks of names that are proved by DNS-01: their records for the CA, in the place of port 80."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from stackctl.diagnose.check import Check, Verdict, skipped
from stackctl.diagnose.dns import judge_caa
from stackctl.diagnose.dns_records import judge_records
from stackctl.engine.probe.dns import caa_of
from stackctl.engine.probe.dns_records import findings_for, record_findings
from stackctl.errors import StackctlError
from stackctl.model.dns_zones import by_dns
from stackctl.model.values import Domain
from stackctl.observed.network import CaDirectory
from stackctl.usecases.doctor.inputs import DoctorInputs

BY_DNS = "its names are proved by DNS-01, which needs no port 80"
_RECORDS = ("dns-zone", "dns-delegation", "dns-servers")
_FOR_CLIENTS = {"dns", "cname"}
"""The checks of addresses: clients need them, and the CA does not."""


def names_by_dns(inputs: DoctorInputs) -> frozenset[Domain]:
    """Return the names of sites that are proved by DNS-01."""
    return frozenset(name for site in inputs.sites if by_dns(site) for name in site.domains)


def with_records(
    inputs: DoctorInputs, judged: Mapping[str, Sequence[Check]], ca: CaDirectory, names: Collection[Domain]
) -> dict[str, list[Check]]:
    """Return the checks of all names, those of ``names`` with their records: as they are, nothing is written."""
    asked = [Domain(name) for name in judged if name in names]
    if not asked:
        return {name: list(checks) for name, checks in judged.items()}
    caa = dict(zip(asked, caa_of(inputs.context.network, asked, lambda: ca), strict=True))
    records = _records(inputs, asked)
    found: dict[str, list[Check]] = {}
    for name, checks in judged.items():
        if name not in caa:
            found[name] = list(checks)
            continue
        own = [_for_clients(one) for one in checks if one.name not in {"caa", "reach"}]
        found[name] = [*own, judge_caa(Domain(name), caa[Domain(name)]), *records[Domain(name)]]
    return found


def _for_clients(check: Check) -> Check:
    """Return a check of addresses that fails as one that is open: a name can be that of an internal network."""
    if check.name in _FOR_CLIENTS and check.verdict is Verdict.WRONG:
        return replace(check, verdict=Verdict.UNKNOWN, text=f"{check.text}; clients elsewhere may resolve it")
    return check


def _records(inputs: DoctorInputs, names: Sequence[Domain]) -> dict[Domain, list[Check]]:
    if inputs.stack is None or inputs.containers is None:
        because = inputs.broken or "the stack is down"
        return {name: skipped(_RECORDS, because, name) for name in names}
    if inputs.containers.running(inputs.stack.certbot) is None:
        return {name: skipped(_RECORDS, "certbot does not run", name) for name in names}
    try:
        findings = record_findings(inputs.context, inputs.stack, names, write=False)
    except StackctlError as error:
        return {name: skipped(_RECORDS, error.message, name) for name in names}
    return {name: judge_records([replace(one, name=name) for one in findings_for(findings, name)]) for name in names}
