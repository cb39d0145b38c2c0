"""The source ``dns``: its decisions and its effects. Its certificates are certbot's, like those of ``acme``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from stackctl.certs.request import CertificateRequest
from stackctl.certs.source import Candidate
from stackctl.engine.context import Context
from stackctl.engine.sources.dns.preflight import check_records
from stackctl.engine.sources.webroot import rules
from stackctl.engine.sources.webroot.source import Webroot
from stackctl.errors import StackctlError
from stackctl.model.dns_zones import by_dns, zone_of
from stackctl.model.routing import Site
from stackctl.model.stack import Stack
from stackctl.model.values import Domain
from stackctl.model.wildcards import wildcard_of
from stackctl.plan.certificates import CheckNames
from stackctl.wording import listed


class Dns(Webroot):
    """Requests certificates with certbot from the stack's CA, over DNS-01."""

    name = "dns"

    def owns(self, stack: Stack, site: Site) -> bool:  # noqa: ARG002  (the protocol's)
        """Return whether the site asks for DNS-01, or has a wildcard, which no CA proves otherwise."""
        return by_dns(site)

    def wants(self, candidate: Candidate) -> str | None:
        """Return why a certificate must be requested, or None."""
        own = candidate.held.own
        if own is None or not self._provable(candidate):
            return super().wants(candidate)
        # Also a lineage that another plugin renewed: with the zones known, it is stackctl's.
        return rules.fault(candidate, own)

    def request(self, candidate: Candidate, *, force: bool) -> CertificateRequest:
        """Return the request for the names of all sites that share the certificate, without those under a wildcard."""
        stack, own = candidate.stack, candidate.held.own
        if not self._provable(candidate):
            if own is not None and own.own_way:
                return super().request(candidate, force=force)
            names = (name for site in candidate.sharing for name in site.domains)
            outside = [name for name in names if zone_of(stack.dns, name) is None]
            todo = f"{listed(outside)}: no zone of x-stackctl.dns has it; add it with 'stackctl dns add ZONE'"
            return CertificateRequest(candidate.site.lineage, candidate.site.domains, force=force, todo=todo)
        wanted = rules.requested(candidate, force=force)
        return replace(wanted, names=_without_covered(wanted.names), dns=True)

    def preflight(
        self, context: Context, project: str, stack: Stack, operations: Sequence[CheckNames]
    ) -> list[StackctlError | None]:
        """Return, for each operation in order, why the CA would not see its records, or None."""
        return check_records(context, project, stack, operations)

    def _provable(self, candidate: Candidate) -> bool:
        names = (name for site in candidate.sharing for name in site.domains)
        return all(zone_of(candidate.stack.dns, name) is not None for name in names)


def _without_covered(names: Sequence[Domain]) -> tuple[Domain, ...]:
    """Return the names without those that a wildcard among them stands for, which CAs refuse beside it."""
    return tuple(name for name in names if wildcard_of(name) == name or wildcard_of(name) not in names)
