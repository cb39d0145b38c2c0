"""HTTP/3: the UDP port beside that of HTTPS."""

from __future__ import annotations

from dataclasses import dataclass, field

from stackctl.model.endpoints import HTTPS_PORT, PortBinding

_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Http3:
    """HTTP/3 for all sites.

    Attributes:
        at: where the UDP port 443 of the proxy's container is published on the host.
        where: ``file:line`` of the key.
    """

    at: PortBinding
    where: str = field(default="", compare=False)

    @property
    def published(self) -> str:
        """The item of Compose's ``ports``."""
        return f"{self.at}:{HTTPS_PORT}/udp"

    @property
    def alternative(self) -> str:
        """What tells browsers of it, as the value of ``Alt-Svc`` (RFC 7838)."""
        return f'h3=":{self.at.port}"; ma={_DAY}'
