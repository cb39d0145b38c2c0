"""nginx, as the fake engine imitates it: two faults of ``nginx -t`` in nginx's own words, and what a start loads."""
# ruff: noqa: D102  (the protocol says what its methods do)

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from stackctl.adapters.fakes.proxy import Asked, OnHost
from stackctl.certs.issuer.pair import pair_problem
from stackctl.certs.lineage import Certificate, read_certificate
from stackctl.model.endpoints import Endpoint
from stackctl.model.layout import FULLCHAIN
from stackctl.observed.containers import Output
from stackctl.proxies.nginx.layout import LAYOUT, MAIN, SITES

_SERVER = re.compile(r"^server \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
_NAMES = re.compile(r"server_name ([^;]+);")
_UPSTREAM = re.compile(r"^\s*server (\S+?):(\d+)(?: resolve)?;", re.MULTILINE)


class FakeNginx:
    """The :class:`~stackctl.adapters.fakes.proxy.FakeProxy` for nginx."""

    layout = LAYOUT
    process = "nginx: master process"
    leaving = "nginx: worker process is shutting down"

    def __init__(self, version: str = "1.30.4") -> None:
        self.version = version
        self.built = "--with-http_v3_module --with-stream --with-stream_ssl_preread_module"
        self.programs = "has what asks servers"

    def asked(self, command: Sequence[str]) -> Asked | None:
        match list(command):
            case ["sh", "-c", script] if script.startswith("nginx -V"):
                return Asked("version")
            case ["nginx", *_, "-c", path]:
                return Asked("test", path.removeprefix(f"{self.layout.mount}/").removesuffix(f"/{MAIN}"))
            case ["sh", "-c", script] if script.endswith("-s reload"):
                return Asked("reload")
        return None

    def print_version(self) -> Output:
        return Output(0, f"nginx version: nginx/{self.version}\nconfigure arguments: {self.built}\n{self.programs}\n")

    def test(self, folder: Path, shown: str, on_host: OnHost) -> Output:
        if not (folder / MAIN).is_file():
            return Output(1, f'nginx: [emerg] open() "{shown}/{MAIN}" failed (2: No such file)\n')
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            for number, line in enumerate(file.read_text().splitlines(), 1):
                named = re.match(r"\s*ssl_certificate(?:_key)? ([^;]+);", line)
                if "not_a_directive" in line:
                    at = f"{shown}/{file.relative_to(folder)}:{number}"
                    return Output(1, f'nginx: [emerg] unknown directive "not_a_directive" in {at}\n')
                if named and not on_host(named[1]).is_file():
                    reason = "BIO_new_file() failed (SSL: No such file or directory)"
                    return Output(1, f'nginx: [emerg] cannot load certificate "{named[1]}": {reason}\n')
                if named and named[0].strip().startswith("ssl_certificate_key"):
                    key = on_host(named[1])
                    problem = pair_problem(key.with_name(FULLCHAIN).read_bytes(), key.read_bytes())
                    if problem:
                        return Output(1, f'nginx: [emerg] SSL_CTX_use_PrivateKey("{named[1]}") failed ({problem})\n')
        return Output(0, "")

    def refuse_reload(self) -> Output:
        return Output(1, "nginx: [alert] kill failed\n")

    def certificates(self, live: Path, on_host: OnHost) -> dict[str, Certificate]:
        return self._loaded(live, on_host, 0)

    def second_certificates(self, live: Path, on_host: OnHost) -> dict[str, Certificate]:
        return self._loaded(live, on_host, 1)

    def _loaded(self, live: Path, on_host: OnHost, number: int) -> dict[str, Certificate]:
        """Return the certificate with this number of each name that has so many."""
        loaded: dict[str, Certificate] = {}
        for text in self._sites(live, "*.conf"):
            for server in _SERVER.findall(text):
                paths = re.findall(r"ssl_certificate ([^;]+);", server)
                names = _NAMES.search(server)
                if paths[number:] and names:
                    leaf = read_certificate(on_host(paths[number]).read_bytes())
                    loaded = {**dict.fromkeys(names[1].split(), leaf), **loaded}
        return loaded

    def health_path(self, live: Path) -> str | None:
        snippet = live / "snippets" / "health.conf"
        found = re.search(r"location = (\S+)", snippet.read_text(encoding="utf-8")) if snippet.exists() else None
        return found[1] if found else None

    def redirected(self, live: Path) -> frozenset[str]:
        return frozenset(name for text in self._sites(live, "*.redirect") for name in _names(text))

    def upstreams(self, live: Path) -> Mapping[str, Endpoint]:
        found: dict[str, Endpoint] = {}
        for text in self._sites(live, "*.conf"):
            upstream = _UPSTREAM.search(text)
            if upstream is None:
                continue  # it answers itself
            found |= dict.fromkeys(_names(text), Endpoint(upstream[1].strip("[]"), int(upstream[2])))
        return found

    def connection_refused(self, time: str, number: int, name: str, path: str, upstream: Endpoint) -> str:
        return (
            f"{time} [error] 7#7: *{number} connect() failed (111: Connection refused) while connecting to upstream, "
            f'client: 10.9.0.1, server: {name}, request: "GET {path} HTTP/1.1", upstream: "http://{upstream}{path}", '
            f'host: "{name}"\n'
        )

    def _sites(self, live: Path, pattern: str) -> list[str]:
        return [path.read_text() for path in sorted((live / SITES).glob(pattern))]


def _names(text: str) -> list[str]:
    return [name for names in _NAMES.findall(text) for name in names.split()]
