"""Find the jobs of this host, the scripts and the containers that renew the certificates of a foreign stack."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from stackctl.adapters.disk.files import read_or_none
from stackctl.adopt.compose_layouts import Layout
from stackctl.adopt.proposal import Handling, Remark
from stackctl.adopt.renewers import is_renewer, renewers, scripts_of
from stackctl.engine.adopt.foreign import Foreign
from stackctl.engine.context import Context
from stackctl.model.layout import CERTBOT_CONF, RENEWALS
from stackctl.model.project import Project

HOST = Path("/")
_TABLES = ("etc/crontab", "etc/cron.d/*", "etc/cron.*ly/*", "var/spool/cron/*", "var/spool/cron/crontabs/*")
_TIMERS = ("certbot.timer", "snap.certbot.renew.timer")
_ENABLED = "etc/systemd/system/timers.target.wants"
_LARGEST = 1 << 20


def old_renewers(context: Context, project: Project, foreign: Foreign) -> tuple[Remark, ...]:
    """Return a remark for each; what this user cannot read is left out."""
    tree = _tree_of_host(HOST) if foreign.tree is None else ()
    return (*tree, *host_renewers(context), *_containers(context, project, foreign.layout))


def _tree_of_host(host: Path) -> tuple[Remark, ...]:
    """Return the remark about certbot's tree of this host, where the stack has none of its own."""
    path = CERTBOT_CONF.mount
    if not any(True for _ in _texts(host, (f"{path.lstrip('/')}/{RENEWALS}/*.conf",))):
        return ()
    text = f"certbot has certificates on this host: 'stackctl adopt --letsencrypt {path}' takes them over"
    return (Remark(Handling.CHANGED, text, path),)


def host_renewers(context: Context, host: Path = HOST) -> tuple[Remark, ...]:
    """Return a remark for each job of this host, and for each script that is one or is in the stack's directory.

    ``host`` is the root directory of this host.
    """
    root = context.directory.root
    jobs = {str(Path("/") / path.relative_to(host)): text for path, text in _texts(host, _TABLES)}
    scripts = {name: text for name in scripts_of(jobs.values()) for _, text in _texts(host, (name.lstrip("/"),))}
    scripts |= {str(path.relative_to(root)): text for path, text in _texts(root, ("*.sh", "*/*.sh"))}
    timers = [
        Remark(Handling.REPLACED, f"{name}: stackctl's certbot renews from now on: 'systemctl disable --now {name}'")
        for name in _TIMERS
        if (host / _ENABLED / name).is_symlink()
    ]
    return (*renewers(jobs, scripts), *timers)


def _texts(root: Path, patterns: tuple[str, ...]) -> Iterator[tuple[Path, str]]:
    for pattern in patterns:
        try:
            paths = sorted(root.glob(pattern))
        except OSError:
            continue
        for path in paths:
            try:
                small = path.is_file() and path.stat().st_size < _LARGEST
                content = read_or_none(path) if small else None
            except OSError:
                continue
            if content is not None and b"\0" not in content:
                yield path, content.decode("utf-8", "replace")


def _containers(context: Context, project: Project, layout: Layout) -> Iterator[Remark]:
    """Yield the other services of the project that renew certificates; they go on until they are removed."""
    ours = {layout.proxy.name, *((layout.certbot.name,) if layout.certbot else ())}
    for container in context.orchestrator.containers(project.name):
        if not container.running or container.service in ours:
            continue
        if any(is_renewer(process.command) for process in context.containers.processes(container.id)):
            text = f"the service {container.service} renews certificates, as stackctl's certbot does: remove it"
            yield Remark(Handling.CHANGED, text)
