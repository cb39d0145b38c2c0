"""A second proxy, of another shape than nginx.

Its shared files depend on every site and every certificate: a map of hosts, a map of routes, a list of
certificates, a list of redirects. A site has a file of its own only where the user wrote rules for it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from stackctl.errors import EngineError
from stackctl.model.endpoints import HTTPS_PORT, Endpoint, PortBinding, web_listeners
from stackctl.model.layout import CHALLENGES, MARKER_PATH, PROXY_MOUNTS, WEBROOT
from stackctl.model.routing import Site
from stackctl.model.stack import Stack
from stackctl.model.values import Domain
from stackctl.proxies.health import ServersHealth
from stackctl.proxies.logs import LoggedRequest
from stackctl.proxies.proxy import Files, Pins, Rejection, Reload, Rendered, SiteTls, Tracer, Version
from stackctl.proxies.trace import Action, Advice, Block, LoggedError, Misspoken, Outcome, ServerMatch, Trace
from stackctl.stackfile.services import signed_block
from tests.seams.proxy.layout import CERTS, COMMON, EDGE, HOSTS, LAYOUT, MAIN, REDIRECTS, ROUTES, RULES

_FAULT = re.compile(r"FAULT (?P<message>.*?)(?: <(?P<path>\S+) line (?P<line>\d+)>)?$", re.MULTILINE)
_SHARED = (HOSTS, ROUTES, CERTS, REDIRECTS)


class Toy:
    """The second :class:`~stackctl.proxies.proxy.Proxy`."""

    name = "toy"
    default_image = "toy:3"
    layout = LAYOUT
    reload = Reload(
        command=("toyctl", "refresh"),
        signal="USR2",
        processes=("toyd --serve",),
        overlap=0.0,
        worker="toyd: worker",
        leaving="old",
    )

    def service(self, name: str, image: str, http: PortBinding, https: PortBinding | None, base: str) -> str:
        """Return the Compose service, with ports in the long form's order and no entrypoint."""

        def block(written: str | None) -> str:
            ports = "".join(f'    - "{one.at}:{one.port}"\n' for one in web_listeners(http, https))
            mounts = "".join(f"    - {base}/{place.path}:{place.mount}:ro\n" for place in (EDGE, *PROXY_MOUNTS))
            label = f'    stackctl.written: "{written}"\n' if written else ""
            return (
                f'{name}:\n  image: "{image}"\n  restart: always\n  ports:\n{ports}  read_only: true\n'
                f"  volumes:\n{mounts}  labels:\n    stackctl.role: proxy\n{label}"
            )

        return signed_block(name, block)

    def refuses(self, key: str) -> str | None:  # noqa: ARG002  (it renders what the tests use)
        """Return None."""
        return None

    def render(
        self,
        stack: Stack,
        sites: Collection[Site],
        tls: Mapping[Domain, SiteTls],
        version: Version,
        custom: Mapping[str, bytes],
    ) -> Rendered:
        """Return the maps and lists of all sites, and the user's rules of ``sites``."""
        every = stack.sites
        trusted = [name for site in every for name in site.domains if name in tls[site.name].trusted]
        shared = {
            MAIN: _lines(
                [
                    f"release {version[0]}",
                    f"tls {stack.tls.value}",
                    f"serve /{CHALLENGES}/ {WEBROOT.mount}",
                    f"serve {MARKER_PATH} {LAYOUT.marker}",
                ]
            ),
            HOSTS: _lines(f"{name} {site.name}" for site in every for name in site.domains),
            ROUTES: _lines(
                f"{site.name} {route.match.all_of.paths[0]} {server} read={site.tuning.read_timeout}"
                for site in every
                for route in site.routes
                for server in route.servers
            ),
            CERTS: _lines(f"{site.name} {tls[site.name].certificate} {tls[site.name].key}" for site in every),
            REDIRECTS: _lines(trusted),
        }
        if COMMON in custom:
            shared[COMMON] = custom[COMMON]
        own = {site.name: _rules(site, custom) for site in sites}
        return Rendered(shared, own)

    def site_of(self, path: str) -> Domain | None:
        """Return the DOMAIN of ``rules/DOMAIN.rules``."""
        folder, _, name = path.partition("/")
        return Domain(name.rpartition(".")[0]) if folder == RULES else None

    def sites_in(self, files: Files) -> frozenset[Domain]:
        """Return the sites that the list of certificates names."""
        return frozenset(Domain(words[0]) for _, words in lines_of(files, CERTS))

    def parked_note(self, site: Domain, reason: str) -> Files:
        """Return ``rules/DOMAIN.parked``."""
        return {f"{RULES}/{site}.parked": reason.encode()}

    def parked(self, files: Files) -> Mapping[Domain, str]:
        """Return the content of each ``rules/DOMAIN.parked``."""
        notes = {path: body for path, body in files.items() if path.endswith(".parked")}
        return {site: body.decode() for path, body in notes.items() if (site := self.site_of(path)) is not None}

    def about(self, files: Files, site: Domain) -> Files:
        """Return the lines about a site in the shared files, and its own rules."""
        names = {words[0] for _, words in lines_of(files, HOSTS) if words[1] == site} | {site}
        found = {
            path: _lines(" ".join(words) for _, words in lines_of(files, path) if words[0] in names) for path in _SHARED
        }
        return {**found, **{path: body for path, body in files.items() if self.site_of(path) == site}}

    def announced(self, live: Files, wanted: Files) -> Files:  # noqa: ARG002  (the protocol's)
        """Return ``live``: it asks for a name with each request."""
        return live

    def pinned(self, files: Files, pins: Pins, *, beside: bool = False) -> Files:  # noqa: ARG002  (the protocol's)
        """Return a map of routes with the first address; a further word of a line is the server by its name."""
        if ROUTES not in files:
            return files
        lines = []
        for _, (site, path, server, read, *named) in lines_of(files, ROUTES):
            original = named[0] if named else server
            host, _, port = original.rpartition(":")
            addresses = [f"{at}:{ports.get(int(port), int(port))}" for at, ports in pins.get(host, {}).items()]
            to = next(iter(addresses), original)
            lines.append(" ".join([site, path, to, read, *([original] if to != original else [])]))
        return {**files, ROUTES: _lines(lines)}

    def pins(self, files: Files) -> Pins:
        """Return the lines with a further word."""
        found: dict[str, dict[str, dict[int, int]]] = {}
        for _, words in lines_of(files, ROUTES):
            if len(words) > 4:
                (host, _, port), (address, _, own) = words[4].rpartition(":"), words[2].rpartition(":")
                found.setdefault(host, {})[address] = {int(port): int(own)} if port != own else {}
        return found

    def original_of(self, path: str) -> str:
        """Return the file below ``custom/`` that a file of rules is a copy of."""
        return f"custom/{path.rpartition('/')[2]}" if path.endswith(".rules") else path

    def marker(self, generation: str) -> bytes:
        """Return the very body of the answer."""
        return f"{generation}\n".encode()

    def test_command(self, root: str) -> list[str]:
        """Return ``toyd --verify``."""
        return ["toyd", "--verify", f"--root={EDGE.mount}/{root}"]

    def start_command(self) -> list[str]:
        """Return ``toyd``."""
        return ["toyd"]

    def version_command(self) -> list[str]:
        """Return ``toyd --about``."""
        return ["toyd", "--about"]

    def has_hybrid_keys(self, output: str) -> bool:
        return "hybrid" in output

    def needed_for_streams(self, output: str) -> str | None:  # noqa: ARG002  (it has none)
        return None

    def can_ask(self, output: str) -> bool:  # noqa: ARG002  (it cannot)
        return False

    def speaks_http3(self, output: str) -> bool:  # noqa: ARG002  (it cannot)
        return False

    def health_command(self) -> Sequence[str]:
        return ("true",)

    def servers_health(self, output: str) -> ServersHealth:  # noqa: ARG002  (it asks none)
        return ServersHealth()

    def parse_version(self, output: str) -> Version:
        """Return the numbers of ``toyd release 3 update 7``."""
        match = re.search(r"release (\d+) update (\d+)", output)
        if match is None:
            raise EngineError(f"the proxy image has no toyd: {output.strip()!r}")
        return int(match[1]), int(match[2])

    def explain(self, output: str, root: str, files: Files) -> Rejection:  # noqa: ARG002  (its faults name a file)
        """Return the first line that begins with ``FAULT``."""
        match = _FAULT.search(output)
        if match is None:
            return Rejection(output.strip() or "toyd --verify failed without output")
        if match["path"] is None:
            return Rejection(match["message"])
        inside = match["path"].removeprefix(f"{EDGE.mount}/{root}/")
        where = f"{EDGE.path}/{self.original_of(inside)}:{match['line']}"
        return Rejection(match["message"], self.site_of(inside), where)

    def tracer(self, files: Files, name: str) -> Tracer:
        """Return a tracer that looks the name up in the maps."""
        return lambda _path, port: _trace(files, name, port)

    def logged_request(self, line: str) -> LoggedRequest | None:  # noqa: ARG002  (it logs errors alone)
        return None

    def logged_errors(self, log: str) -> list[LoggedError]:
        """Return its log's JSON objects of a level above ``info``."""
        found = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
        return [
            LoggedError(one["t"], one["lvl"], one["say"], one["host"], one["req"], one["to"], json.dumps(one))
            for one in found
            if one["lvl"] != "info"
        ]

    def misspoken(self, log: str) -> Mapping[tuple[str, Misspoken], int]:  # noqa: ARG002  (it has no such log)
        return {}

    def advice(self, message: str) -> Advice:
        """Return what to do about a message of its log."""
        return Advice("wait for the quota", refused=True) if message == "quota" else Advice("look at the app")

    def read_by_workers(self, custom: Mapping[str, bytes]) -> tuple[str, ...]:
        """Return the files that a line ``users FILE`` names."""
        lines = (line for content in custom.values() for line in content.decode().splitlines())
        return tuple(line.removeprefix("users ") for line in lines if line.startswith("users "))

    def named_in(self, custom: Mapping[str, bytes]) -> Sequence[tuple[str, str]]:  # noqa: ARG002  (the protocol's)
        """Return nothing."""
        return ()

    def is_routine(self, line: str) -> bool:
        """Return whether it is a JSON object of the level ``info``."""
        return '"lvl": "info"' in line

    def concerns(self, line: str, names: Sequence[str]) -> bool:
        """Return whether the host of a JSON object is one of ``names``."""
        return any(f'"host": "{name}"' in line for name in names)


