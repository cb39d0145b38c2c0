"""Check what this host's own programs keep from the proxy: its boot, its firewalls, SELinux."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from stackctl.diagnose.check import Check, ok, wrong

_CONTAINERS_MAY_READ = ("container_file_t", "container_ro_file_t", "container_share_t", "svirt_sandbox_file_t")
_TABLE = re.compile(r"^table (?P<table>\S+ \S+) \{$(?P<body>.*?)^\}$", re.MULTILINE | re.DOTALL)
_CHAIN = re.compile(r"^\tchain (?P<name>\S+) \{$(?P<body>.*?)^\t\}$", re.MULTILINE | re.DOTALL)
_DROPS = re.compile(r"type filter hook forward priority [^;]*; policy drop;")
_ACCEPTS_MORE = re.compile(r"^(?!.*\bct state\b).*\b(?:accept|jump|goto)\b", re.MULTILINE)
_SOURCE = re.compile(r"\bALLOW(?: IN)?\s+(?!Anywhere)\S+")


@dataclass(frozen=True, slots=True)
class SystemFacts:
    """What programs of this host printed; None where there is none, or it may not be asked.

    Attributes:
        service: ``systemctl is-enabled docker.service``.
        ufw: ``ufw status``.
        firewalld: ``firewall-cmd --get-active-zones``.
        nftables: ``nft list ruleset``.
        selinux: ``getenforce``.
        engine_options: the engine's ``SecurityOptions``, as JSON.
        label: the SELinux label of ``folder``, which the proxy's container mounts.
        ports: the published ones of the proxy.
    """

    service: str | None = None
    ufw: str | None = None
    firewalld: str | None = None
    nftables: str | None = None
    selinux: str | None = None
    engine_options: str | None = None
    label: str | None = None
    folder: str = ""
    ports: tuple[int, ...] = (80, 443)


def judge_system(facts: SystemFacts) -> list[Check]:
    """Return the checks that can be made here."""
    return [*_boot(facts), *_firewalls(facts), *_selinux(facts)]


def _boot(facts: SystemFacts) -> Iterator[Check]:
    state = (facts.service or "").strip()
    if state.startswith("enabled"):
        yield ok("engine-boot", "systemd starts Docker when this host boots")
    elif state in {"disabled", "masked", "indirect"}:
        yield wrong(
            "engine-boot",
            f"systemd does not start Docker when this host boots (docker.service is {state})",
            "sudo systemctl enable docker.service; its socket alone starts no container",
        )


def _firewalls(facts: SystemFacts) -> Iterator[Check]:
    closed = list(_closing_chains(facts.nftables or ""))
    ports = " and ".join(map(str, facts.ports))
    for table, chain in closed:
        yield wrong(
            "firewall",
            f"nftables: the chain {chain} of the table {table} drops what is forwarded, and so all published ports",
            f"accept what Docker forwards there, such as by: nft add rule {table} {chain} ct status dnat accept",
        )
    if closed:
        return
    if facts.ufw is not None and facts.ufw.startswith("Status: active"):
        rows = [line for line in facts.ufw.splitlines() if _names_port(line, facts.ports) and _SOURCE.search(line)]
        if rows:
            yield wrong(
                "firewall",
                f"ufw limits the ports {ports} to some sources, but Docker publishes past it: everybody gets in",
                "put the rules into the chain DOCKER-USER, or use the firewall of your provider",
            )
            return
        yield ok("firewall", f"ufw is active; Docker publishes the ports {ports} past it")
    elif facts.firewalld is not None:
        if re.search(r"^docker\b", facts.firewalld, re.MULTILINE):
            yield ok("firewall", f"firewalld is active; Docker publishes the ports {ports} past it")
        else:
            yield wrong(
                "firewall",
                "firewalld is active without Docker's zone: it was restarted after Docker, and drops what is forwarded",
                "sudo systemctl restart docker",
            )


def _closing_chains(ruleset: str) -> Iterator[tuple[str, str]]:
    """Yield the base chains, with their tables, that drop whatever is forwarded.

    One that accepts or passes on more than what belongs to a connection of before has rules of somebody who thought
    of it; Docker's own chain FORWARD has.
    """
    for table in _TABLE.finditer(ruleset):
        for chain in _CHAIN.finditer(table["body"]):
            if _DROPS.search(chain["body"]) and not _ACCEPTS_MORE.search(chain["body"]):
                yield table["table"], chain["name"]


def _names_port(line: str, ports: tuple[int, ...]) -> bool:
    target = line.partition(" ALLOW")[0]
    numbers = {int(one) for one in re.findall(r"\b\d{1,5}\b", target)}
    return bool(numbers & set(ports)) or "WWW" in target


def _selinux(facts: SystemFacts) -> Iterator[Check]:
    if (facts.selinux or "").strip() != "Enforcing" or "name=selinux" not in (facts.engine_options or ""):
        return
    kind = (facts.label or "::").split(":")[2]
    if kind in _CONTAINERS_MAY_READ or facts.label is None:
        yield ok("selinux", f"SELinux lets the proxy read {facts.folder}")
    else:
        yield wrong(
            "selinux",
            f"SELinux keeps the proxy from {facts.folder}, whose type is {kind}",
            f"sudo chcon -R -t container_file_t {facts.folder}; or write ':z' behind its mounts",
        )
