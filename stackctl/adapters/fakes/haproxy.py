"""HAProxy, as the fake engine imitates it: two faults of ``haproxy -c`` in its own words, and what a start loads."""
# ruff: noqa: D102  (the protocol says what its methods do)

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from stackctl.adapters.fakes.proxy import Asked, OnHost
from stackctl.certs.lineage import Certificate, read_certificate
from stackctl.model.endpoints import Endpoint
from stackctl.model.layout import site_file
from stackctl.observed.containers import Output
from stackctl.proxies.haproxy.layout import CERTS, LAYOUT, MAIN, MAPS, SITES

_LOAD = re.compile(r"^    load crt (\S+) key (\S+) alias (\S+)$", re.MULTILINE)
_SERVER = re.compile(r"^    server(?:-template \S+ \d+| \S+) (\S+):(\d+)", re.MULTILINE)


class FakeHaproxy:
    """The :class:`~stackctl.adapters.fakes.proxy.FakeProxy` for HAProxy."""

    layout = LAYOUT
    process = "/bin/sh -c # stackctl: serves /etc/haproxy/live"
    leaving = "haproxy -sf"

    def __init__(self, version: str = "3.2.26") -> None:
        self.version = version

    def asked(self, command: Sequence[str]) -> Asked | None:
        match list(command):
            case ["sh", "-c", "haproxy -vv"]:
                return Asked("version")
            case ["haproxy", "-c", "-f", path, *_]:
                return Asked("test", path.removeprefix(f"{self.layout.mount}/").removesuffix(f"/{MAIN}"))
            case ["sh", "-c", script] if "ask reload" in script:
                return Asked("reload")
        return None

    def print_version(self) -> Output:
        return Output(0, f"HAProxy version {self.version}\nFeature list : +OPENSSL +LUA +QUIC \n")

    def test(self, folder: Path, shown: str, on_host: OnHost) -> Output:
        if not (folder / MAIN).is_file():
            return Output(1, f"[ALERT] (1) : config : Could not open configuration file {shown}/{MAIN}\n")
        for file in sorted(folder.rglob("*.cfg")):
            for number, line in enumerate(file.read_text().splitlines(), 1):
                at = f"[{shown}/{file.relative_to(folder)}:{number}]"
                if "not_a_directive" in line:
                    return Output(1, f"[ALERT] (1) : config : parsing {at} : unknown keyword 'not_a_directive'\n")
                missing = [path for path in _paths(line) if not on_host(path).is_file()]
                if missing:
                    return Output(1, f"[ALERT] (1) : config : parsing {at} : unable to stat {missing[0]}\n")
        return Output(0, "")

    def refuse_reload(self) -> Output:
        return Output(1, "Success=0\n")

    def certificates(self, live: Path, on_host: OnHost) -> dict[str, Certificate]:
        return self._loaded(live, on_host, "pair")

    def second_certificates(self, live: Path, on_host: OnHost) -> dict[str, Certificate]:
        return self._loaded(live, on_host, "second")

    def _loaded(self, live: Path, on_host: OnHost, alias: str) -> dict[str, Certificate]:
        stores = {
            f"@{text.partition('crt-store ')[2].partition(chr(10))[0]}/{name}": chain
            for text in self._sites(live)
            for chain, _, name in _LOAD.findall(text)
        }
        return {
            name: read_certificate(on_host(stores[store]).read_bytes())
            for store, *names in self._rows(live, CERTS)
            if store.endswith(f"/{alias}")
            for name in names
        }

    def health_path(self, live: Path) -> str | None:  # noqa: ARG002  (no load balancer asks it)
        return None

    def redirected(self, live: Path) -> frozenset[str]:
        return frozenset(name for name, *_ in self._rows(live, f"{MAPS}/https.map"))

    def upstreams(self, live: Path) -> Mapping[str, Endpoint]:
        found: dict[str, Endpoint] = {}
        for name, site in self._rows(live, f"{MAPS}/sites.map"):
            server = _SERVER.search((live / SITES / f"{site_file(site)}.cfg").read_text())
            if server is not None:
                found[name] = Endpoint(server[1].strip("[]"), int(server[2]))
        return found

    def connection_refused(self, time: str, number: int, name: str, path: str, upstream: Endpoint) -> str:
        return f'10.9.0.1 - - [{time}] {name} "GET {path} HTTP/1.1" 503 {number} "" "" 0 - SC-- {name}/s1 {upstream}\n'

    def _sites(self, live: Path) -> list[str]:
        return [path.read_text() for path in sorted((live / SITES).glob("*.cfg"))]

    def _rows(self, live: Path, name: str) -> Iterator[list[str]]:
        path = live / name
        return (line.split() for line in path.read_text().splitlines()) if path.exists() else iter(())


def _paths(line: str) -> list[str]:
    found = _LOAD.match(line)
    return [found[1], found[2]] if found else []
