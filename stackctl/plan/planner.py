"""Compute the operations that turn the observed state into the desired one: no Docker, no disk, no clock."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from stackctl.certs.held import Held, held
from stackctl.certs.source import CertificateSource
from stackctl.model.layout import SCHEMA
from stackctl.model.routing import Site
from stackctl.model.stack import Stack
from stackctl.observed.state import Observed
from stackctl.plan.certificates import DeleteCertificate, Issue
from stackctl.plan.files import ProxyFiles
from stackctl.plan.ignore_files import write_ignore_files
from stackctl.plan.intent import Intent
from stackctl.plan.operation import Operation, Plan
from stackctl.plan.operations import (
    MakeDirectories,
    MakeDummy,
    ReloadProxy,
    RemoveContainers,
    VerifyGone,
    VerifySite,
    WriteCaBundle,
    WriteCustom,
    WriteEabKey,
    WriteSchema,
    WriteStackfile,
)
from stackctl.plan.requests import certificate_requests, name_checks
from stackctl.plan.services import pull_image, start_cause, start_proxy, start_services
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
        self.observed = observed
        self.rendering = rendering
        self.sources = sources
        self.files = ProxyFiles(stack, observed, rendering, sources)
        self.sites = intent.focused(stack.sites)
        # A live site whose certificate was lost would block every other site's change: it gets another
        # certificate, or its dummy, even if it is not in focus.
        lost = [
            site for site in stack.sites if site.name in self.files.live_sites and not self._held(site).is_own_lineage
        ]
        self.staged = [*self.sites, *(site for site in lost if site not in self.sites)]

    def operations(self) -> Iterator[Operation]:
        if self.intent.renew is None:
            yield from self._prepare()
            yield from self._remove_stale_mounts()
            observed = self.observed
            yield from start_services(
                self.stack, self.sites, self.intent.stop, everything=self.intent.focus is None, observed=observed
            )
            yield from pull_image(observed, self.stack.proxy.service, None)
            first = list(self.files.stage(self.staged))
            yield from first
            yield from self._run_proxy(published=bool(first))
        else:
            yield from self._load_renewed()
        requests = list(certificate_requests(self.stack, self.sites, self.intent, self.observed, self.sources))
        yield from name_checks(self.stack, self.intent, requests, self.sources)
        yield from requests
        asked = {name for request in requests if isinstance(request, Issue) for name in request.scopes}
        if asked:
            yield from self._switch([site for site in self.stack.sites if site.name in asked])
        yield from self._clean_up()
        if self.intent.write_last:
            yield from self._write()

    def _prepare(self) -> Iterator[Operation]:
        observed = self.observed
        if observed.missing:
            yield MakeDirectories(paths=observed.missing, cause="missing")
        if self.intent.ca_bundle not in {None, observed.ca_bundle}:
            yield WriteCaBundle(content=self.intent.ca_bundle or b"", cause="requested")
        if self.intent.eab_key is not None:
            yield WriteEabKey(key=self.intent.eab_key, cause="requested")
        if self.intent.schema not in {None, observed.schema}:
            cause = "of another version" if observed.schema else "missing"
            yield WriteSchema(path=SCHEMA, content=self.intent.schema or b"", cause=cause)
        if self.intent.ignore_files:
            yield from write_ignore_files(observed)
        yield from self._write_custom()
        if not self.intent.write_last:
            yield from self._write()
        for site in self.staged:
            if not self._held(site).real and not self._dummy_fits(site):
                yield MakeDummy(site=site.name, names=site.domains, cause="no certificate yet", scope=site.name)

    def _remove_stale_mounts(self) -> Iterator[Operation]:
        """Remove containers that mount a deleted directory: they would never see the one that replaces it."""
        gone = [f"/{path}" for path in self.observed.missing]
        for service in (self.stack.proxy.service, self.stack.certbot):
            mounts = self.observed.project.services[service].mounts
            lost = any(f"/{mount.source}".endswith(path) for mount in mounts for path in gone)
            # A container that is recreated for another reason mounts the new directory anyway.
            if lost and self.observed.containers.of(service) and start_cause(self.observed, service) is None:
                yield self._remove(service, "a directory that it mounts was deleted")
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

    def _run_proxy(self, *, published: bool) -> Iterator[Operation]:
        proxy_service = self.stack.proxy
        start = start_cause(self.observed, proxy_service.service)
        reload_cause = None if start else self._reload_cause(published=published)
        if start:
            yield from self._orphans(proxy=True)  # a proxy under another service name holds the ports
            yield from start_proxy(self.stack, start, self.observed)
        elif reload_cause:
            yield ReloadProxy(cause=reload_cause, if_published=published)
        if start or reload_cause:
            for site in self.sites:
                real = self._held(site).real
                yield VerifySite(
                    site=site, expect_real=real, cause="the proxy loaded its files", scope=site.name, batch="loaded"
                )
            for name in self.files.gone():
                yield VerifyGone(name=name, cause=f"{name} is no longer routed")

    def _load_renewed(self) -> Iterator[Operation]:
        """Reload the proxy if it does not yet serve the certificates on disk."""
        cause = self._reload_cause(published=False) if self.observed.generation else None
        if cause:
            yield ReloadProxy(cause=cause)
            for site in self.sites:
                real = self._held(site).real
                yield VerifySite(site=site, expect_real=real, cause=cause, scope=site.name, batch="loaded")

    def _reload_cause(self, *, published: bool) -> str | None:
        if published:
            return "its files changed"
        if self.observed.generation != self.observed.published:
            return "it runs another generation than the live one"
        for site in self.sites:
            if site.name in self.observed.served:
                expected = self._certificate_fingerprint(site)
                served = self.observed.served[site.name]
                if expected and (served is None or served.fingerprint != expected):
                    return f"{site.name} is not served with the certificate on disk"
        return None

    def _certificate_fingerprint(self, site: Site) -> str | None:
        certificate = self._held(site).certificate
        return certificate.fingerprint if certificate else None

    def _switch(self, issued: Collection[Site]) -> Iterator[Operation]:
        """Switch the sites to their real certificates once these are issued."""
        yield from self.files.switch(issued)
        names = frozenset(site.name for site in issued)
        yield ReloadProxy(cause="certificates were issued", needs_one=names)
        for site in issued:
            cause = "its certificate was issued"
            yield VerifySite(site=site, expect_real=True, cause=cause, scope=site.name, batch="issued")

    def _orphans(self, *, proxy: bool) -> Iterator[RemoveContainers]:
        """Remove containers that stackctl created for a service that the Compose file no longer has."""
        observed = self.observed
        known = {*observed.project.services, *self.stack.services}
        for service in sorted(observed.containers.services - known):
            containers = observed.containers.of(service)
            roles = {container.role for container in containers}
            if None not in roles and ("proxy" in roles) is proxy:
                yield self._remove(service, "the Compose file no longer has this service")

    def _remove(self, service: str, cause: str) -> RemoveContainers:
        ids = tuple(container.id for container in self.observed.containers.of(service))
        return RemoveContainers(service=service, ids=ids, cause=cause, scope=f"service:{service}")

    def _clean_up(self) -> Iterator[Operation]:
        for service in sorted(self.intent.stop):
            if self.observed.containers.of(service):
                yield self._remove(service, "its app is removed")
        yield from (orphan for orphan in self._orphans(proxy=False) if orphan.service not in self.intent.stop)
        for one in self.intent.delete:
            yield DeleteCertificate(held=one, cause="requested")

    def _held(self, site: Site) -> Held:
        return held(site, self.observed.shelf)

    def _dummy_fits(self, site: Site) -> bool:
        dummy = self._held(site).certificate
        return dummy is not None and set(dummy.names) >= set(site.domains)
