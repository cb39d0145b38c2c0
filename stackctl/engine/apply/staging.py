"""Publish after a test: the live files are at no moment a configuration with which the proxy would not start."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from stackctl.engine.context import Context
from stackctl.errors import ProxyRejected, StackctlError
from stackctl.model.stack import Stack
from stackctl.model.values import Domain
from stackctl.observed.state import Observed
from stackctl.plan.operations import StageFiles


class Staging:
    """The files of the next generation, collected until they are published."""

    def __init__(self, context: Context, stack: Stack, observed: Observed) -> None:
        self._context = context
        self._stack = stack
        self._observed = observed
        self._proxy = context.proxy_of(stack)
        self._delivery = context.delivery(self._proxy.layout)
        self._live = dict(observed.live)
        self._staged: dict[str, StageFiles] = {}
        self._failed: set[Domain] = set()
        self.has_published = False

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to publish."""
        return not self._staged

    def stage(self, operation: StageFiles, failed: Collection[str]) -> None:
        """Add an operation's files; they are not on disk yet. ``failed`` are the sites that failed so far."""
        self._failed.update(site.name for site in self._stack.sites if site.name in failed)
        self._staged[operation.scope or f"shared:{len(self._staged)}"] = operation

    def publish(self) -> list[tuple[StageFiles, StackctlError]]:
        """Test everything staged and make it live.

        A site that the proxy rejects keeps its live files, and the others go live. Returns the
        operations that were parked for this reason, with their errors.

        Raises:
            ProxyRejected: the proxy rejects a file that all sites share; nothing went live.
        """
        parked: list[tuple[StageFiles, StackctlError]] = []
        while self._staged:
            files = self._merged()
            if files == self._live:
                break
            staged = self._delivery.stage(files, self._proxy.marker)
            command = self._proxy.test_command(staged.folder)
            tested = self._delivery.test(command, self._observed.project, self._stack.proxy.service)
            if tested.code == 0:
                self._delivery.go_live(staged.name)
                self._live = files
                self.has_published = True
                break
            self._delivery.discard(staged)
            rejection = self._proxy.explain(tested.text, staged.folder, files)
            error = ProxyRejected(
                f"{self._proxy.name} rejects it: {rejection.message}",
                where=rejection.where,
                hint=rejection.hint or "correct it and run 'stackctl up'; the live configuration is unchanged",
            )
            if rejection.site is None or rejection.site not in self._staged:
                self._staged.clear()
                raise error
            parked.append((self._staged.pop(rejection.site), error))
            self._failed.add(rejection.site)
        self._staged.clear()
        return parked

    def _merged(self) -> dict[str, bytes]:
        files: dict[str, bytes] = dict(self._live)
        for operation in self._staged.values():
            if operation.without is not None and self._failed:
                shared = [path for path in files if self._proxy.site_of(path) is None]
                changes: Mapping[str, bytes | None] = {
                    **dict.fromkeys(shared),
                    **operation.without(self._failed, self._live),
                }
            else:
                changes = {**operation.files, **dict.fromkeys(operation.leave_out)}
            files = {path: body for path, body in {**files, **changes}.items() if body is not None}
        return files
