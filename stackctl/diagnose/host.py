"""The host: its engine, its ports, its disks, its clock."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from stackctl.diagnose.check import Check, ok, skipped, unknown, wrong
from stackctl.model.endpoints import PortBinding
from stackctl.observed.network import CaDirectory

LEAST_BYTES = 200_000_000
"""Free space below which a renewal, an image or a generation may not fit any more."""

LEAST_INODES = 2_000
"""Each generation and each lineage takes a few."""

MOST_OFF = timedelta(seconds=60)
"""A clock off by more has certificates that are not valid yet, and answers of CAs that are too old."""


@dataclass(frozen=True, slots=True)
class Program:
    """Something that must be there: its version, or why it is not, and what to do."""

    version: str | None = None
    problem: str | None = None
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class ComposeFile:
    """The stack's Compose file; without ``name`` there is none. Compose has ``resolved`` it where it could be asked."""

    name: str | None
    sites: int = 0
    problem: str | None = None
    hint: str | None = None
    resolved: bool = True


@dataclass(frozen=True, slots=True)
class Image:
    """The image of one service; ``here`` tells whether it is local."""

    service: str
    name: str
    here: bool
    builds: bool = False


@dataclass(frozen=True, slots=True)
class Port:
    """Where a port of the proxy is published, and who holds that place: None where nobody does."""

    check: str
    at: PortBinding
    holder: str | None
    own: bool


@dataclass(frozen=True, slots=True)
class ProxyState:
    """The proxy: Docker's word for its container, or None without one.

    Attributes:
        answers: the generation that answers on the published port.
        published: the generation that is live on disk.
    """

    service: str
    state: str | None
    at: PortBinding
    answers: str | None
    published: str | None


@dataclass(frozen=True, slots=True)
class Disk:
    """A file system: free bytes, and free inodes where it counts them."""

    path: str
    free: int
    inodes: int | None


@dataclass(frozen=True, slots=True)
class HostFacts:
    """What was found; a part is None where it could not be looked at."""

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
    """The host's checks, what all others stand on first."""
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
        yield unknown("compose-file", "there is no stack here: the host alone is looked at")
    elif file.problem is not None:
        yield wrong("compose-file", file.problem, file.hint or "correct the file")
    elif facts.compose.problem is not None or not file.resolved:
        yield from skipped(["compose-file"], "Compose is not there to read it")
    else:
        sites = f"{file.sites} app{'' if file.sites == 1 else 's'}"
        yield ok("compose-file", f"{file.name} is read by Compose and by stackctl: {sites}")


def _containers(facts: HostFacts) -> Iterator[Check]:
    """What needs a stack that is read, and an engine."""
    if facts.file.name is None:
        return
    names = ("images", "http-port", "https-port", "proxy")
    if facts.engine.problem is not None:
        yield from skipped(names, "the engine is away")
    elif facts.images is None or facts.proxy is None:
        yield from skipped(names, "the Compose file could not be read")
    else:
        yield _images(facts.images)
        yield from (_port(port, facts.proxy) for port in facts.ports)
        taken = any(port.holder is not None and not port.own for port in facts.ports)
        if taken and facts.proxy.state != "running":
            yield from skipped(["proxy"], "it cannot run while others hold its ports")
        else:
            yield _proxy(facts.proxy)


def _images(images: tuple[Image, ...]) -> Check:
    missing = [image for image in images if not image.here and not image.builds]
    if not missing:
        return ok("images", f"{len(images)} images are here" if len(images) != 1 else "its image is here")
    named = ", ".join(f"{image.name} ({image.service})" for image in missing)
    return wrong("images", f"not on this host: {named}", "fetch or build it: 'docker compose pull', 'docker build'")


def _port(port: Port, proxy: ProxyState) -> Check:
    if port.own:
        return ok(port.check, f"{port.at} is published by the proxy")
    if port.holder is not None:
        todo = f"stop it, or publish the proxy elsewhere (the ports of {proxy.service} in the Compose file)"
        return wrong(port.check, f"{port.at} is held by {port.holder}", f"{todo}; then 'stackctl up'")
    return ok(port.check, f"{port.at} is free for the proxy")


def _proxy(proxy: ProxyState) -> Check:
    if proxy.state != "running":
        state = "has no container" if proxy.state is None else f"is {proxy.state}"
        return wrong("proxy", f"{proxy.service} {state}", "start it: 'stackctl up'; its own words: 'stackctl logs'")
    if proxy.answers is None:
        todo = "run 'stackctl up' where its ports were edited; its own words: 'stackctl logs'"
        return wrong("proxy", f"{proxy.service} runs, but does not answer on {proxy.at}", todo)
    if proxy.answers != proxy.published:
        text = f"{proxy.service} answers with another configuration than the live one"
        return wrong("proxy", text, "have it taken up: 'stackctl up'")
    return ok("proxy", f"{proxy.service} answers on {proxy.at} with the live configuration")


def _disk(disk: Disk) -> Iterator[Check]:
    where = f"on the file system of {disk.path}"
    if disk.free < LEAST_BYTES:
        todo = "free some: 'docker system df' shows what images and containers take"
        yield wrong("disk", f"{disk.free / 1e6:.0f} MB free {where}", todo)
    else:
        yield ok("disk", f"{disk.free / 1e9:.1f} GB free {where}")
    if disk.inodes is not None and disk.inodes < LEAST_INODES:
        yield wrong("inodes", f"{disk.inodes} inodes free {where}", "delete files that are not needed: many small ones")
    elif disk.inodes is not None:
        yield ok("inodes", f"{disk.inodes} inodes free {where}")


def judge_clock(ca: CaDirectory) -> Check:
    """The clock against the Date header of the CA's directory."""
    if ca.ahead is None:
        return unknown("clock", f"no time to compare with: {ca.problem}", "compare 'date -u' with a clock you trust")
    seconds = round(abs(ca.ahead.total_seconds()))
    if abs(ca.ahead) > MOST_OFF:
        way = "ahead of" if ca.ahead > timedelta() else "behind"
        todo = "set it, and have it kept: 'timedatectl set-ntp true'"
        return wrong("clock", f"this host's clock is {seconds} s {way} the CA's ({ca.url})", todo)
    return ok("clock", f"within {max(seconds, 1)} s of the CA's")
