"""Read certbot's tree, from disk or, without permission, through certbot's container; never write it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from stackctl.adapters.disk.files import host_errors, read_or_none
from stackctl.adapters.disk.lineage_cache import LineageCache
from stackctl.certs.accounts import account_in_use, accounts_at
from stackctl.certs.issuer.pair import PairFiles
from stackctl.certs.issuer.versions import LineageFiles, judge, read_archive, read_lineage_files, versions_of
from stackctl.certs.lineage import Lineage, judged_lineage
from stackctl.certs.renewal import KINDS, account_path, parse_renewal
from stackctl.certs.settings import HOOK_KINDS, TreeSettings
from stackctl.errors import EngineError
from stackctl.model.layout import (
    ACCOUNT_FILE,
    ACCOUNT_KEY,
    ACCOUNT_META,
    ACCOUNTS,
    ARCHIVES,
    CERTBOT_CONF,
    CLI_INI,
    LINEAGES,
    RENEWAL_HOOKS,
    RENEWALS,
    archive_folder,
    lineage_file,
    renewal_file,
)

T = TypeVar("T")

TreeReader = Callable[[str, str], Mapping[str, bytes]]
"""Reads the files below a path in the container of a role: paths relative to it, links followed."""

_ROLE = "certbot"
_CONF = ".conf"
_DEPTH = 6
"""Accounts are two or three directories deep; the bound ends loops of links."""


class CertbotTree:
    """certbot's tree of one stack at one moment.

    certbot makes it readable only by root. A user who may use Docker but is not root reads it through
    the container, which grants no more than Docker does anyway. After the first refusal everything is
    read from there.
    """

    def __init__(self, root: Path, read_tree: TreeReader | None, cache: Path | None = None) -> None:
        """``cache`` is the file of the lineage cache."""
        self._root = root
        self._read_tree = read_tree
        self._cache = cache
        self._files: Mapping[str, bytes] | None = None

    def _look(self, on_disk: Callable[[], T], in_files: Callable[[Mapping[str, bytes]], T]) -> T:
        if self._files is None:
            with host_errors():
                try:
                    return on_disk()
                except PermissionError as denied:
                    if self._read_tree is None:
                        raise
                    self._files = self._through_container(self._read_tree, denied)
        return in_files(self._files)

    @staticmethod
    def _through_container(read_tree: TreeReader, denied: PermissionError) -> Mapping[str, bytes]:
        try:
            return read_tree(_ROLE, CERTBOT_CONF.mount)
        except EngineError as error:
            if error.everywhere:
                raise
            # Root in a container of a rootless engine is the user of the engine, who may not read it either.
            raise denied from error

    # Lineages

    def lineages(self) -> dict[str, Lineage]:
        """Return the lineages that ``live/``, ``archive/`` or ``renewal/`` has something of, by name."""

        def in_files(files: Mapping[str, bytes]) -> dict[str, Lineage]:
            inside = {name for folder in (LINEAGES, ARCHIVES) for name, _, more in _below(files, folder) if more}
            names = sorted(inside.union(_of_confs(name for name, _, more in _below(files, RENEWALS) if not more)))
            return {name: _in_files(name, files) for name in names}

        return self._look(self._all_on_disk, in_files)

    def _all_on_disk(self) -> dict[str, Lineage]:
        names = sorted(self._names_on_disk())
        if self._cache is None:
            return {name: self._on_disk(name) for name in names}
        cache = LineageCache(self._cache)
        found = {name: cache.get(name, self._paths(name), self._on_disk) for name in names}
        cache.keep(names)
        return found

    def _names_on_disk(self) -> set[str]:
        names = set[str]()
        for folder in (LINEAGES, ARCHIVES):
            with suppress(FileNotFoundError, NotADirectoryError):
                names.update(entry.name for entry in os.scandir(self._root / folder) if entry.is_dir())
        with suppress(FileNotFoundError, NotADirectoryError):
            names.update(_of_confs(path.name for path in (self._root / RENEWALS).iterdir()))
        return names

    def lineage(self, name: str) -> Lineage:
        """Return one lineage."""
        return self._look(lambda: self._on_disk(name), lambda files: _in_files(name, files))

    def pair(self, name: str) -> PairFiles:
        """Return the content of a lineage's current files."""
        return PairFiles(*(self.read(lineage_file(name, kind)) for kind in ("fullchain", "privkey", "chain")))

    def _on_disk(self, name: str) -> Lineage:
        files = read_lineage_files(self._root, name)
        return judged_lineage(name, files, judge(name, files, lambda: read_archive(self._root, name)))

    def _paths(self, name: str) -> list[str]:
        """Return the files by which a lineage is judged, and the folder that shows new versions."""
        files = (lineage_file(name, kind) for kind in KINDS)
        return [f"{self._root}/{path}" for path in (*files, renewal_file(name), archive_folder(name))]

    # Anything in it

    def read(self, path: str) -> bytes | None:
        """Return a file's content, with links followed; None if it does not exist."""
        return self._look(lambda: read_or_none(self._root / path), lambda files: files.get(path))

    def names(self, folder: str) -> frozenset[str]:
        """Return the names in a directory."""

        def on_disk() -> frozenset[str]:
            at = self._root / folder
            return frozenset(path.name for path in at.iterdir()) if at.is_dir() else frozenset()

        return self._look(on_disk, lambda files: frozenset(name for name, _, _ in _below(files, folder)))

    def accounts(self) -> frozenset[str]:
        """Return the accounts, as ``HOST/PATH/ID``."""

        def on_disk() -> frozenset[str]:
            # Links are followed: certbot links the account of a CA's old URL.
            home = self._root / ACCOUNTS
            return frozenset(str(path.relative_to(home)) for path in _accounts(home, _DEPTH))

        def in_files(files: Mapping[str, bytes]) -> frozenset[str]:
            paths = ("".join(parts) for parts in _below(files, ACCOUNTS))
            return frozenset(
                path.removesuffix(f"/{ACCOUNT_FILE}") for path in paths if path.endswith(f"/{ACCOUNT_FILE}")
            )

        return self._look(on_disk, in_files)

    def settings(self, server: str, others: Iterable[str] = ()) -> TreeSettings:
        """Return what governs renewals: the renewal files, ``cli.ini``, the hooks, and the accounts at ``server``.

        ``others`` are further CAs, whose accounts are found too.
        """
        renewals = self._renewals()

        def accounts(ca: str) -> tuple[frozenset[str], str | None]:
            created = self._created_at(ca)
            # Most CAs have one account: then no renewal file has to be parsed.
            parsed = map(parse_renewal, renewals.values()) if len(created) > 1 else ()
            return frozenset(created), account_in_use(ca, created, parsed)

        ini = self.read(CLI_INI)
        text = None if ini is None else ini.decode("utf-8", "replace")
        elsewhere = {other: accounts(other) for other in set(others) - {server}}
        return TreeSettings(renewals, text, self.hooks(), *accounts(server), elsewhere)

    def ambiguous_account(self, server: str) -> str | None:
        """Return the account that certbot must be given, as there are several at ``server``; else None."""
        created = self._created_at(server)
        if len(created) < 2:
            return None
        return account_in_use(server, created, map(parse_renewal, self._renewals().values()))

    def _renewals(self) -> dict[str, str]:
        """Return the text of the renewal files, by lineage."""
        found = {name: self.read(renewal_file(name)) for name in sorted(_of_confs(self.names(RENEWALS)))}
        return {name: text.decode("utf-8", "replace") for name, text in found.items() if text is not None}

    def _created_at(self, server: str) -> dict[str, str]:
        """Return when each account at ``server`` that certbot can use was made, by its id."""
        ids = accounts_at(server, self.accounts())
        return {one: made for one in ids if (made := self._created(account_path(server, one))) is not None}

    def _created(self, account: str) -> str | None:
        """Return when an account was made, or None for one that certbot cannot read: it skips that."""
        texts = [self.read(f"{ACCOUNTS}/{account}/{name}") for name in (ACCOUNT_FILE, ACCOUNT_KEY, ACCOUNT_META)]
        try:
            _, _, meta = (json.loads(text or b"") for text in texts)
            return str(meta.get("creation_dt", ""))
        except (ValueError, AttributeError):
            return None

    def hooks(self) -> tuple[str, ...]:
        """Return the programs that certbot runs at renewals, as paths in the tree; it skips those that end in ``~``."""

        def on_disk() -> list[str]:
            found = (path for kind in HOOK_KINDS for path in (self._root / RENEWAL_HOOKS / kind).glob("*"))
            return [str(path.relative_to(self._root)) for path in found if path.is_file() and os.access(path, os.X_OK)]

        def in_files(files: Mapping[str, bytes]) -> list[str]:
            # Modes are not known here.
            below = {f"{RENEWAL_HOOKS}/{kind}" for kind in HOOK_KINDS}
            programs = (path for path, content in files.items() if content.startswith((b"#!", b"\x7fELF")))
            return [path for path in programs if path.rpartition("/")[0] in below]

        return tuple(sorted(path for path in self._look(on_disk, in_files) if not path.endswith("~")))

    # What only the disk shows

    def key_file(self, lineage: str) -> tuple[int, int, int] | None:
        """Return the mode and owner of a lineage's key, and certbot's own user; None if they are unknown."""
        if self._files is not None:
            return None
        try:
            key = (self._root / lineage_file(lineage, "privkey")).stat()
            # certbot created this directory, whichever user it runs as on this host.
            return key.st_mode & 0o7777, key.st_uid, (self._root / archive_folder(lineage)).stat().st_uid
        except OSError:
            return None

    def links(self, lineage: str) -> dict[str, str | None] | None:
        """Return the targets of a lineage's links, by kind, None for a file; None if they are unknown."""
        if self._files is not None:
            return None
        links = {kind: self._root / lineage_file(lineage, kind) for kind in KINDS}
        return {kind: str(link.readlink()) if link.is_symlink() else None for kind, link in links.items()}


