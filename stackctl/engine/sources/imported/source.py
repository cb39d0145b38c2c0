"""The source ``imported``: its sites want nothing from a CA, and are refused what only the user can supply."""

from __future__ import annotations

from collections.abc import Sequence

from stackctl.certs.copied import Pair, stored_pair
from stackctl.certs.held import Held
from stackctl.certs.request import CertificateRequest
from stackctl.certs.shelf import Source, import_lack, only_imported
from stackctl.certs.source import Candidate
from stackctl.engine.context import Context
from stackctl.errors import StackctlError
from stackctl.model.layout import site_of_file
from stackctl.model.routing import Site
from stackctl.model.stack import Stack
from stackctl.plan.certificates import CheckNames


class ImportedFiles:
    """Certificates that the user imports; a site with a fallback belongs to the source of that."""

    name = Source.IMPORTED

    def owns(self, stack: Stack, site: Site) -> bool:  # noqa: ARG002  (the protocol's)
        """Return whether the Compose file names an imported certificate, and no fallback."""
        return only_imported(site)

    def wants(self, candidate: Candidate) -> str | None:
        """Return why the user must import another one, or None; one that has expired is served on."""
        return import_lack(candidate.site, candidate.imported)

    def request(self, candidate: Candidate, *, force: bool) -> CertificateRequest:  # noqa: ARG002  (the protocol's)
        """Return a request that is refused: only the user has the certificate."""
        site = candidate.site
        assert site.imported is not None
        todo = f"import one with 'stackctl cert import {site.imported.name} --cert FILE --key FILE'"
        if site.imported.files is not None:
            todo = f"put one into {site.imported.files.file}"
        todo += f", or remove 'certificate' at {site.imported.where}: then the CA is asked for one"
        return CertificateRequest(site.name, site.domains, todo=todo)

    def authority(self, stack: Stack) -> str | None:  # noqa: ARG002  (the protocol's)
        """Return None: no CA is asked."""
        return None

    def pair(self, site: Site, request: CertificateRequest) -> Pair:
        """Return where the proxy finds it."""
        return stored_pair(site.imported.name if site.imported else request.lineage)

    def preflight(
        self, context: Context, project: str, stack: Stack, operations: Sequence[CheckNames]
    ) -> list[StackctlError | None]:
        """Return no failures: names are checked only where a CA validates them."""
        del context, project, stack
        return [None for _ in operations]

    def issue(
        self, context: Context, project: str, stack: Stack, requests: Sequence[CertificateRequest], *, paced: bool
    ) -> dict[str, StackctlError]:
        """Refuse every request; the planner has refused them before."""
        del context, project, stack, paced
        return {
            one.lineage: StackctlError(f"{site_of_file(one.lineage)}: it cannot be requested", hint=one.todo)
            for one in requests
        }

    def delete(self, context: Context, project: str, stack: Stack, held: Held) -> None:
        """Delete nothing but the stored files, which is done for every source."""
