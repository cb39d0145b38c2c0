"""The verified pairs on disk, which a proxy reads instead of certbot's tree and of what is stored for sites."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from stackctl.adapters.disk.files import host_errors, make_folder, read_or_none
from stackctl.certs.copied import Copy
from stackctl.certs.issuer import copies
from stackctl.certs.issuer.pair import PairFiles
from stackctl.certs.lineage import Certificate, read_certificate
from stackctl.errors import HostError
from stackctl.model.layout import FULLCHAIN


class Pairs:
    """The copies in the folder ``home``; :mod:`stackctl.certs.issuer.copies` says how they are kept there."""

    def __init__(self, home: Path) -> None:
        self._home = home

    def prepare(self) -> None:
        """Create the folders, for the user that the folder of the stamps belongs to: the deploy hook writes to both."""
        owner = self._home.parent.stat()
        for name in (".", copies.LINEAGES, copies.STORED, copies.VERSIONS):
            make_folder(self._home / name)
            with suppress(PermissionError):
                os.chown(self._home / name, owner.st_uid, owner.st_gid)

    def copies(self, kind: str, known: Mapping[str | None, Certificate | None]) -> dict[str, Copy]:
        """Return the intact copies of a kind, by name; ``known`` are certificates by the versions of their pairs."""
        found: dict[str, Copy] = {}
        folder = self._home / kind
        with host_errors():
            names = sorted(path.name for path in folder.iterdir() if path.name[0] != ".") if folder.is_dir() else []
            for name in names:
                there = copies.copied(self._home, kind, name)
                if there is not None:
                    version, chain = there
                    found[name] = Copy(known.get(version) or read_certificate(chain), version)
        return found

    def chain(self, kind: str, name: str) -> bytes | None:
        """Return the chain of a copy, which every user can read, or None."""
        with host_errors():
            return read_or_none(self._home / kind / name / FULLCHAIN)

    def read(self, kind: str, name: str) -> PairFiles:
        """Return the content of a copy; what is missing is None."""
        with host_errors():
            return copies.read(self._home / kind / name)

    def copy(self, kind: str, name: str, pair: PairFiles, now: datetime) -> None:
        """Copy a pair.

        Raises:
            HostError: it does not replace the copy that is there.
        """
        with host_errors():
            there = copies.copied(self._home, kind, name)
        reason = copies.refusal(pair, there[1] if there else None, now)
        if reason is not None:
            kept = ": the proxy keeps its last copy" if there else ""
            raise HostError(f"the certificate {name} is not copied for the proxy: {reason}{kept}")
        self.replace(kind, name, pair)

    def replace(self, kind: str, name: str, pair: PairFiles) -> None:
        """Make a pair that is known to be good the copy of its name."""
        with host_errors():
            copies.copy(self._home, kind, name, pair)

    def remove(self, kind: str, name: str) -> None:
        """Remove a copy."""
        with host_errors():
            copies.remove(self._home, kind, name)
