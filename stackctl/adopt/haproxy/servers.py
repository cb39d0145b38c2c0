"""The servers of a HAProxy back end, as ``x-stackctl`` names them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from stackctl.adopt.haproxy.collecting import Collector
from stackctl.adopt.haproxy.words import Line
from stackctl.adopt.proposal import Handling
from stackctl.errors import InputError
from stackctl.model import endpoints, values
from stackctl.model.balancing import WEIGHTS
from stackctl.proxies.haproxy.servers import SLOTS
from stackctl.stackfile.services import Value

_VALUED = frozenset(
    {
        *("weight", "maxconn", "cookie", "inter", "fastinter", "downinter", "rise", "fall", "port", "addr"),
        "resolvers",
        *("resolve-prefer", "resolve-net", "resolve-opts", "init-addr", "verify", "verifyhost", "ca-file", "crt"),
        *("crl-file", "sni", "alpn", "npn", "proto", "check-sni", "check-alpn", "check-proto", "maxqueue", "minconn"),
        *("slowstart", "on-marked-down", "on-marked-up", "on-error", "observe", "error-limit", "pool-max-conn"),
        *("pool-purge-delay", "pool-low-conn", "max-reuse", "ciphers", "ciphersuites", "track", "redir", "id"),
        *("source", "ssl-min-ver", "ssl-max-ver", "namespace", "agent-port", "agent-inter", "agent-addr"),
        *("agent-send", "log-proto"),
        *("tcp-ut", "ws", "curves", "sigalgs", "socks4", "usesrc", "shard", "proxy-v2-options", "set-proxy-v2-tlv-fmt"),
    }
)
"""Words of ``server`` lines that are followed by a value."""

_RESOLVED = frozenset({"resolvers", "resolve-prefer", "resolve-net", "resolve-opts", "init-addr"})
_OWN = _RESOLVED | {
    *("weight", "maxconn", "cookie", "backup", "disabled", "enabled", "ssl", "no-ssl", "verify", "ca-file", "sni"),
    *("verifyhost", "proto", "alpn", "check-sni", "id", "check-ssl", "ssl-min-ver", "ciphers", "ciphersuites"),
}
_SPOKEN = frozenset({"verify", "ca-file", "sni", "verifyhost", "proto"})
_CHECKS = ("inter", "fastinter", "downinter", "fall", "rise")
_MOST_CONNECTIONS = 65535


@dataclass(frozen=True, slots=True)
class OldServer:
    """One ``server`` line.

    Attributes:
        address: ``HOST:PORT``.
        service: the Compose service that is meant, with its port.
        options: its words, with their values; empty for words that have none.
        line: where it is written.
    """

    address: str
    service: tuple[str, int] | None
    options: Mapping[str, str]
    line: Line

    @property
    def is_checked(self) -> bool:
        """Whether HAProxy checks it."""
        return "check" in self.options

    @property
    def is_tls(self) -> bool:
        """Whether HAProxy speaks TLS to it."""
        return "ssl" in self.options and "no-ssl" not in self.options

    @property
    def spoken(self) -> tuple[bool, Mapping[str, str]]:
        """What is spoken to it: whether that is TLS, and the options about it."""
        return self.is_tls, {key: value for key, value in self.options.items() if key in _SPOKEN}

    @property
    def others(self) -> dict[str, str]:
        """The options that no key says."""
        return {key: value for key, value in self.options.items() if key not in _OWN}


@dataclass
class Servers:
    """The servers of one back end.

    Attributes:
        keys: those of ``x-stackctl`` that say where and how to connect.
        default: the words of a ``default-server`` that says the rest.
    """

    found: tuple[OldServer, ...] = ()
    keys: dict[str, Value] = field(default_factory=dict)
    default: str = ""


class ServerReader:
    """Reads the servers of back ends, in one project.

    ``services`` are the services by the hosts and the addresses that lead to them.
    """

    def __init__(self, collector: Collector, services: Mapping[str, str]) -> None:
        self._collector = collector
        self._services = services

    def read(self, lines: Sequence[Line], name: str, at: str) -> Servers:
        """Return the servers among the lines of the back end ``name``, with those options that all lines share."""
        default: dict[str, str] = {}
        found: list[OldServer] = []
        for line in lines:
            if line.starts("default-server"):
                default |= _options(line.words[1:])
            elif line.words[0] in {"server", "server-template"}:
                server = self._server(line, default)
                if server is not None:
                    found.append(server)
        if not found:
            self._collector.say(Handling.UNSUPPORTED, f"the back end {name} has no server that can be used", at)
            return Servers()
        return Servers(tuple(found), self._keys(found), self._rest(found))

    def _server(self, line: Line, default: Mapping[str, str]) -> OldServer | None:
        words = line.words[1 if line.words[0] == "server" else 2 :]
        if len(words) <= 1:
            raise InputError(f"'{line.words[0]}' has no address", where=line.at)
        address, options = words[1].removeprefix("ipv4@").removeprefix("ipv6@"), _options(words[2:])
        if line.words[0] == "server-template" and _most(words[0]) > SLOTS:
            text = f"up to {SLOTS} containers of {address} get requests, not {words[0]}"
            self._collector.say(Handling.CHANGED, text, line.at)
        host, colon, port = address.rpartition(":")
        if not colon or not port.isdigit():
            self._collector.lost(line, "write the port of the server")
            return None
        service = self._services.get(host.strip("[]").lower())
        try:
            shown = f"{service}:{port}" if service else str(endpoints.endpoint(address))
            place = (service, values.port(int(port))) if service else None
        except InputError as error:
            self._collector.lost(line, f"{error.message}{f': {error.hint}' if error.hint else ''}")
            return None
        return OldServer(shown, place, {**default, **options}, line)

    def _keys(self, found: Sequence[OldServer]) -> dict[str, Value]:
        """Return the keys that say where the servers are, and what is spoken to them."""
        keys = self._protocol(found)
        each = [self._each(server) for server in found]
        only = found[0]
        if len(found) == 1 and only.service is not None and each[0].keys() == {"address"}:
            return {"service": only.service[0], "port": only.service[1], **keys}
        if len(found) == 1 and each[0].keys() == {"address"}:
            return {"upstream": only.address, **keys}
        return {"upstreams": each, **keys}

    def _each(self, server: OldServer) -> dict[str, Value]:
        found: dict[str, Value] = {"address": server.address}
        weight = server.options.get("weight", "1")
        if weight == "0" or "disabled" in server.options:
            found["drain"] = True
        elif weight.isdigit() and int(weight) in WEIGHTS:
            found |= {"weight": int(weight)} if weight != "1" else {}
        else:
            self._collector.lost(server.line, f"{weight} is no weight from {WEIGHTS[0]} to {WEIGHTS[-1]}")
        if "backup" in server.options:
            found["backup"] = True
        most = server.options.get("maxconn", "0")
        if most.isdigit() and 0 < int(most) <= _MOST_CONNECTIONS:
            found["max-connections"] = int(most)
        elif most != "0":
            self._collector.lost(server.line, f"{most} is no number of connections up to {_MOST_CONNECTIONS}")
        return found

    def _protocol(self, found: Sequence[OldServer]) -> dict[str, Value]:
        first = found[0]
        for server in found[1:]:
            if server.spoken != first.spoken:
                self._collector.lost(server.line, "the servers of a route speak one protocol")
        if not first.is_tls:
            return {"protocol": "h2c"} if first.options.get("proto") == "h2" else {}
        keys: dict[str, Value] = {"protocol": "https"}
        sni = re.fullmatch(r"str\(([^)]+)\)", first.options.get("sni", ""))
        name = first.options.get("verifyhost") or (sni[1] if sni else None)
        # Without 'verify' the line takes what 'global' says, which is to verify unless that says 'none'.
        verifies = first.options.get("verify", "required") != "none"
        more: dict[str, Value] = {} if verifies else {"verify": False}
        more |= {"name": name} if name else {}
        if name is not None and not _is_name(name):
            self._collector.lost(first.line, f"{name!r} is no name of a certificate")
            more.pop("name")
        if verifies and not first.options.get("ca-file", "@").startswith("@"):
            self._collector.lost(first.line, "copy the root certificates to haproxy/custom/NAME.ca.pem, and name 'ca'")
        return {**keys, "upstream-tls": more} if more else keys

    def _rest(self, found: Sequence[OldServer]) -> str:
        """Return the options that all servers share, as the words of ``default-server``; others are lost."""
        shared = found[0].others
        for server in found[1:]:
            for key in (server.others.keys() | shared.keys()) - {
                key for key, value in shared.items() if server.others.get(key) == value
            }:
                self._collector.say(
                    Handling.UNSUPPORTED, f"'{key}' of one server: the options of a back end's servers are the same",
                    server.line.at,
                )  # fmt: skip
                shared.pop(key, None)
        for key in ("send-proxy", "send-proxy-v2", "crt", "source", "track", "redir", "port", "addr"):
            if key in shared:
                self._collector.lost(found[0].line, f"x-stackctl has no key for '{key}'")
                shared.pop(key)
        if "check" not in shared:
            for key in _CHECKS:
                shared.pop(key, None)
        return " ".join(word for pair in shared.items() for word in pair if word)


def _is_name(text: str) -> bool:
    try:
        values.tls_name(text)
    except InputError:
        return False
    return True


def _most(text: str) -> int:
    """Return the largest number of ``NUM`` of a server-template: ``5`` or ``1-5``."""
    numbers = [int(part) for part in re.findall(r"\d+", text)]
    return max(numbers, default=0) - (numbers[0] - 1 if len(numbers) > 1 else 0)


def _options(words: Sequence[str]) -> dict[str, str]:
    return dict(_pairs(words))


def _pairs(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    rest = list(words)
    while rest:
        word = rest.pop(0)
        yield word, rest.pop(0) if word in _VALUED and rest else ""
