"""The source ``local``: its decisions and its effects."""

from __future__ import annotations

from collections.abc import Sequence

from stackctl.certs.copied import Pair, stored_pair
from stackctl.certs.held import Held
from stackctl.certs.issuer.local import sign
from stackctl.certs.local_ca import NEW_ROOT
from stackctl.certs.request import CertificateRequest
from stackctl.certs.shelf import Source
from stackctl.certs.source import Candidate
from stackctl.engine.context import Context
from stackctl.engine.sources.local import rules
from stackctl.errors import IssueFailed, StackctlError
from stackctl.model.routing import Site
from stackctl.model.stack import Stack
from stackctl.plan.certificates import CheckNames


class LocalCertificates:
    """Signs certificates in this process, with the stack's own CA."""

    name = Source.LOCAL

    def owns(self, stack: Stack, site: Site) -> bool:  # noqa: ARG002  (the protocol's)
        """Return whether the stack's own CA issues for the site."""
        return site.local

    def wants(self, candidate: Candidate) -> str | None:
        """Return why a certificate must be issued, or None."""
        return rules.wants(candidate)

    def request(self, candidate: Candidate, *, force: bool) -> CertificateRequest:
        """Return the request for the names of the site."""
        return rules.request(candidate, force=force)

    def authority(self, stack: Stack) -> None:
        """Return None: no names are validated, and no orders are limited."""

    def pair(self, site: Site, request: CertificateRequest) -> Pair:  # noqa: ARG002  (the protocol's)
        """Return where the proxy finds the certificate of the site."""
        return stored_pair(site.name)

    def preflight(
        self, context: Context, project: str, stack: Stack, operations: Sequence[CheckNames]
    ) -> list[StackctlError | None]:
        """Return no failure: nothing has to resolve to this host."""
        del context, project, stack
        return [None] * len(operations)

    def issue(
        self, context: Context, project: str, stack: Stack, requests: Sequence[CertificateRequest], *, paced: bool
    ) -> dict[str, StackctlError]:
        """Sign and store all certificates, and return the failures by lineage."""
        del project, stack, paced
        failures: dict[str, StackctlError] = {}
        for request in requests:
            name = request.lineage
            try:
                pair = sign(context.directory.local_issuer(), request.names, context.now())
                assert pair.fullchain is not None
                assert pair.privkey is not None
                context.directory.store_pair(name, pair.fullchain, pair.privkey, Source.LOCAL)
            except ValueError as error:
                failures[name] = IssueFailed(f"{name}: {error}", hint=NEW_ROOT, lineage=name, detail=str(error))
            except StackctlError as error:
                failures[name] = error
        return failures

    def delete(self, context: Context, project: str, stack: Stack, held: Held) -> None:
        """Delete nothing: what is stored for the site is all there is."""
