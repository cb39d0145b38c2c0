"""The operations of a deploy: new containers take the place of old ones, and no request is lost."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from stackctl.model.deploying import DeploySettings
from stackctl.model.values import ServiceName
from stackctl.plan.operation import Operation
from stackctl.plan.operations import StageFiles
from stackctl.wording import listed


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployOperation(Operation):
    """One step of a deploy of ``service``."""

    service: ServiceName


@dataclass(frozen=True, slots=True, kw_only=True)
class RunBefore(DeployOperation):
    """Run a command in a one-off container of the new definition; with ``joins`` that of a canary."""

    command: tuple[str, ...]
    joins: bool = False

    @property
    def text(self) -> str:
        return f"run '{shlex.join(self.command)}' in a one-off container of {self.service}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteOperation(DeployOperation):
    """Let the proxy send requests to some containers; the ``old`` ones listen on ``ports_before``.

    These are pairs of a port in the new files and the one that it was before.
    """

    old: tuple[str, ...]
    ports_before: tuple[tuple[int, int], ...] = ()

    def ports_of(self, container: str) -> dict[int, int]:
        """Return the ports that a container has instead of those in the files."""
        return dict(self.ports_before if container in self.old else ())


@dataclass(frozen=True, slots=True, kw_only=True)
class PinService(RouteOperation):
    """Let the proxy send requests to the addresses of these containers only, by whatever their name resolves to."""

    ids: tuple[str, ...]
    labels: tuple[str, ...]

    @property
    def text(self) -> str:
        return f"send requests for {self.service} to {listed(self.labels)} only"


@dataclass(frozen=True, slots=True, kw_only=True)
class StartBeside(DeployOperation):
    """Start containers of the new definition, until there are ``count`` besides the ``old`` ones.

    ``starts`` of them did not exist when it was planned. With ``joins`` they are those of a canary.
    """

    old: tuple[str, ...]
    count: int
    starts: int
    joins: bool = False

    @property
    def text(self) -> str:
        what = "a new container" if self.starts == 1 else f"{self.starts} new containers"
        return f"start {what} of {self.service}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitNew(DeployOperation):
    """Wait until each container besides the ``old`` ones is ready; one that is not in time is removed again.

    With ``joins`` they are those of a canary that no client gets yet.
    """

    old: tuple[str, ...]
    ports: tuple[int, ...]
    settings: DeploySettings
    joins: bool = False

    @property
    def text(self) -> str:
        if self.settings.skip_health:
            return f"check that the new containers of {self.service} run"
        return f"wait until the new containers of {self.service} are ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchService(RouteOperation):
    """Let the proxy send requests to all containers but those that are ``leaving``; ``labels`` are those of this step.

    ``first`` are files that go live with it: another port of the service counts from this moment on.
    """

    leaving: tuple[str, ...]
    labels: tuple[str, ...]
    first: tuple[StageFiles, ...] = ()

    @property
    def text(self) -> str:
        without = f", and none to {listed(self.labels)}" if self.labels else ""
        return f"send requests for {self.service} to its other containers{without}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRouting(DeployOperation):
    """Let the proxy send no request to a service, all of whose containers are removed next."""

    @property
    def text(self) -> str:
        return f"send no more requests to {self.service}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drain(DeployOperation):
    """Wait until no worker of the proxy may have a request to one of the ``leaving`` containers.

    With ``whole`` they are all containers of the service.
    """

    leaving: tuple[str, ...]
    seconds: float
    whole: bool = False

    @property
    def text(self) -> str:
        which = "containers" if self.whole else "old containers"
        return f"wait for the last requests to the {which} of {self.service}, at most {self.seconds:g} s"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetireContainers(DeployOperation):
    """Stop and remove old containers; volumes stay."""

    ids: tuple[str, ...]
    labels: tuple[str, ...]

    @property
    def text(self) -> str:
        return f"stop and remove {listed(self.labels)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaceService(DeployOperation):
    """Stop the old containers first, then start the new ones; the gap is measured."""

    old: tuple[str, ...]
    ports: tuple[int, ...]
    settings: DeploySettings

    @property
    def text(self) -> str:
        return f"stop {self.service}, and start it anew"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpinServices(Operation):
    """Let the proxy send requests for services to their names again; also after a deploy that failed."""

    services: tuple[ServiceName, ...]

    @property
    def text(self) -> str:
        return f"send requests for {listed(self.services)} by name again"