def _of_confs(names: Iterable[str]) -> Iterator[str]:
    """Return the lineages whose renewal files are among ``names``."""
    return (name.removesuffix(_CONF) for name in names if name.endswith(_CONF))


def _in_files(name: str, files: Mapping[str, bytes]) -> Lineage:
    archive = archive_folder(name)
    stored = versions_of({kind: files[f"{archive}/{kind}"] for kind, _, _ in _below(files, archive)})
    live = {kind: files.get(lineage_file(name, kind)) for kind in KINDS}
    found = LineageFiles(live, None, frozenset(stored), files.get(renewal_file(name)))
    return judged_lineage(name, found, judge(name, found, lambda: stored))


def _below(files: Mapping[str, bytes], folder: str) -> Iterator[tuple[str, str, str]]:
    """Return the paths below a directory, split at their first ``/``."""
    return (path.removeprefix(f"{folder}/").partition("/") for path in files if path.startswith(f"{folder}/"))


def _accounts(folder: Path, depth: int) -> Iterator[Path]:
    """Yield the directories of accounts at ``folder`` and below it."""
    if not depth or not folder.is_dir():
        return
    if (folder / ACCOUNT_FILE).exists():
        yield folder
    for inner in folder.iterdir():
        yield from _accounts(inner, depth - 1)
