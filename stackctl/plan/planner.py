"""Desired and observed state to operations. No Docker, no disk, no clock."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from stackctl.certs.ledger import Refusal
from stackctl.certs.lineage import Lineage
from stackctl.certs.request import CertificateRequest
from stackctl.model.names import Domain
from stackctl.model.stack import LETSENCRYPT_STAGING, App, Stack
from stackctl.plan.observed import Observed
from stackctl.plan.operations import (
    DeleteCertificate,
    HoldBack,
    Issue,
    MakeDirectories,
    MakeDummy,
    Operation,
    Plan,
    Publish,
    ReloadProxy,
    RemoveContainers,
    StageFiles,
    StartProxy,
    StartService,
    VerifyGone,
    VerifySite,
    WriteCaBundle,
    WriteStackfile,
)
from stackctl.plan.services import pull_image, start_cause, start_services
from stackctl.render.proxy import Files, Proxy
from stackctl.render.sites import Rendering, issued_tls, site_tls


@dataclass(frozen=True, slots=True)
class Wish:
    """What a command wants of a plan, besides the stack itself.

    Attributes:
        stackfile: the Compose file's text as it should be.
        focus: the apps it is about; None for all of them and every other service.
        issue: whether certificates that are missing are asked for.
        renew: causes, by app, to ask for a certificate that is there.
        force: the apps among them whose certificate is replaced although it is not due.
        ledger: whether the ledger may hold a request back; ``unattended`` lets failures in a row do so too.
        stop: services that are to run no more.
        delete: lineages to delete.
        ca_bundle: what a private CA is trusted by; None leaves what is there.
    """

    stackfile: str
    focus: frozenset[Domain] | None = None
    issue: bool = True
    renew: dict[Domain, str] | None = None
    force: frozenset[Domain] = frozenset()
    ledger: bool = True
    unattended: bool = False
    stop: frozenset[str] = frozenset()
    delete: tuple[str, ...] = ()
    ca_bundle: bytes | None = None


def make_plan(stack: Stack, wish: Wish, observed: Observed, rendering: Rendering) -> Plan:
    """The operations that turn ``observed`` into ``stack``; empty where nothing has to change."""
    return Plan(tuple(_Planner(stack, wish, observed, rendering).operations()))


class _Planner:
    def __init__(self, stack: Stack, wish: Wish, observed: Observed, rendering: Rendering) -> None:
        self.stack = stack
        self.wish = wish
        self.observed = observed
        self.rendering = rendering
        # Sites that are live are kept right whatever the command is about: one whose certificate was
        # lost would otherwise stop every other site's change.
        self.live = _by_site(observed.live, rendering.proxy)
        focus = frozenset(app.name for app in stack.apps) if wish.focus is None else wish.focus
        self.sites = [app for app in stack.apps if app.name in focus or app.name in self.live]
        self.apps = [app for app in stack.apps if app.name in focus]

    def operations(self) -> Iterator[Operation]:
        observed = self.observed
        if self.wish.renew is None:
            yield from self._prepare()
            yield from start_services(
                self.stack, self.apps, self.wish.stop, everything=self.wish.focus is None, observed=observed
            )
            first = list(self._stage())
            yield from first
            yield from self._run_proxy(published=bool(first))
        requests = list(self._requests())
        yield from requests
        asked = [request.request.lineage for request in requests if isinstance(request, Issue)]
        if asked:
            yield from self._switch(asked)
        yield from self._clean_up()

    def _prepare(self) -> Iterator[Operation]:
        observed = self.observed
        if observed.missing:
            yield MakeDirectories(paths=observed.missing, cause="not there yet")
        if self.wish.ca_bundle not in {None, observed.ca_bundle}:
            yield WriteCaBundle(content=self.wish.ca_bundle or b"", cause="asked for")
        if observed.stackfile != self.wish.stackfile:
            cause = "not there yet" if observed.stackfile is None else "the stack changes"
            yield WriteStackfile(content=self.wish.stackfile, cause=cause)
        for app in self.sites:
            if not self._real(app) and not self._dummy_fits(app):
                yield MakeDummy(app=app.name, names=app.domains, cause="no certificate yet", scope=app.name)

    def _stage(self) -> Iterator[Operation]:
        """Stage and publish what differs from the live files."""
        live = self.observed.live
        staged = False
        changed = _difference(self.rendering.shared(self.stack), self.live.get(None, {}))
        if changed[0] or changed[1]:
            staged = True
            yield StageFiles(files=changed[0], leave_out=changed[1], cause=_cause(live, changed[1]))
        for app in self.sites:
            wanted = self._site(app, issued=False)
            files, surplus = _difference(wanted, self.live.get(app.name, {}))
            if files or surplus:
                staged = True
                cause = f"{app.name} changed" if self.live.get(app.name, {}) else f"{app.name} is new"
                yield StageFiles(files=files, leave_out=surplus, cause=cause, scope=app.name)
        for name in self._gone():
            staged = True
            paths = tuple(sorted(self.live[name]))
            yield StageFiles(files={}, leave_out=paths, cause=f"{name} is routed no more")
        if staged:
            yield Publish(cause="the proxy's files change")

    def _gone(self) -> list[Domain]:
        """Sites that are live and that no app is any more."""
        wanted = {app.name for app in self.stack.apps}
        return [Domain(name) for name in sorted(self.live.keys() - {None} - wanted, key=str) if name]

    def _run_proxy(self, *, published: bool) -> Iterator[Operation]:
        edge, certbot = self.stack.edge, self.stack.certbot
        yield from pull_image(self.observed, edge.service, None)
        start = start_cause(self.observed, edge.service)
        reload_cause = None if start else self._reload_cause(published=published)
        if start:
            yield StartProxy(service=edge.service, cause=start)
        elif reload_cause:
            yield ReloadProxy(cause=reload_cause)
        if start or reload_cause:
            for app in self.apps:
                yield VerifySite(app=app, expect_real=self._real(app), cause="the proxy took files up", scope=app.name)
            for name in self._gone():
                yield VerifyGone(name=name, cause=f"{name} is routed no more")
        cause = start_cause(self.observed, certbot)
        if cause:
            yield from pull_image(self.observed, certbot, f"service:{certbot}")
            yield StartService(service=certbot, cause=cause, scope=f"service:{certbot}")

    def _reload_cause(self, *, published: bool) -> str | None:
        if published:
            return "its files changed"
        if self.observed.generation != self.observed.published:
            return "it runs another generation than the live one"
        for app in self.apps:
            if app.name in self.observed.served:
                meant = self._certificate_fingerprint(app)
                served = self.observed.served[app.name]
                if meant and (served is None or served.fingerprint != meant):
                    return f"{app.name} is not served with the certificate on disk"
        return None

    def _certificate_fingerprint(self, app: App) -> str | None:
        lineage = self._lineage(app)
        if lineage is not None and lineage.usable and lineage.certificate:
            return lineage.certificate.fingerprint
        dummy = self.observed.dummies.get(app.name)
        return dummy.fingerprint if dummy else None

    def _requests(self) -> Iterator[Issue | HoldBack]:
        for app in self.apps:
            cause = self._issue_cause(app)
            if cause is None:
                continue
            lineage = self._lineage(app)
            force = app.name in self.wish.force or (lineage is not None and self._to_promote(lineage))
            request = CertificateRequest(app.name, app.domains, force=force)
            refusal = self._refusal(app)
            if refusal is None:
                yield Issue(request=request, paced=self.wish.ledger, cause=cause, scope=app.name)
            else:
                yield HoldBack(request=request, until=refusal.until, cause=refusal.reason, scope=app.name)

    def _refusal(self, app: App) -> Refusal | None:
        ledger, now = self.observed.ledger, self.observed.now
        refusal = ledger.refusal(self.stack.acme.directory, app.domains, now) if self.wish.ledger else None
        return refusal or (ledger.backoff(app.domains, now) if self.wish.unattended else None)

    def _to_promote(self, lineage: Lineage) -> bool:
        """Whether it is a certificate of the staging CA in a stack that has left staging."""
        return lineage.from_staging and self.stack.acme.directory != LETSENCRYPT_STAGING

    def _issue_cause(self, app: App) -> str | None:
        if self.wish.renew is not None:
            return self.wish.renew.get(app.name)
        if not self.wish.issue:
            return None
        return self._fault(app, self._lineage(app))

    def _fault(self, app: App, lineage: Lineage | None) -> str | None:
        """Why a lineage is not what the app needs, or None."""
        if lineage is None:
            return "it has none yet"
        if not lineage.usable or lineage.certificate is None:
            return f"the one on disk cannot be used: {lineage.problem}"
        if frozenset(app.domains) != frozenset(lineage.certificate.names):
            return "its names changed"
        return "the one on disk is of the staging CA" if self._to_promote(lineage) else None

    def _switch(self, scopes: Collection[Domain]) -> Iterator[Operation]:
        """After the issuing: the sites on their real certificates."""
        issued = [app for app in self.apps if app.name in scopes]
        for app in issued:
            wanted = self._site(app, issued=True)
            before = self._site(app, issued=False)
            files, surplus = _difference(wanted, before)
            if files or surplus:
                yield StageFiles(files=files, leave_out=surplus, cause="its certificate is issued", scope=app.name)
        if any(self._site(app, issued=True) != self._site(app, issued=False) for app in issued):
            yield Publish(cause="certificates were issued")
        yield ReloadProxy(cause="certificates were issued", after=frozenset(scopes))
        for app in issued:
            yield VerifySite(app=app, expect_real=True, cause="its certificate was issued", scope=app.name)

    def _clean_up(self) -> Iterator[Operation]:
        known = set(self.observed.project.services)
        for service in sorted({container.service for container in self.observed.containers}):
            containers = self.observed.containers_of(service)
            orphan = service not in known and all(c.role is not None for c in containers)
            if orphan or service in self.wish.stop:
                cause = "its app is removed" if service in self.wish.stop else "the file has no such service any more"
                ids = tuple(container.id for container in containers)
                yield RemoveContainers(service=service, ids=ids, cause=cause, scope=f"service:{service}")
        for lineage in self.wish.delete:
            if lineage in self.observed.lineages:
                yield DeleteCertificate(lineage=lineage, cause="asked for")

    def _lineage(self, app: App) -> Lineage | None:
        return self.observed.lineages.get(app.name)

    def _real(self, app: App) -> bool:
        lineage = self._lineage(app)
        return lineage is not None and lineage.usable

    def _dummy_fits(self, app: App) -> bool:
        dummy = self.observed.dummies.get(app.name)
        return dummy is not None and set(dummy.names) >= set(app.domains)

    def _site(self, app: App, *, issued: bool) -> Files:
        tls = issued_tls(app) if issued else site_tls(app, self._lineage(app))
        return self.rendering.site(self.stack, app, tls)


def _by_site(live: Files, proxy: Proxy) -> dict[str | None, dict[str, bytes]]:
    """The live files of each site; those all sites share are under None."""
    sites: dict[str | None, dict[str, bytes]] = {}
    for path, body in live.items():
        sites.setdefault(proxy.site_of(path), {})[path] = body
    return sites


def _difference(wanted: Files, live: Files) -> tuple[Files, tuple[str, ...]]:
    """What to write, and what to leave out."""
    changed = {path: body for path, body in wanted.items() if live.get(path) != body}
    return changed, tuple(sorted(set(live) - set(wanted)))


def _cause(live: Files, surplus: tuple[str, ...]) -> str:
    if not live:
        return "not there yet"
    return "no longer wanted" if surplus else "settings of all sites changed"
