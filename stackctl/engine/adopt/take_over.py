"""Execute the operations that only ``adopt`` needs, and undo them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from stackctl.adapters.disk.files import (
    back_up,
    backups,
    draft_path,
    host_errors,
    make_folder,
    read_or_none,
    remove_drafts,
    sync_directory,
    write_whole,
)
from stackctl.certs.lineage import Lineage
from stackctl.engine.adopt.foreign import Foreign
from stackctl.engine.adopt.volumes import write_entries
from stackctl.engine.apply import prove
from stackctl.engine.apply.handlers import Handlers, one_by_one
from stackctl.engine.context import Context
from stackctl.engine.downtime import DowntimeMeter
from stackctl.errors import HostError
from stackctl.model.endpoints import PortBinding
from stackctl.model.history import HistoryEntry
from stackctl.model.layout import CERTBOT_CONF, CLI_INI, DIRECTORIES, LIVE, STATE, renewal_file
from stackctl.model.stack import Stack
from stackctl.model.values import Domain
from stackctl.plan.adopt import (
    CopyFolder,
    CopyTree,
    ImportCertificate,
    KeepOldState,
    ReplaceProxy,
    RewriteIni,
    RewriteRenewal,
    SetHookAside,
    WriteKept,
)
from stackctl.plan.operation import Operation
from stackctl.proxies.proxy import ProxyLayout


class TakeOver:
    """Executes the operations of ``adopt``.

    Attributes:
        meter: measures the downtime of the replacement; None if the proxy is not replaced.
    """

    def __init__(
        self,
        context: Context,
        project: str,
        stack: Stack,
        lineages: Sequence[Lineage],
        foreign: Foreign,
    ) -> None:
        self._context = context
        self._project = project
        self._stack = stack
        self._layout = context.proxy_of(stack).layout
        self._lineages = lineages
        self._volume = foreign.volume
        self._inside = foreign.inside
        self.meter: DowntimeMeter | None = None

    def measured(self, operations: Sequence[Operation]) -> AbstractContextManager[object]:
        """Measure the downtime while ``operations`` are executed, until one of them has replaced the proxy.

        Not only that one may close the ports: Compose also replaces a proxy that another service depends on.
        """
        replacement = next((one for one in operations if isinstance(one, ReplaceProxy)), None)
        if replacement is None:
            return nullcontext()
        proxy = self._stack.proxy
        names = [Domain(name) for name in replacement.names]
        self.meter = downtime_meter(self._context, proxy.http.at, proxy.for_visitors.at, names)
        return self.meter

    @property
    def handlers(self) -> Handlers:
        """The handler of each kind of operation."""
        return {
            KeepOldState: one_by_one(self._keep),
            CopyTree: one_by_one(self._copy),
            CopyFolder: one_by_one(self._copy_folder),
            WriteKept: one_by_one(self._write_kept),
            RewriteRenewal: one_by_one(self._rewrite),
            RewriteIni: one_by_one(self._rewrite_ini),
            SetHookAside: one_by_one(self._set_aside),
            ImportCertificate: one_by_one(self._import),
            ReplaceProxy: one_by_one(self._replace),
        }

    def _copy(self, operation: CopyTree) -> None:
        root = self._context.directory.root
        if self._volume is not None:
            found = self._volume.entries(self._context)
            make_tree(root / operation.target, lambda draft: write_entries(found, draft))
        else:
            copy_tree(root / operation.source, root / operation.target)

    def _copy_folder(self, operation: CopyFolder) -> None:
        assert self._inside is not None  # it was found there
        found = self._inside.tree(operation.source)
        target = self._context.directory.root / operation.folder / operation.name
        make_tree(target, lambda draft: write_entries(found, draft))

    def _write_kept(self, operation: WriteKept) -> None:
        path = self._context.directory.root / operation.folder / operation.name
        write_kept(path, operation.content, operation.mode)
        if operation.like is not None:
            with host_errors():
                shutil.copymode(operation.like, path)
                _own(Path(operation.like), path)

    def _rewrite(self, operation: RewriteRenewal) -> None:
        path = self._context.directory.root / (CERTBOT_CONF / renewal_file(operation.lineage)).path
        with host_errors():
            write_whole(path, operation.content.encode())

    def _rewrite_ini(self, operation: RewriteIni) -> None:
        with host_errors():
            write_whole(self._context.directory.root / (CERTBOT_CONF / CLI_INI).path, operation.content.encode())

    def _set_aside(self, operation: SetHookAside) -> None:
        path = self._context.directory.root / (CERTBOT_CONF / operation.path).path
        with host_errors():
            path.rename(aside(path))

    def _import(self, operation: ImportCertificate) -> None:
        self._context.directory.store_pair(operation.site, operation.chain, operation.key, operation.source)

    def _replace(self, operation: ReplaceProxy) -> None:
        assert self.meter is not None  # see measured()
        self._context.orchestrator.up([operation.service])
        prove.generation_answers(self._context, self._stack, self._project)
        self.meter.finish()

    def _keep(self, operation: KeepOldState) -> None:
        directory = self._context.directory
        with host_errors():
            make_folder(directory.root / STATE, DIRECTORIES[STATE])
            found = {path: read_or_none(directory.root / path) for path in operation.paths}
        files = {path: content for path, content in found.items() if content is not None}
        lineages = {one.name: one.certificate.fingerprint for one in self._lineages if one.certificate}
        changes = ("taken over by stackctl",)
        command = self._context.command
        path = directory.main_path
        # A stackctl proxy whose settings were lost already has its files.
        delivery = self._context.delivery(self._layout)
        own = None if delivery.missing() else delivery.published()
        directory.history.record(
            HistoryEntry(self._context.now(), command, "foreign", changes, own, lineages, path), files
        )


def downtime_meter(context: Context, http: PortBinding, https: PortBinding, names: Sequence[Domain]) -> DowntimeMeter:
    """Return a meter of the published ports: by handshakes with the first of ``names``, or by plain requests."""
    if not names:
        return DowntimeMeter(lambda: context.wire.responds(http))
    return DowntimeMeter(lambda: context.wire.served(https, names[:1])[names[0]] is not None)


def copy_tree(source: Path, target: Path) -> None:
    """Copy a directory with links, modes, times and owners, completely or not at all."""

    def fill(draft: Path) -> None:
        shutil.copytree(source, draft, symlinks=True, copy_function=_copy_with_owner, dirs_exist_ok=True)
        for folder in (path for path in source.rglob("*") if path.is_dir() and not path.is_symlink()):
            _own(folder, draft / folder.relative_to(source))
        _own(source, draft)

    make_tree(target, fill)


def make_tree(target: Path, fill: Callable[[Path], None]) -> None:
    """Make a directory whose content ``fill`` writes, completely or not at all.

    Raises:
        HostError: ``target`` exists and is not empty.
    """
    with host_errors():
        if target.is_dir() and any(target.iterdir()):
            raise HostError("the directory already exists", where=str(target), hint="move it elsewhere first")
        make_folder(target.parent)
        remove_drafts(target.parent, f".{target.name}*.tmp")
        draft = draft_path(target)
        draft.mkdir(0o700)
        try:
            fill(draft)
            if target.is_dir():
                target.rmdir()
            draft.rename(target)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        sync_directory(target.parent)


def _copy_with_owner(source: str, target: str) -> str:
    shutil.copy2(source, target, follow_symlinks=False)
    _own(Path(source), Path(target))
    return target


def aside(hook: Path) -> Path:
    """Return the name under which certbot does not run a hook."""
    return hook.with_name(f"{hook.name}~")


def _own(source: Path, target: Path) -> None:
    facts = source.lstat()
    os.chown(target, facts.st_uid, facts.st_gid, follow_symlinks=False)


def write_kept(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write a file that the user owns from now on; back up another file of that name first."""
    with host_errors():
        there = read_or_none(path)
        if there == content:
            return
        make_folder(path.parent)
        if there is not None:
            back_up(path)
        write_whole(path, content, mode)


def take_back(
    context: Context, entry: HistoryEntry, layout: ProxyLayout, replace_proxy: Callable[[], None]
) -> list[str]:
    """Restore the files of an adopted stack, and return the paths that were written.

    ``layout`` is that of the proxy which took it over; ``replace_proxy`` is called after that.
    """
    root = context.directory.root
    done: list[str] = []
    with host_errors():
        links = (LIVE, *layout.entry_points) if entry.generation is None else ()
        for entry_point in (root / layout.directory / name for name in links):
            there = backups(entry_point)
            if entry_point.is_symlink() and (there or entry_point.name != LIVE):
                entry_point.unlink()
            if there and not entry_point.exists():
                there[-1].rename(entry_point)
        for path, content in context.directory.history.files(entry.number).items():
            if not (root / path).exists() and read_or_none(aside(root / path)) == content:
                aside(root / path).rename(root / path)  # with its mode: certbot runs only programs
                done.append(path)
            elif read_or_none(root / path) != content:
                make_folder((root / path).parent)
                write_whole(root / path, content)
                done.append(path)
    replace_proxy()
    return done
