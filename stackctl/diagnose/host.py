"""Check the host: its engine, ports, disks and clock."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from stackctl.diagnose.check import Check, ok, skipped, unknown, wrong
from stackctl.model.endpoints import PortBinding
from stackctl.observed.network import CaDirectory

LEAST_BYTES = 200_000_000
"""Free space below which a renewal, an image or a generation may not fit."""

LEAST_INODES = 2_000
"""Free inodes below which a generation or a lineage may not fit."""

MOST_OFF = timedelta(seconds=60)
"""The largest clock offset at which new certificates are valid and answers of CAs are not stale."""


@dataclass(frozen=True, slots=True)
class Program:
    """A required program: its version, or why it cannot be used and what to do."""

    version: str | None = None
    problem: str | None = None
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class ComposeFile:
    """The stack's Compose file; None as ``name`` if there is none. ``resolved`` is whether Compose could read it."""

    name: str | None
    sites: int = 0
    problem: str | None = None
    hint: str | None = None
    resolved: bool = True


@dataclass(frozen=True, slots=True)
class Image:
    """The image of one service; ``local`` is whether the engine has it."""

    service: str
    name: str
    local: bool
    builds: bool = False


@dataclass(frozen=True, slots=True)
class Port:
    """Where a port of the proxy is published, and the process or container that holds it; None if it is free."""

    check: str
    at: PortBinding
    holder: str | None
    own: bool


@dataclass(frozen=True, slots=True)
class ProxyState:
    """The proxy: the state of its container in Docker, or None without a container.

    Attributes:
        answers: the generation that answers on the published port.
        published: the generation that is live on disk.
        ended: how its container ended last, with the last line of its log; None while it answers.
    """

    service: str
    state: str | None
    at: PortBinding
    answers: str | None
    published: str | None
    ended: str | None = None


@dataclass(frozen=True, slots=True)
class Disk:
    """A file system: free bytes, and free inodes where it counts them."""

    path: str
    free: int
    inodes: int | None


@dataclass(frozen=True, slots=True)
class HostFacts:
    """Facts about the host; a part is None if it could not be collected."""

    engine: Program
    compose: Program
    file: ComposeFile
    images: tuple[Image, ...] | None = None
    ports: tuple[Port, ...] = ()
    proxy: ProxyState | None = None
    disks: tuple[Disk, ...] = ()
    ca: CaDirectory | None = None
    published: tuple[tuple[str, PortBinding], ...] = field(default=())


def judge_host(facts: HostFacts) -> list[Check]:
    """Return the checks of the host, first those that others depend on."""
    checks = [_program("engine", "Docker Engine", facts.engine), _program("compose", "Docker Compose", facts.compose)]
    checks += _file(facts)
    checks += _containers(facts)
    checks += [check for disk in facts.disks for check in _disk(disk)]
    if facts.ca is not None:
        checks.append(judge_clock(facts.ca))
    return checks


def _program(name: str, what: str, program: Program) -> Check:
    if program.problem is None:
        return ok(name, f"{what} {program.version}")
    return wrong(name, program.problem, program.hint or f"install {what}")


def _file(facts: HostFacts) -> Iterator[Check]:
    file = facts.file
    if file.name is None:
        yield unknown("compose-file", "there is no stack here: only the host is checked")
    elif file.problem is not None:
        yield wrong("compose-file", file.problem, file.hint or "correct the file")
    elif facts.compose.problem is not None or not file.resolved:
        yield from skipped(["compose-file"], "Compose is not available")
    else:
        sites = f"{file.sites} app{'' if file.sites == 1 else 's'}"
        yield ok("compose-file", f"Compose and stackctl can read {file.name}: {sites}")


def _containers(facts: HostFacts) -> Iterator[Check]:
    """Yield the checks that need a readable stack and an engine."""
    if facts.file.name is None:
        return
    names = ("images", "http-port", "https-port", "proxy")
    if facts.engine.problem is not None:
        yield from skipped(names, "the engine is not available")
    elif facts.images is None or facts.proxy is None:
        yield from skipped(names, "the Compose file could not be read")
    else:
        yield _images(facts.images)
        yield from (_port(port, facts.proxy) for port in facts.ports)
        taken = any(port.holder is not None and not port.own for port in facts.ports)
        if taken and facts.proxy.state != "running":
            yield from skipped(["proxy"], "it cannot run while its ports are in use")
        else:
            yield _proxy(facts.proxy)


def _images(images: tuple[Image, ...]) -> Check:
    missing = [image for image in images if not image.local and not image.builds]
    if not missing:
        count = "1 image is" if len(images) == 1 else f"{len(images)} images are"
        return ok("images", f"{count} on this host")
    listed = ", ".join(f"{image.name} ({image.service})" for image in missing)
    return wrong("images", f"not on this host: {listed}", "run 'docker compose pull', or 'docker build'")


def _port(port: Port, proxy: ProxyState) -> Check:
    if port.own:
        return ok(port.check, f"{port.at} is published by the proxy")
    if port.holder is not None:
        todo = f"stop it, or change the ports of {proxy.service} in the Compose file; then run 'stackctl up'"
        return wrong(port.check, f"{port.at} is in use by {port.holder}", todo)
    return ok(port.check, f"{port.at} is free for the proxy")


def _proxy(proxy: ProxyState) -> Check:
    if proxy.state != "running":
        state = "has no container" if proxy.state is None else f"is {proxy.state}"
        text = f"{proxy.service} {state}{f': {proxy.ended}' if proxy.ended else ''}"
        todo = "start it with 'stackctl up'"
        if proxy.state == "restarting":
            todo = "correct what its last message names, then run 'stackctl up'"
        return wrong("proxy", text, f"{todo}; see 'stackctl logs'")
    if proxy.answers is None:
        todo = "run 'stackctl up' if its ports were edited; see 'stackctl logs'"
        ended = f"; {proxy.ended}" if proxy.ended else ""
        return wrong("proxy", f"{proxy.service} runs, but does not answer on {proxy.at}{ended}", todo)
    if proxy.answers != proxy.published:
        text = f"{proxy.service} does not answer with the live configuration"
        return wrong("proxy", text, "run 'stackctl up', which loads it")
    return ok("proxy", f"{proxy.service} answers on {proxy.at} with the live configuration")


def _disk(disk: Disk) -> Iterator[Check]:
    where = f"on the file system of {disk.path}"
    if disk.free < LEAST_BYTES:
        todo = "free some space: 'docker system df' shows what images and containers use"
        yield wrong("disk", f"{disk.free / 1e6:.0f} MB free {where}", todo)
    else:
        yield ok("disk", f"{disk.free / 1e9:.1f} GB free {where}")
    if disk.inodes is not None and disk.inodes < LEAST_INODES:
        yield wrong("inodes", f"{disk.inodes} inodes free {where}", "delete small files that are not needed")
    elif disk.inodes is not None:
        yield ok("inodes", f"{disk.inodes} inodes free {where}")


def judge_clock(ca: CaDirectory) -> Check:
    """Compare this host's clock with the Date header of the CA's directory."""
    if ca.ahead is None:
        return unknown("clock", f"no time to compare with: {ca.problem}", "compare 'date -u' with another clock")
    seconds = round(abs(ca.ahead.total_seconds()))
    if abs(ca.ahead) > MOST_OFF:
        direction = "ahead of" if ca.ahead > timedelta() else "behind"
        todo = "synchronise it: 'timedatectl set-ntp true'"
        return wrong("clock", f"this host's clock is {seconds} s {direction} the CA's ({ca.url})", todo)
    return ok("clock", f"within {max(seconds, 1)} s of the CA's")
