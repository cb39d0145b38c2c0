"""Publish after a test: the live files are at no moment a configuration with which the proxy would not start."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatch

from stackctl.certs.held import held
from stackctl.engine.context import Context
from stackctl.errors import ProxyRejected
from stackctl.model.stack import Stack
from stackctl.model.values import Domain
from stackctl.observed.delivery import Staged
from stackctl.observed.state import Observed
from stackctl.plan.certificates import second_scope
from stackctl.plan.operations import StageFiles
from stackctl.proxies.proxy import Files, Rejection
from stackctl.proxies.sites import Rendering, site_tls

MOST_PARKED = 20
"""How many live sites one publishing takes out: if more fail, the fault is not in the files of sites."""


@dataclass(frozen=True, slots=True)
class Published:
    """The result of a publishing.

    Attributes:
        rejected: the operations whose files the proxy rejects, with their errors; their sites are unchanged.
        parked: the live sites that the proxy rejects by now, with their errors; they were taken out.
    """

    rejected: tuple[tuple[StageFiles, ProxyRejected], ...] = ()
    parked: tuple[tuple[Domain, ProxyRejected], ...] = ()


class Staging:
    """The files of the next generation, collected until they are published."""

    def __init__(self, context: Context, stack: Stack, observed: Observed) -> None:
        self._stack = stack
        self._observed = observed
        self._proxy = context.proxy_of(stack)
        self._delivery = context.delivery(self._proxy.layout)
        self._rendering = Rendering(self._proxy, observed.version, observed.custom)
        self._live = dict(observed.live)
        self._staged: dict[str, StageFiles] = {}
        self._failed: set[Domain] = set()
        self.has_published = False

    @property
    def live(self) -> Files:
        """The files that are live."""
        return self._live

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to publish."""
        return not self._staged

    def stage(self, operation: StageFiles, failed: Collection[str]) -> None:
        """Add an operation's files; they are not on disk yet. ``failed`` are the scopes that failed so far."""
        self._failed.update(site.name for site in self._stack.sites if site.name in failed)
        both = (second_scope(site.name) for site in self._stack.sites if site.second_key is not None)
        self._failed.update(scope for scope in both if scope in failed)
        self._failed.update(stream.name for stream in self._stack.streams if stream.name in failed)
        self._staged[operation.scope or f"shared:{len(self._staged)}"] = operation

    def publish(self) -> Published:
        """Test everything staged, and make it live; without anything staged, test the live files.

        A site whose new files the proxy rejects keeps its live ones. A site whose live files it rejects, whatever
        else is staged, is replaced by what is rendered for it now, or else taken out. All others go live.

        Raises:
            ProxyRejected: the proxy rejects a file that all sites share; nothing went live.
        """
        rejected: list[tuple[StageFiles, ProxyRejected]] = []
        parked: dict[Domain, ProxyRejected] = {}
        replaced: set[Domain] = set()
        base = self._live
        try:
            while True:
                files = self._merged(base)
                if files == self._live and self._staged:
                    break
                rejection = self._tested(files)
                if rejection is None:
                    break
                rejection = self._staged_cause(base, rejection)
                if rejection.site in self._staged:
                    rejected.append((self._staged.pop(rejection.site), self._error(rejection)))
                    self._failed.add(rejection.site)
                    replaced.add(rejection.site)
                    if not self._staged and base is self._live:
                        break
                    continue
                site, rejection = self._live_cause(base, rejection)
                if site is None or len(parked) == MOST_PARKED:
                    raise self._error(rejection)
                base, fresh = self._without(base, {site}), self._fresh(base, site)
                if fresh is not None and site not in replaced:
                    replaced.add(site)
                    base |= fresh
                else:
                    parked[site] = _parking(self._error(rejection), site)
                    self._failed.add(site)
                    base |= self._proxy.parked_note(site, str(self._error(rejection)))
        finally:
            self._staged.clear()
        return Published(tuple(rejected), tuple(parked.items()))

    def announce(self) -> bool:
        """Let what goes live next be resolved already, if that passes; return whether there is anything to resolve."""
        wanted = self._merged(self._live)
        ahead = dict(self._proxy.announced(self._live, wanted))
        return ahead != self._live and self._tried(wanted) is None and self._tested(ahead) is None

    def _tested(self, files: dict[str, bytes]) -> Rejection | None:
        """Stage and test ``files``, and make them live if they pass; else return the rejection."""
        staged, rejection = self._test(files)
        if rejection is not None:
            self._delivery.discard(staged)
        elif files != self._live:
            self._delivery.go_live(staged.name)
            self._live = files
            self.has_published = True
        return rejection

    def _test(self, files: Files) -> tuple[Staged, Rejection | None]:
        staged = self._delivery.stage(files, self._proxy.marker)
        command = self._proxy.test_command(staged.folder)
        tested = self._delivery.test(command, self._observed.project, self._stack.proxy.service)
        return staged, self._proxy.explain(tested.text, staged.folder, files) if tested.code else None

    def _staged_cause(self, base: Files, rejection: Rejection) -> Rejection:
        """Return the rejection with the staged site that causes it, if it names no site."""
        if rejection.site is not None:
            return rejection
        sites = [Domain(one.scope) for one in self._staged.values() if one.scope is not None]
        return _first_to_fail(sites, lambda kept: self._tried(self._merged(base, set(sites) - set(kept)))) or rejection

    def _live_cause(self, base: dict[str, bytes], rejection: Rejection) -> tuple[Domain | None, Rejection]:
        """Return the live site to take out, with its rejection; None if what is staged for all is at fault."""
        live = self._proxy.sites_in(base)
        if not live:
            return None, rejection
        if self._staged:
            found = self._tried(base)
            if found is None:
                return None, rejection
            rejection = found if found.site in live or rejection.site is None else rejection
        if rejection.site is None:
            sites = sorted(live)
            rejection = _first_to_fail(sites, lambda kept: self._tried(self._only(base, kept))) or rejection
        return (rejection.site if rejection.site in live else None), rejection

    def _tried(self, files: Files) -> Rejection | None:
        staged, rejection = self._test(files)
        self._delivery.discard(staged)
        return rejection

    def _only(self, base: Files, kept: Sequence[Domain]) -> Files:
        """Return ``base`` with these of its sites only."""
        return self._without(base, self._proxy.sites_in(base) - set(kept))

    def _error(self, rejection: Rejection) -> ProxyRejected:
        return ProxyRejected(
            f"{self._proxy.name} rejects it: {rejection.message}",
            where=rejection.where,
            hint=rejection.hint or "correct it and run 'stackctl up'; the live configuration is unchanged",
        )

    def _fresh(self, base: Files, name: Domain) -> Files | None:
        """Return the files of a site as they are rendered now, if they are others than in ``base``."""
        site = self._stack.site(name)
        sites = [site] if site is not None and site.name == name else []
        if not sites and self._stack.stream(name) is None:
            return None
        tls = {one.name: site_tls(one, held(one, self._observed.shelf)) for one in self._stack.sites}
        fresh = self._rendering.render(self._stack, sites, tls).of(name)
        live = {path: body for path, body in base.items() if self._proxy.site_of(path) == name}
        return fresh if fresh != live else None

    def _without(self, base: Files, names: Collection[Domain]) -> dict[str, bytes]:
        """Return ``base`` without these sites; where shared files serve them, they are rendered without them."""
        left = {path: body for path, body in base.items() if self._proxy.site_of(path) not in names}
        if self._proxy.sites_in(left).isdisjoint(names):
            return left
        kept = self._proxy.sites_in(base).difference(names)
        sites = tuple(site for site in self._stack.sites if site.name in kept)
        tls = {site.name: site_tls(site, held(site, self._observed.shelf)) for site in sites}
        shared = self._rendering.render(replace(self._stack, sites=sites), (), tls).shared
        return {path: body for path, body in left.items() if self._proxy.site_of(path) is not None} | dict(shared)

    def _merged(self, base: Files, left_out: Collection[Domain] = ()) -> dict[str, bytes]:
        """Return ``base`` with what is staged, except for the sites ``left_out``."""
        files: dict[str, bytes] = dict(base)
        failed = self._failed.union(left_out)
        for operation in self._staged.values():
            if operation.scope in left_out:
                continue
            if operation.without is not None and failed:
                lasting = self._proxy.layout.definitions
                shared = [path for path in files if self._proxy.site_of(path) is None and not fnmatch(path, lasting)]
                changes: Mapping[str, bytes | None] = {
                    **dict.fromkeys(shared),
                    **operation.without(failed, base),
                }
            else:
                changes = {**operation.files, **dict.fromkeys(operation.leave_out)}
            files = {path: body for path, body in {**files, **changes}.items() if body is not None}
        return files


def _first_to_fail(sites: Sequence[Domain], tried: Callable[[Sequence[Domain]], Rejection | None]) -> Rejection | None:
    """Return the rejection of the first site that fails after those before it; None if it fails without any.

    All of them are known to fail. The first is found by halving, because each try starts a container.
    """
    if not sites or tried(()) is not None:
        return None
    passing, failing = 0, len(sites)
    rejection: Rejection | None = None
    while failing - passing > 1 or rejection is None:
        middle = (passing + failing + 1) // 2 if failing - passing > 1 else failing
        found = tried(sites[:middle])
        if found is None:
            passing = middle
        else:
            failing, rejection = middle, found
    return replace(rejection, site=sites[failing - 1])


def _parking(error: ProxyRejected, site: Domain) -> ProxyRejected:
    """Return the error of a live site that was taken out, with what brings it back."""
    return ProxyRejected(
        f"{site} is parked, so that all other sites are served: {error.message}",
        where=error.where,
        hint=f"{site} is not served until the cause is gone: correct it, then run 'stackctl up'",
    )
