"""The wire of the fake engine: what a client of the published ports sees."""
# ruff: noqa: D102  (the protocol says what its methods do)

from __future__ import annotations

from collections.abc import Sequence

from stackctl.adapters.fakes.compose import Run
from stackctl.adapters.fakes.faults import Faults
from stackctl.certs.lineage import Certificate
from stackctl.model.endpoints import HTTP_PORT, HTTPS_PORT, Endpoint, PortBinding
from stackctl.model.streams import Transport
from stackctl.model.values import Domain
from stackctl.model.wildcards import wildcard_of

MEANWHILE = 40000
"""What is added to the ports of a server that runs meanwhile."""


class FakeWire:
    """The part of the fake engine that answers on its published ports, and at its containers' addresses."""

    faults: Faults
    images: dict[str, tuple[int, ...]]
    outside: set[tuple[str, int]]
    taken: dict[int, str]
    loaded: dict[str, Certificate]
    loaded_second: dict[str, Certificate]
    loaded_generation: str | None
    runs: dict[str, Run]
    meanwhile: str | None = None
    """The generation of the proxy that runs meanwhile."""

    def _proxy(self, target: int, at: PortBinding | None = None) -> bool:
        """Return whether a proxy is running that publishes ``target`` at an address."""
        return any(
            port.is_tcp and port.target == target and at in {None, port.at}
            for run in list(self.runs.values())  # a meter asks from a thread of its own
            if run.container.running and run.service.role == "proxy"
            for port in run.service.ports
        )

    def generation(self, http: PortBinding) -> str | None:
        if http.port > MEANWHILE:
            return self.meanwhile
        return self.loaded_generation if self._proxy(HTTP_PORT, http) else None

    def served(
        self, https: PortBinding, names: Sequence[Domain], *, rsa: bool = False
    ) -> dict[Domain, Certificate | None]:
        there = (self.loaded_second if rsa else self.loaded) if self._proxy(HTTPS_PORT, https) else {}
        return {name: there.get(name) or there.get(wildcard_of(name)) for name in names}

    def offered(self, https: PortBinding, names: Sequence[Domain]) -> dict[Domain, Certificate | None]:
        return self.served(https, names)

    def responds(self, http: PortBinding) -> bool:
        return self._proxy(HTTP_PORT, http)

    def speaks_quic(self, at: PortBinding) -> bool:
        return self.owner(at, Transport.UDP) is not None and not self.faults.drops_udp

    def answers(self, at: Endpoint) -> bool:
        for run in self.runs.values():
            if at.host in run.container.addresses and run.container.running:
                exposed = self.images.get(run.service.image or "")
                return run.service.name not in self.faults.silent and (not exposed or at.port in exposed)
        return (at.host, at.port) in self.outside

    def refuses(self, at: Endpoint) -> bool:
        return any(at.host in run.container.addresses for run in self.runs.values()) and not self.answers(at)

    def owner(self, at: PortBinding, transport: Transport = Transport.TCP) -> str | None:
        ports = [port for run in self.runs.values() if run.container.running for port in run.service.ports]
        if any((port.at, port.transport) == (at, transport) for port in ports):
            return "docker-proxy"
        return self.taken.get(at.port) if transport is Transport.TCP else None
