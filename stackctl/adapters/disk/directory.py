"""The stack directory on disk: reads, and atomic writes.

docker-compose.yml    the desired state (:mod:`stackctl.stackfile`)
PROXY/live            → generations/ID, switched in one rename
PROXY/generations/    the last ten sets of files, each complete
PROXY/custom/         the user's own files; written only to restore an earlier state
data/certbot/         certbot's own tree, changed only by certbot
data/certbot/deploy/  stamps, the deploy hook, and the verified pairs that a proxy reads
data/certs/           certificates that are not certbot's: dummies, imported ones, and those of other issuers
.stackctl/            lock, ledger, history
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from stackctl.adapters.disk.certbot_tree import TreeReader
from stackctl.adapters.disk.certificates import CertificateFiles
from stackctl.adapters.disk.files import host_errors, make_folder, read_or_none, write_whole
from stackctl.adapters.disk.history import History
from stackctl.adapters.disk.user_files import UserFiles
from stackctl.adapters.disk.version_cache import VersionCache
from stackctl.certs.ledger import Entry, Ledger
from stackctl.errors import HostError, StackfileError
from stackctl.model.layout import (
    CA_BUNDLE,
    DIRECTORIES,
    DNS,
    DNS_PLUGIN,
    DNS_ZONES,
    DOCKERIGNORE,
    EAB_KEY,
    GENERATIONS,
    GITIGNORE,
    HISTORY,
    HOOK,
    HOOK_PROGRAM,
    LEDGER,
    PAIRS,
    SCHEMA,
    STATE,
    WATCH,
    WATCH_PROGRAM,
    WATCH_SCRIPT,
    WATCH_SETTINGS,
    lineages_cache,
)
from stackctl.proxies.proxy import ProxyLayout
from stackctl.reading import read_regular
from stackctl.stackfile.locate import ComposeFiles


def _directories(layout: ProxyLayout) -> Mapping[str, int]:
    """Return every directory of a stack with its mode."""
    generations = f"{layout.directory}/{GENERATIONS}"
    return {STATE: DIRECTORIES[STATE], layout.custom: 0o755, generations: 0o755, **DIRECTORIES}


class StackDirectory(CertificateFiles, UserFiles):
    """One stack's directory. Every method raises :class:`HostError` on a file system error."""

    def __init__(self, files: ComposeFiles, read_tree: TreeReader | None = None, cache: Path | None = None) -> None:
        """``read_tree`` reads certbot's tree in its container if the user may not read it on disk.

        ``cache`` is an optional directory that all stacks of a user share.
        """
        self.files = files
        super().__init__(files.directory, read_tree, self._lineages_file(files.directory, cache))
        self.history = History(self.root / HISTORY)
        self.versions = VersionCache(cache)

    @staticmethod
    def _lineages_file(root: Path, cache: Path | None) -> Path | None:
        """Return a path outside the stack, so that a command with nothing to do changes nothing in it."""
        digest = hashlib.sha256(os.fsencode(root.resolve())).hexdigest()
        return None if cache is None else cache / lineages_cache(digest)

    # Reading

    @property
    def base(self) -> str:
        """The stack's directory as services mount it: relative to Compose's project directory."""
        return os.path.relpath(self.root, self.files.project)

    @property
    def main_path(self) -> str:
        """The Compose file's path relative to the directory, or only its name if it is outside."""
        main = self.files.main
        inside = main.is_relative_to(self.root) and ".." not in main.parts
        return str(main.relative_to(self.root)) if inside else main.name

    def stackfile(self) -> str | None:
        """Return the Compose file's text, or None if it does not exist."""
        with host_errors():
            try:
                content = read_regular(self.files.main)
            except FileNotFoundError:
                return None
        try:
            return content.decode("utf-8")
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            where = f"{self.files.name}:{line}"
            raise StackfileError("not UTF-8 text", where=where, hint="save the file as UTF-8") from error

    def missing(self, layout: ProxyLayout) -> tuple[str, ...]:
        """Return the directories of the stack that are missing."""
        return tuple(path for path in _directories(layout) if not (self.root / path).is_dir())

    def hook(self) -> dict[str, bytes]:
        """Return the files of the deploy hook, by path, where they are."""
        with host_errors():
            read = {place.path: read_or_none(self.root / place.path) for place in (HOOK, HOOK_PROGRAM)}
        return {path: content for path, content in read.items() if content is not None}

    def dns_files(self) -> dict[str, bytes]:
        """Return certbot's plugin for DNS-01 with its zones, by path, where they are; no credentials are among them."""
        with host_errors():
            plugin = (self.root / DNS_PLUGIN.path).glob("*/*")
            files = [path for path in (*plugin, self.root / DNS_ZONES.path) if path.is_file()]
            return {str(path.relative_to(self.root)): read_regular(path) for path in files}

    def watch_files(self) -> dict[str, bytes]:
        """Return the program for metrics and alerts with its settings, by path, where they are."""
        with host_errors():
            program = (self.root / WATCH_PROGRAM.path).rglob("*.py")
            files = [*program, *(self.root / place.path for place in (WATCH_SCRIPT, WATCH_SETTINGS))]
            return {str(path.relative_to(self.root)): read_regular(path) for path in files if path.is_file()}

    def write_watch_files(self, files: Mapping[str, bytes]) -> None:
        """Write the program for metrics and alerts, or its settings, which only their owner can read."""
        with host_errors():
            make_folder(self.root / WATCH.path, DIRECTORIES[WATCH.path])
            for path, content in files.items():
                make_folder((self.root / path).parent)
                write_whole(self.root / path, content, 0o600 if path == WATCH_SETTINGS.path else 0o644)

    def write_credentials(self, path: str, content: bytes | None) -> None:
        """Store the credentials of a DNS provider, readable only by their owner; None removes them."""
        with host_errors():
            make_folder(self.root / DNS.path, DIRECTORIES[STATE])
            if content is None:
                (self.root / path).unlink(missing_ok=True)
            else:
                write_whole(self.root / path, content, 0o600)

    def ca_bundle(self) -> bytes | None:
        """Return the stack's copy of the trust anchors of a private CA."""
        with host_errors():
            return read_or_none(self.root / CA_BUNDLE.path)

    def eab_key(self) -> str | None:
        """Return the MAC key of the external account binding, or None."""
        with host_errors():
            found = read_or_none(self.root / EAB_KEY.path)
        return None if found is None else found.decode("ascii", "replace").strip()

    def schema(self) -> bytes | None:
        """Return the JSON Schema for editors."""
        with host_errors():
            return read_or_none(self.root / SCHEMA)

    def ignore_files(self) -> dict[str, bytes]:
        """Return ``.gitignore`` and ``.dockerignore`` of the directory, by name, where they are."""
        with host_errors():
            read = {name: read_or_none(self.root / name) for name in (GITIGNORE, DOCKERIGNORE)}
        return {name: content for name, content in read.items() if content is not None}

    def ledger(self) -> Ledger:
        """Return the ledger of orders at CAs."""
        with host_errors():
            return Ledger.parse((read_or_none(self.root / LEDGER) or b"").decode("utf-8", "replace"))

    # Writing

    def make_directories(self, paths: Sequence[str], layout: ProxyLayout) -> None:
        """Create directories of the stack."""
        with host_errors():
            for path in set(paths) & _directories(layout).keys():
                make_folder(self.root / path, _directories(layout)[path])
                if path == PAIRS.path:
                    self.pairs.prepare()

    def write_stackfile(self, content: str, before: str | None) -> None:
        """Replace the Compose file, if it still equals ``before``."""
        if self.stackfile() != before:
            raise HostError(
                "another process has just changed the file",
                where=self.files.name,
                hint="run the command again",
            )
        with host_errors():
            write_whole(self.files.main, content.encode())

    def write_hook(self, files: Mapping[str, bytes]) -> None:
        """Write the files of the deploy hook, or those of the plugin for DNS-01."""
        with host_errors():
            for path, content in files.items():
                if path.startswith(f"{DNS.path}/"):
                    make_folder(self.root / DNS.path, DIRECTORIES[STATE])
                make_folder((self.root / path).parent)
                write_whole(self.root / path, content)

    def write_ca_bundle(self, content: bytes) -> None:
        """Store the trust anchors of a private CA."""
        with host_errors():
            write_whole(self.root / CA_BUNDLE.path, content)

    def write_eab_key(self, key: str) -> None:
        """Store the MAC key of the external account binding, readable only by its owner."""
        with host_errors():
            write_whole(self.root / EAB_KEY.path, f"{key}\n".encode(), 0o600)

    def write_schema(self, content: bytes) -> None:
        """Store the JSON Schema for editors."""
        with host_errors():
            write_whole(self.root / SCHEMA, content)

    def write_ledger(self, entries: Sequence[Entry], oldest: datetime, now: datetime) -> None:
        """Append ``entries`` to the ledger, and drop entries older than ``oldest`` or from the future."""
        kept = Ledger((*self.ledger().entries, *entries)).between(oldest, now)
        with host_errors():
            make_folder(self.root / STATE, DIRECTORIES[STATE])
            write_whole(self.root / LEDGER, "".join(f"{e.line()}\n" for e in kept.entries).encode(), 0o600)
