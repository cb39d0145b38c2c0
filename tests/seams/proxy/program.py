"""The program of the second proxy, as the fake engine imitates it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from stackctl.adapters.fakes.proxy import Asked, OnHost
from stackctl.certs.lineage import Certificate, read_certificate
from stackctl.model.endpoints import Endpoint
from stackctl.observed.containers import Output
from tests.seams.proxy.layout import CERTS, EDGE, HOSTS, LAYOUT, MAIN, REDIRECTS, ROUTES


class FakeToy:
    """The :class:`~stackctl.adapters.fakes.proxy.FakeProxy` of the second proxy."""

    layout = LAYOUT
    process = "toyd --serve"
    leaving = "toyd: worker, old"

    def __init__(self, version: str = "release 3 update 7") -> None:
        self.version = version

    def asked(self, command: Sequence[str]) -> Asked | None:
        """Return what ``toyd`` or ``toyctl`` is asked for."""
        match list(command):
            case ["toyd", "--about"]:
                return Asked("version")
            case ["toyd", "--verify", root]:
                return Asked("test", root.removeprefix(f"--root={EDGE.mount}/"))
            case ["toyctl", "refresh"]:
                return Asked("reload")
        return None

    def print_version(self) -> Output:
        """Print the version."""
        return Output(0, f"toyd {self.version}\n")

    def test(self, folder: Path, shown: str, on_host: OnHost) -> Output:
        """Refuse an unknown word, a host without a certificate, and a certificate that is not there."""
        if not (folder / MAIN).is_file():
            return Output(3, f"FAULT no {shown}/{MAIN}\n")
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            for number, line in enumerate(file.read_text().splitlines(), 1):
                at = f"<{shown}/{file.relative_to(folder)} line {number}>"
                if "not_a_directive" in line:
                    return Output(3, f"FAULT unknown word: not_a_directive {at}\n")
        certified = set()
        for number, (site, certificate, key) in enumerate(_words(folder / CERTS), 1):
            certified.add(site)
            if not (on_host(certificate).is_file() and on_host(key).is_file()):
                return Output(3, f"FAULT no certificate {certificate} <{shown}/{CERTS} line {number}>\n")
        for number, (name, site) in enumerate(_words(folder / HOSTS), 1):
            if site not in certified:
                return Output(3, f"FAULT {name} has no certificate <{shown}/{HOSTS} line {number}>\n")
        return Output(0, "")

    def refuse_reload(self) -> Output:
        """Fail to reload."""
        return Output(4, "toyctl: the socket is closed\n")

    def second_certificates(self, live: Path, on_host: OnHost) -> dict[str, Certificate]:  # noqa: ARG002  (it has none)
        return {}

    def certificates(self, live: Path, on_host: OnHost) -> dict[str, Certificate]:
        """Return the certificate of each host."""
        leaves = {site: read_certificate(on_host(path).read_bytes()) for site, path, _ in _words(live / CERTS)}
        return {name: leaves[site] for name, site in _words(live / HOSTS)}

    def health_path(self, live: Path) -> str | None:  # noqa: ARG002  (it has none)
        return None

    def redirected(self, live: Path) -> frozenset[str]:
        """Return the list of redirects."""
        return frozenset(name for (name,) in _words(live / REDIRECTS))

    def upstreams(self, live: Path) -> Mapping[str, Endpoint]:
        """Return the route of each host."""
        routes = {}
        for site, _, server, *_ in _words(live / ROUTES):
            host, _, port = server.rpartition(":")
            routes[site] = Endpoint(host.strip("[]"), int(port))
        return {name: routes[site] for name, site in _words(live / HOSTS)}

    def connection_refused(self, time: str, number: int, name: str, path: str, upstream: Endpoint) -> str:
        """Return an object of its log."""
        said = {"t": time, "n": number, "lvl": "warn", "say": "refused", "host": name, "req": path, "to": str(upstream)}
        return f"{json.dumps(said)}\n"


def _words(file: Path) -> Iterator[list[str]]:
    return (line.split() for line in file.read_text().splitlines())
