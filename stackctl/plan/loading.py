"""Have the proxy load its files: start it, or reload it if it serves anything else, and verify the sites."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from stackctl.certs.held import held
from stackctl.certs.shelf import Shelf
from stackctl.model.routing import Site
from stackctl.model.stack import Stack
from stackctl.model.streams import is_port
from stackctl.observed.state import Observed
from stackctl.plan.files import ProxyFiles
from stackctl.plan.operation import Operation
from stackctl.plan.operations import ReloadProxy, VerifyGone, VerifySite
from stackctl.plan.removal import orphans, removal
from stackctl.plan.services import start_cause, start_proxy


@dataclass(frozen=True, slots=True)
class Loading:
    """What decides whether the proxy has to load its files.

    Attributes:
        sites: those of the change.
        before: the certificates before the change.
        files: the files of the change.
        imports: the operations that store certificates.
    """

    stack: Stack
    sites: Sequence[Site]
    observed: Observed
    before: Shelf
    files: ProxyFiles
    imports: Sequence[Operation]

    @property
    def secure(self) -> bool:
        """Whether the proxy serves HTTPS, by which a site is verified."""
        return self.stack.proxy.https is not None

    def run(self, *, published: bool) -> Iterator[Operation]:
        """Run the proxy with the files on disk, of which new ones were ``published`` or not, and verify the sites."""
        proxy_service = self.stack.proxy
        start = start_cause(self.observed, proxy_service.service)
        reload_cause = None if start else self._reload_cause(published=published)
        if start:
            if proxy_service.service in self.observed.restarting:
                # Docker waits longer before each restart: a new container starts at once, with a log of its own.
                yield removal(self.observed, proxy_service.service, start)
            # A proxy under another service name holds the ports.
            yield from orphans(self.stack, self.observed, proxy=True)
            yield from start_proxy(self.stack, start, self.observed)
        elif reload_cause:
            yield ReloadProxy(cause=reload_cause, if_published=published)
        if start or reload_cause:
            yield from (self._verify(site, "the proxy loaded its files") for site in self.sites if self.secure)
            # A name under a wildcard is served on, by the site of that.
            gone = (name for name in self.files.gone() if self.stack.site_of(name) is None and not is_port(name))
            for name in sorted(gone) if self.secure else ():
                yield VerifyGone(name=name, cause=f"{name} is no longer routed")

    def renewed(self, *, published: bool) -> Iterator[Operation]:
        """Reload the proxy if it does not yet serve the certificates on disk."""
        cause = self._reload_cause(published=published) if self.observed.generation else None
        if cause:
            yield ReloadProxy(cause=cause)
            yield from (self._verify(site, cause) for site in self.sites if self.secure)

    def _verify(self, site: Site, cause: str) -> VerifySite:
        there = held(site, self.observed.shelf)
        # What is on disk changes what names are served with only after the certificates are issued.
        changes = there != held(site, self.before)
        planned = frozenset(one.fingerprint for one in there.witnesses.values() if one and changes)
        return VerifySite(
            site=site, expect_real=there.real, planned=planned, cause=cause, scope=site.name, batch="loaded"
        )

    def _reload_cause(self, *, published: bool) -> str | None:
        if published:
            return "its files changed"
        if self.observed.generation != self.observed.published:
            return "it runs another generation than the live one"
        # A handshake shows the leaf alone: another chain of the same leaf is not seen there.
        for site in self.sites:
            if any(site.name in one.scopes for one in self.imports):
                return f"another certificate of {site.name} is stored"
            there = held(site, self.observed.shelf)
            shown = self.observed.served_second.get(site.name)
            seen = there.second is not None and site.name in self.observed.served_second
            if there.second and seen and (shown is None or shown.fingerprint != there.second.certificate.fingerprint):
                return f"{site.name} is not served with its second certificate on disk"
            for name, expected in there.witnesses.items():
                served = self.observed.served.get(name)
                if name not in self.observed.served or expected is None:
                    continue
                if served is None or served.fingerprint != expected.fingerprint:
                    return f"{name} is not served with the certificate on disk"
        return None
