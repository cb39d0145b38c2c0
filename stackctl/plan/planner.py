"""Compute the operations that turn the observed state into the desired one: no Docker, no disk, no clock."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from stackctl.certs.dns_files import dns_files
from stackctl.certs.held import Held, held
from stackctl.certs.hook import deploy_hook
from stackctl.certs.request import CertificateRequest
from stackctl.certs.source import CertificateSource
from stackctl.certs.watch_files import watch_files
from stackctl.model.layout import MARKER_HOST, SCHEMA
from stackctl.model.routing import Site
from stackctl.model.stack import Stack
from stackctl.model.values import Domain
from stackctl.observed.state import Observed
from stackctl.plan.certificates import DeleteCertificate, second_scope
from stackctl.plan.contact import contact_operations
from stackctl.plan.copies import StoreCredentials, copy_operations, dns_operations, fits, hook_operations, unused_copies
from stackctl.plan.files import ProxyFiles
from stackctl.plan.ignore_files import write_ignore_files
from stackctl.plan.imports import handed_over, refused_imports, removed_imports, stored_imports, without_removed
from stackctl.plan.intent import Intent
from stackctl.plan.keep import drop_kept, keep_certificates
from stackctl.plan.loading import Loading
from stackctl.plan.local_ca import trust_operations, with_local_ca
from stackctl.plan.operation import Operation, Plan
from stackctl.plan.operations import (
    MakeDirectories,
    MakeDummy,
    MoveAside,
    ReloadProxy,
    StartService,
    VerifySite,
    WriteCaBundle,
    WriteCustom,
    WriteEabKey,
    WriteSchema,
    WriteStackfile,
)
from stackctl.plan.removal import emptied, removal, removals
from stackctl.plan.repair import repairs
from stackctl.plan.requests import certificate_requests, issued_by, name_checks
from stackctl.plan.retire import RetireLineage
from stackctl.plan.services import pull_image, scaled_to_zero, start_cause
from stackctl.plan.settings import settings_operations
from stackctl.plan.steps import run_services
from stackctl.plan.watch import watch_operations
from stackctl.proxies.sites import Rendering


def make_plan(  # noqa: PLR0913  (desired state, observed state, and the parts that decide)
    stack: Stack,
    stackfile: str,
    intent: Intent,
    observed: Observed,
    rendering: Rendering,
    sources: Mapping[str, CertificateSource],
) -> Plan:
    """Return the operations that turn ``observed`` into ``stack``; empty if nothing has to change.

    ``stackfile`` is the text of the Compose file that describes ``stack``.
    """
    return Plan(tuple(_Planner(stack, stackfile, intent, observed, rendering, sources).operations()))


class _Planner:
    def __init__(  # noqa: PLR0913  (as for make_plan)
        self,
        stack: Stack,
        stackfile: str,
        intent: Intent,
        observed: Observed,
        rendering: Rendering,
        sources: Mapping[str, CertificateSource],
    ) -> None:
        self.stack = stack
        self.stackfile = stackfile
        self.intent = intent
        self.secure = stack.proxy.https is not None
        self.sites = intent.focused(stack.sites)
        # What differs otherwise is planned for the names: where addresses of a deploy are left, they go first.
        self.pins = rendering.proxy.pins(observed.live)
        observed = replace(observed, live=rendering.proxy.pinned(observed.live, {}) if self.pins else observed.live)
        observed, made = with_local_ca(stack, intent, observed)
        self.local_ca = [*made, *trust_operations(observed)]
        live = rendering.proxy.sites_in(observed.live).union(site.name for site in self.sites)
        concerned = [site for site in stack.sites if site.name in live]
        shelf, self.repairs = repairs(observed.shelf, concerned)
        self.before = shelf
        shelf, self.imports = stored_imports(stack, intent, shelf)
        shelf, handed = handed_over(intent, shelf)
        self.handed: list[Operation] = [*handed, *refused_imports(intent)]
        observed = replace(observed, shelf=without_removed(intent, shelf))
        self.requests = list(certificate_requests(stack, self.sites, intent, observed, sources))
        shelf, self.kept = keep_certificates(stack, observed, self.requests)
        self.observed = observed = replace(observed, shelf=shelf)
        self.rendering = rendering
        self.sources = sources
        self.files = ProxyFiles(stack, observed, rendering, sources)
        # A live site whose certificate was lost would block every other site's change: it gets another
        # certificate, or its dummy, even if it is not in focus.
        serving = self.files.live_sites if self.secure else ()
        lost = [site for site in stack.sites if site.name in serving and not self._is_settled(site)]
        self.staged = [*self.sites, *(site for site in lost if site not in self.sites)]

    def operations(self) -> Iterator[Operation]:
        if self.intent.renew is None:
            yield from self._prepare()
            yield from self._repair()
            yield from copy_operations(self.stack, self.before, everything=self.intent.focus is None)
            yield from self.handed
            yield from self.kept
            yield from self._remove_stale_mounts()
            # A deploy that leaves no trace if it fails changes nothing of all sites either.
            needs_one = frozenset(site.name for site in self.sites) if self.intent.or_back else frozenset()
            first = list(self.files.stage(self.staged, needs_one))
            yield from run_services(self.stack, self.sites, self.intent, self.observed, self.files, self.pins, first)
            yield from pull_image(self.observed, self.stack.proxy.service, None)
            yield from first
            yield from self._loading().run(published=bool(first))
        else:
            yield from self.repairs
            yield from copy_operations(self.stack, self.before, everything=False)
            yield from self.kept
            if self.kept:
                yield from self.files.stage(self.staged)
            yield from self._loading().renewed(published=bool(self.kept))
        if self.intent.align:
            written = {repair.lineage for repair in self.repairs}
            written |= {one.request.lineage for one in self.requests if one.request.acme}
            yield from settings_operations(self.stack, self.sites, self.observed, written)
            yield from contact_operations(self.stack, self.intent, self.observed)
        yield from name_checks(self.stack, self.intent, self.requests, self.sources)
        yield from self.requests
        issued, seconds = issued_by(self.stack, self.requests)
        if issued or seconds:
            yield from self._switch(issued, seconds)
        yield from self._clean_up(issued)
        if self.intent.write_last:
            yield from self._write()
        yield from self._watch(settings=True)

    def _watch(self, *, settings: bool) -> Iterator[Operation]:
        files = watch_files(self.stack, self.observed.project.name)
        return watch_operations(self.observed, files, settings=settings)

    def _prepare(self) -> Iterator[Operation]:
        observed = self.observed
        yield from self._directories()
        yield from self.local_ca
        if self.intent.ca_bundle not in {None, observed.ca_bundle}:
            yield WriteCaBundle(content=self.intent.ca_bundle or b"", cause="requested")
        if self.intent.eab_key is not None:
            yield WriteEabKey(key=self.intent.eab_key, cause="requested")
        if self.intent.schema not in {None, observed.schema}:
            cause = "of another version" if observed.schema else "missing"
            yield WriteSchema(path=SCHEMA, content=self.intent.schema or b"", cause=cause)
        if self.intent.focus is None:
            yield from write_ignore_files(observed)
            yield from hook_operations(observed, deploy_hook())
        for path, content in self.intent.credentials.items():
            yield StoreCredentials(path=path, content=content, cause="requested")
        yield from dns_operations(observed, dns_files(self.stack.dns, self.stack.certbot))
        yield from self._watch(settings=False)
        yield from self._write_custom()
        yield from self.imports
        if not self.intent.write_last:
            yield from self._write()
        if self.stack.answers_nobody and MARKER_HOST not in self.observed.shelf.stored_copies:
            nobody = Domain(MARKER_HOST)
            yield MakeDummy(site=nobody, names=(nobody,), cause="the load balancer asks for health over HTTPS too")
        for site in self.staged if self.secure else ():
            if not fits(site, self._held(site)):
                yield MakeDummy(site=site.name, names=site.domains, cause="no certificate yet", scope=site.name)

    def _repair(self) -> Iterator[Operation]:
        """Mend certbot's tree, for which its container must run."""
        certbot = self.stack.certbot
        if self.repairs and not self.observed.containers.is_running(certbot):
            scope = f"service:{certbot}"
            yield from pull_image(self.observed, certbot, scope)
            yield StartService(service=certbot, cause="it repairs its certificates", scope=scope)
        yield from self.repairs

    def _directories(self) -> Iterator[Operation]:
        if self.observed.in_the_way:
            yield MoveAside(moves=self.observed.in_the_way, cause="a link of stackctl's belongs there")
        if self.observed.missing:
            yield MakeDirectories(paths=self.observed.missing, cause="missing")

    def _remove_stale_mounts(self) -> Iterator[Operation]:
        """Remove containers that mount a deleted directory: they would never see the one that replaces it."""
        gone = [f"/{path}" for path in self.observed.missing]
        for service in (self.stack.proxy.service, self.stack.certbot):
            mounts = self.observed.project.services[service].mounts
            lost = any(f"/{mount.source}".endswith(path) for mount in mounts for path in gone)
            # A container that is recreated for another reason mounts the new directory anyway.
            if lost and self.observed.containers.of(service) and start_cause(self.observed, service) is None:
                yield removal(self.observed, service, "a directory that it mounts was deleted")
                left = self.observed.containers.without(service)
                self.observed = replace(self.observed, containers=left)

    def _write(self) -> Iterator[Operation]:
        before = self.observed.stackfile
        if before != self.stackfile:
            cause = "the stack changes" if before else "missing"
            yield WriteStackfile(file=self.observed.file, content=self.stackfile, cause=cause)

    def _write_custom(self) -> Iterator[Operation]:
        wanted, there = self.intent.custom, self.observed.custom
        for name in sorted({**there, **wanted}) if wanted is not None else ():
            if wanted is not None and wanted.get(name) != there.get(name):
                path = f"{self.rendering.proxy.layout.custom}/{name}"
                yield WriteCustom(path=path, content=wanted.get(name), cause="restored from the history")
        secrets = {page.path for page in self.stack.users_files}
        for path, content in sorted((self.intent.pages or {}).items()):
            if self.observed.pages.get(path) != content:
                secret = path in secrets
                yield WriteCustom(path=path, content=content, secret=secret, cause=self.intent.pages_cause)

    def _loading(self) -> Loading:
        return Loading(self.stack, self.sites, self.observed, self.before, self.files, self.imports)

    def _switch(
        self, issued: Mapping[Site, CertificateRequest], seconds: Mapping[Site, CertificateRequest]
    ) -> Iterator[Operation]:
        """Switch the sites to their real certificates once these are issued."""
        yield from self.files.switch(issued, seconds)
        names = {site.name for site in issued} | {second_scope(site.name) for site in seconds}
        yield ReloadProxy(cause="certificates were issued", needs_one=frozenset(names))
        for site in {**issued, **seconds} if self.secure else ():
            cause = "its certificate was issued"
            yield VerifySite(site=site, expect_real=True, cause=cause, scope=site.name, batch="issued")

    def _clean_up(self, issued: Collection[Site]) -> Iterator[Operation]:
        yield from removals(self.stack, self.observed, self.files, self.sites, self.intent.stop)
        empty = scaled_to_zero(self.observed, self.sites, everything=self.intent.focus is None)
        yield from emptied(self.stack, self.observed, self.files, empty)
        yield from removed_imports(self.intent, self.before)
        for one in self.intent.delete:
            yield DeleteCertificate(held=one, cause="requested")
        for one in self.intent.retire:
            yield RetireLineage(held=one, cause="no site uses it")
        deleted = {one.site for one in self.intent.delete}
        kept = drop_kept(self.stack, self.observed.shelf, self.sites, issued)
        yield from (one for one in kept if one.name not in deleted)
        if self.intent.focus is None:
            yield from unused_copies(self.stack, self.observed)

    def _held(self, site: Site) -> Held:
        return held(site, self.observed.shelf)

    def _is_settled(self, site: Site) -> bool:
        """Return whether its own lineage is all that a site is served with."""
        there = self._held(site)
        return there.is_own_lineage and not there.others
