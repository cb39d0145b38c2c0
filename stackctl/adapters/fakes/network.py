"""The network outside the fake engine's host: every name resolves to this host unless configured otherwise."""
# ruff: noqa: D102  (the protocol says what its methods do)

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from cryptography.x509 import Certificate

from stackctl.adapters.fakes.engine import FakeEngine
from stackctl.model.layout import WEBROOT
from stackctl.observed.network import Answer, CaDirectory, Fetched, Lookup, Reach


class FakeNetwork:
    """The :class:`~stackctl.observed.wire.Network` of one stack directory.

    ``records`` are those of names that are not led here: by name and kind. ``servers`` are what others
    answer at their addresses. ``ahead`` is how far the host's clock is off; None where no CA answers.
    """

    own = "192.0.2.1"
    """This host's address."""
    ipv6 = True
    """Whether the kernel has IPv6."""

    def __init__(self, root: Path, engine: FakeEngine) -> None:
        self._root, self._engine = root, engine
        self.records: dict[tuple[str, str], Lookup] = {}
        self.servers: dict[str, Fetched] = {}
        self.ahead: timedelta | None = timedelta()
        self.roots: Sequence[Certificate] = ()

    def take_over(self, other: FakeNetwork) -> None:
        """Copy the configuration of ``other``."""
        self.records, self.servers, self.ahead = dict(other.records), dict(other.servers), other.ahead

    def lookup(self, name: str, kind: str) -> Lookup:
        usual = Lookup(Answer.FOUND, (self.own,)) if kind == "A" else Lookup(Answer.EMPTY)
        return self.records.get((name, kind), usual)

    def has_ipv6(self) -> bool:
        return self.ipv6

    def trusted_roots(self) -> Sequence[Certificate]:
        return self.roots

    def own_addresses(self) -> frozenset[str]:
        return frozenset({self.own, "127.0.0.1"})

    def fetch(self, address: str, port: int, name: str, path: str) -> Fetched:
        del name
        if address not in {self.own, "127.0.0.1"}:
            return self.servers.get(address, Fetched(address, Reach.SILENT))
        if not self._published(port):
            return Fetched(address, Reach.REFUSED)
        file = self._root / WEBROOT.path / path.lstrip("/")
        there = file.is_file()
        return Fetched(address, Reach.ANSWERED, 200 if there else 404, file.read_bytes() if there else b"")

    def _published(self, port: int) -> bool:
        """Return whether a proxy is running that is published on ``port`` at any address."""
        runs = [run for run in self._engine.runs.values() if run.container.running and run.service.role == "proxy"]
        return any(published.is_tcp and published.at.port == port for run in runs for published in run.service.ports)

    def ca_directory(self, url: str, bundle: bytes | None) -> CaDirectory:
        del bundle
        if self.ahead is None:
            return CaDirectory(url, problem=f"{url} does not answer")
        return CaDirectory(url, self.ahead, ("ca.example",))
