"""How a service is deployed: when a new container gets requests, and why two may not run at once."""

from __future__ import annotations

from dataclasses import dataclass

from stackctl.model.health import HealthCheck
from stackctl.model.values import ServiceName

READY_SECONDS = 60.0
"""How long a new container may take until it is ready, unless the file or its own health check says more."""

DRAIN_SECONDS = 30.0
"""How long requests to an old container may go on, unless the file says otherwise."""

CANARY_ROLE = "canary"
"""The label ``stackctl.role`` of a service that 'deploy --canary' wrote beside another."""

_CANARY = "-canary"


def canary_of(service: str) -> ServiceName:
    """Return the name of the canary of a service."""
    return ServiceName(f"{service}{_CANARY}")


def base_of(canary: str) -> ServiceName:
    """Return the service that a canary is the newer version of."""
    return ServiceName(canary.removesuffix(_CANARY))


@dataclass(frozen=True, slots=True)
class Reason:
    """Why the old container is stopped first, and ``file:line`` of what says so."""

    text: str
    where: str

    def __str__(self) -> str:
        return f"{self.text} ({self.where})"


@dataclass(frozen=True, slots=True)
class DeploySettings:
    """How one service is deployed.

    Attributes:
        before: the command that runs in a one-off container of the new image first; empty for none.
        drain: how long requests to an old container may go on, in seconds.
        timeout: how long a new container may take until it is ready, in seconds; None for the default.
        health: the request by which a container without a health check of its own is ready.
        skip_health: whether a new container only has to run.
        stop_first: why two of its containers cannot run at once; None if they can.
        start_first: whether the file says that they can, whatever volumes they write to.
        where: ``file:line`` of the service.
    """

    before: tuple[str, ...] = ()
    drain: float = DRAIN_SECONDS
    timeout: float | None = None
    health: HealthCheck | None = None
    skip_health: bool = False
    stop_first: Reason | None = None
    start_first: bool = False
    where: str = ""