def _lines(texts: Iterable[str]) -> bytes:
    return "".join(f"{text}\n" for text in texts).encode()


def lines_of(files: Files, path: str) -> list[tuple[int, list[str]]]:
    """Return the words of each line of a file, with its number."""
    return [(number, line.split()) for number, line in enumerate(files.get(path, b"").decode().splitlines(), 1)]


def _rules(site: Site, custom: Mapping[str, bytes]) -> Files:
    name = f"{site.name}.rules"
    return {f"{RULES}/{name}": custom[name]} if name in custom else {}


def _trace(files: Files, name: str, port: int) -> Trace:
    def place(path: str, number: int) -> str:
        return f"{EDGE.path}/{path}:{number}"

    hosts = {host: (number, site) for number, (host, site) in lines_of(files, HOSTS)}
    if name not in hosts:
        closed = Action(Outcome.CLOSE, "no host", place(MAIN, 1))
        return Trace(Block("any host", place(MAIN, 1)), ServerMatch.DEFAULT, None, closed)
    at, site = hosts[name]
    block = Block(f"host {name}", place(HOSTS, at))
    if port != HTTPS_PORT:
        for line, (host,) in lines_of(files, REDIRECTS):
            if host == name:
                action = Action(Outcome.REDIRECT, f"redirect {name}", place(REDIRECTS, line), status=308)
                return Trace(block, ServerMatch.EXACT, None, action)
    line, words = next((line, words) for line, words in lines_of(files, ROUTES) if words[0] == site)
    host, _, to = words[2].rpartition(":")
    target = Endpoint(host.strip("[]"), int(to))
    action = Action(Outcome.PROXY, f"route {words[1]}", place(ROUTES, line), scheme="http", targets=(target,))
    return Trace(block, ServerMatch.EXACT, Block(f"route {words[1]}", place(ROUTES, line)), action)
