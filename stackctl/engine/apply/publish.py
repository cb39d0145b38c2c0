"""Publish after test: at no moment does the disk hold a configuration the proxy would not start with."""

from __future__ import annotations

from stackctl.engine.context import Context
from stackctl.errors import ProxyRejected, StackctlError
from stackctl.model.layout import CERTBOT_CONF, CERTS, GENERATIONS, PROXY_MOUNTS
from stackctl.model.stack import Stack
from stackctl.observed.ports import Output
from stackctl.observed.state import Observed
from stackctl.plan.operations import StageFiles

_OURS = {place.mount for place in PROXY_MOUNTS}


class Staging:
    """The files of the next generation, gathered until they are published."""

    def __init__(self, context: Context, stack: Stack, observed: Observed) -> None:
        self._context = context
        self._stack = stack
        self._observed = observed
        self._proxy = context.proxy_of(stack)
        self._generations = context.directory.generations(self._proxy.layout)
        self._live = dict(observed.live)
        self._staged: dict[str, StageFiles] = {}
        self.has_published = False

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to publish."""
        return not self._staged

    def stage(self, operation: StageFiles) -> None:
        """Take an operation's files up; they are not on disk yet."""
        self._staged[operation.scope or f"shared:{len(self._staged)}"] = operation

    def publish(self) -> list[tuple[StageFiles, StackctlError]]:
        """Test everything staged and make it live.

        A site that the proxy refuses is left as it was, and the others go live:
        returned are the operations that were parked so, with their errors.

        Raises:
            ProxyRejected: it refuses a file that all sites share; nothing went live.
        """
        parked: list[tuple[StageFiles, StackctlError]] = []
        while self._staged:
            files = self._merged()
            if files == self._live:
                break
            staged = self._generations.stage(files, self._proxy.marker)
            root = f"{GENERATIONS}/{staged.name}"
            tested = self._test(root)
            if tested.code == 0:
                self._generations.go_live(staged.name)
                self._live = files
                self.has_published = True
                break
            self._generations.discard(staged)
            rejection = self._proxy.explain(tested.text, root)
            error = ProxyRejected(
                f"{self._proxy.name} refuses it: {rejection.message}",
                where=rejection.where,
                hint="correct it and run 'stackctl up'; what is live was not touched",
            )
            if rejection.site is None or rejection.site not in self._staged:
                self._staged.clear()
                raise error
            parked.append((self._staged.pop(rejection.site), error))
        self._staged.clear()
        return parked

    def _merged(self) -> dict[str, bytes]:
        files = dict(self._live)
        for operation in self._staged.values():
            files.update(operation.files)
            for path in operation.leave_out:
                files.pop(path, None)
        return files

    def _test(self, root: str) -> Output:
        """By the running proxy where it is of the image that will run it; else by a container of that image."""
        proxy_service, observed, layout = self._stack.proxy, self._observed, self._proxy.layout
        command = self._proxy.test_command(root)
        image_id = self._context.images.image_id(proxy_service.image)
        resolved = observed.project.services[proxy_service.service]
        for container in self._context.orchestrator.containers(observed.project.name):
            current = container.image_id == image_id and container.config_hash == resolved.config_hash
            if container.service == proxy_service.service and container.running and current:
                return self._context.containers.execute(container.id, command)
        mounts = {layout.directory: layout.mount, **{place.path: place.mount for place in (CERTS, CERTBOT_CONF)}}
        # What a person mounted besides may be named by their own directives.
        ours = {layout.mount, *_OURS}
        own = (mount for mount in resolved.mounts if mount.kind == "bind" and mount.target not in ours)
        mounts |= {mount.source: mount.target for mount in own}
        return self._context.sandbox.run_once(proxy_service.image, command, mounts, layout.tmpfs)
