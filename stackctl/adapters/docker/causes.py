"""Recognise what the engine and Compose report, and say what to do: the only place that knows their messages."""

from __future__ import annotations

import re
from pathlib import Path

from stackctl.errors import EngineError

_RESTART = "restart Docker ('systemctl restart docker'), then run the command again"

_EVERYWHERE: tuple[tuple[str, str, str], ...] = (
    (
        (
            r"could not find an available, non-overlapping|predefined address pools have been fully subnetted"
            r"|no available (IPv[46] )?(address )?pool"
        ),
        "the engine has no address pool left for another network",
        (
            "remove networks that are not used ('docker network prune'),"
            " or add pools as 'default-address-pools' in /etc/docker/daemon.json and restart Docker"
        ),
    ),
    (
        r"no space left on device|disk quota exceeded",
        "the engine's disk is full",
        "free space: 'docker system df' shows what images, containers and volumes take",
    ),
    (
        (
            r"iptables.*(no chain|does not exist)|chain '?DOCKER|failed to set ?up ip ?tables"
            r"|no chain/target/match by that name"
        ),
        "the firewall rules of the engine are gone",
        f"a firewall that was reloaded removes them: {_RESTART}",
    ),
    (
        (
            r"cgroup mountpoint does not exist|no cgroup mount found|cgroups?: .*(not supported|no such file|not found)"
            r"|cannot enter cgroupv2|devices cgroup isn't mounted"
        ),
        "the host's cgroups are not usable by the engine",
        "mount them, or restart the host and Docker; 'docker info' shows the cgroup driver and version",
    ),
    (
        r"permission denied while trying to connect to the docker|dial unix .*permission denied",
        "the Docker Engine refuses this user",
        "add the user to the group docker and log in again, or run the command as root",
    ),
    (
        (
            r"cannot connect to the docker daemon|is the docker daemon running|daemon is shutting down"
            r"|error during connect|dial unix .*(connection refused|no such file)"
            r"|(docker[.]sock|%2F).*(EOF|connection reset by peer)"
        ),
        "the Docker Engine stopped answering",
        "wait until it has started again ('systemctl status docker'), then run the command again",
    ),
    (
        r"cannot allocate memory|(fork/exec|clone|thread).*resource temporarily unavailable",
        "the host has no memory or processes left for another container",
        "free some: 'free -m' and 'docker stats --no-stream' show what is in use",
    ),
    (
        r"client version .* is too new|client version .* is too old|minimum supported api version",
        "Compose and the Docker Engine support no common version of the API",
        "upgrade the older one of the two: 'docker version' shows both",
    ),
)
"""Patterns of causes that affect every service, with what each means and what to do."""

_UNSEEN = re.compile(r"bind source path does not exist: (/.*)")
_PUBLISHED = re.compile(r"timed out proxy starting the userland proxy|port is already allocated", re.IGNORECASE)
_PRIVILEGED_PORT = re.compile(r"cannot expose privileged port (\d+)", re.IGNORECASE)


def engine_error(text: str, *, where: str | None = None) -> EngineError:
    """Return the error for a message of the engine or of Compose."""
    for pattern, meaning, hint in _EVERYWHERE:
        if re.search(pattern, text, re.IGNORECASE):
            return EngineError(f"{meaning}: {text}", where=where, hint=hint, everywhere=True)
    if (unseen := _UNSEEN.search(text)) and Path(unseen[1].strip()).exists():
        return EngineError(
            f"the engine does not see the files of this host: {text}",
            where=where,
            hint="run stackctl on the host of the engine; in a container, mount the stack's directory at the path that"
            " it has on that host; an engine from a snap sees home directories only",
            everywhere=True,
        )
    if _PUBLISHED.search(text):
        return EngineError(
            f"the engine cannot publish a port: {text}",
            where=where,
            hint="see with 'docker ps' whether another container publishes it; a rootless engine publishes a port only"
            " once, whatever the address; if none does, the host is overloaded: run the command again",
        )
    if privileged := _PRIVILEGED_PORT.search(text):
        return EngineError(
            f"a rootless engine may not publish port {privileged[1]}: {text}",
            where=where,
            hint=f"allow it on this host ('sysctl -w net.ipv4.ip_unprivileged_port_start={privileged[1]}'),"
            " or publish another port: edit 'ports' of the service in the Compose file, then run 'stackctl up'",
        )
    return EngineError(text, where=where)
