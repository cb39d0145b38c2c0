"""The ignore files that keep private keys out of version control and out of images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from stackctl.model.layout import DOCKERIGNORE, GITIGNORE, METRICS, SECRET_FOLDERS
from stackctl.observed.state import Observed
from stackctl.plan.operation import Operation, Preparation

_MARK = b"# Written by stackctl"
_PURPOSES = {GITIGNORE: "version control", DOCKERIGNORE: "images"}
LINES = (*(f"{folder}/" for folder in (*SECRET_FOLDERS, METRICS.path)), "replaced-*/", "**/.*.tmp")
"""What both files leave out, in the syntax that git and Docker share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteIgnoreFile(Operation):
    """Write a file that keeps private keys out of version control or out of images."""

    preparation = Preparation.DIRECTORIES

    path: str
    content: bytes

    @property
    def text(self) -> str:
        """See :attr:`Operation.text`."""
        return f"write {self.path}"


def write_ignore_files(observed: Observed) -> Iterator[WriteIgnoreFile]:
    """Yield what is missing of both files; one that the user wrote is never changed."""
    for path, purpose in _PURPOSES.items():
        there = observed.ignore_files.get(path)
        if there is not None and not there.startswith(_MARK):
            continue
        missing = [line for line in LINES if line not in _lines(there)]
        if missing:
            cause = f"keeps private keys out of {purpose}"
            if path == GITIGNORE and observed.repository is not None:
                cause = f"this directory is in the git repository {observed.repository}: {cause}"
            head = b"" if there is None else there if there.endswith(b"\n") else there + b"\n"
            comment = f": keeps private keys and state out of {purpose}.\n".encode()
            added = "".join(f"{line}\n" for line in missing).encode()
            yield WriteIgnoreFile(path=path, content=(head or _MARK + comment) + added, cause=cause)


def uncovered_lines(ignore_files: Mapping[str, bytes]) -> dict[str, list[str]]:
    """Return, for each ignore file that the user wrote, the folders with keys that no line of it names."""
    found = {}
    for path, content in ignore_files.items():
        if content.startswith(_MARK):
            continue
        named = {line.strip("/").removesuffix("/**").removesuffix("/*") for line in _lines(content)}
        missing = [f"{folder}/" for folder in SECRET_FOLDERS if not named & {"*", "**", *_with_parents(folder)}]
        if missing:
            found[path] = missing
    return found


def _with_parents(folder: str) -> list[str]:
    parts = folder.split("/")
    return ["/".join(parts[: number + 1]) for number in range(len(parts))]


def _lines(content: bytes | None) -> list[str]:
    return [line.strip() for line in (content or b"").decode("utf-8", "replace").splitlines()]
