"""The source ``acme``: its decisions and its effects."""

from __future__ import annotations

from collections.abc import Sequence

from stackctl.certs.copied import Pair, lineage_pair
from stackctl.certs.held import Held
from stackctl.certs.request import CertificateRequest
from stackctl.certs.shelf import Source
from stackctl.certs.source import Candidate
from stackctl.engine.context import Context
from stackctl.engine.sources.webroot import rules
from stackctl.engine.sources.webroot.issue import issue
from stackctl.engine.sources.webroot.preflight import check_names
from stackctl.engine.sources.webroot.repair import remove_lineage
from stackctl.errors import StackctlError
from stackctl.model.routing import Site
from stackctl.model.stack import Stack
from stackctl.plan.certificates import CheckNames


class Webroot:
    """Requests certificates with certbot from the stack's CA, over HTTP-01."""

    name: str = Source.ACME

    def owns(self, stack: Stack, site: Site) -> bool:  # noqa: ARG002  (the protocol's)
        """Return True: it owns every site that no other source owns."""
        return True

    def wants(self, candidate: Candidate) -> str | None:
        """Return why a certificate must be requested, or None."""
        return rules.wants(candidate)

    def request(self, candidate: Candidate, *, force: bool) -> CertificateRequest:
        """Return the request for the names of all sites that share the certificate."""
        return rules.request(candidate, force=force)

    def authority(self, stack: Stack) -> str | None:
        """Return the stack's CA."""
        return stack.acme.directory

    def pair(self, site: Site, request: CertificateRequest) -> Pair:  # noqa: ARG002  (the protocol's)
        """Return the paths of the requested lineage."""
        return lineage_pair(request.lineage)

    def preflight(
        self, context: Context, project: str, stack: Stack, operations: Sequence[CheckNames]
    ) -> list[StackctlError | None]:
        """Return, for each operation in order, the failure that is certain at the CA, or None."""
        return check_names(context, project, stack, operations)

    def issue(
        self, context: Context, project: str, stack: Stack, requests: Sequence[CertificateRequest], *, paced: bool
    ) -> dict[str, StackctlError]:
        """Request all certificates with certbot, and return the failures by lineage."""
        return issue(context, project, stack, requests, paced=paced)

    def delete(self, context: Context, project: str, stack: Stack, held: Held) -> None:
        """Delete the lineage with certbot, unless only its copy is left."""
        if held.own is not None and held.own.gone:
            return
        container = context.orchestrator.containers(project).require(stack.certbot)
        command = ["certbot", "delete", "--non-interactive", "--cert-name", str(held.lineage)]
        done = context.containers.execute(container.id, command)
        if done.code:  # certbot deletes nothing whose renewal file is damaged
            remove_lineage(context, stack, str(held.lineage))
