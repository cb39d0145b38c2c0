"""Finds the Compose files of a directory, by the names and the order that Compose uses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stackctl.errors import StackfileError

DEFAULT_NAME = "docker-compose.yml"
KNOWN_NAMES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")


@dataclass(frozen=True, slots=True)
class ComposeFiles:
    """The Compose files of a stack: the one that stackctl edits, and its overrides."""

    directory: Path
    main: Path
    others: tuple[Path, ...] = ()


def locate(directory: Path, environment: Mapping[str, str]) -> ComposeFiles:
    """Return the Compose files of ``directory``; the main one need not exist yet.

    ``COMPOSE_FILE`` (of the environment or of ``.env``) is interpreted as by Compose.
    """
    named = _variable("COMPOSE_FILE", directory, environment)
    separator = _variable("COMPOSE_PATH_SEPARATOR", directory, environment) or ":"
    parts = [directory / part for part in (named or "").split(separator) if part]
    if parts:
        return ComposeFiles(directory, parts[0], tuple(parts[1:]))
    for name in KNOWN_NAMES:
        main = directory / name
        if main.exists():
            stem, _, suffix = name.rpartition(".")
            overrides = [directory / f"{stem}.override.{ending}" for ending in (suffix, _other(suffix))]
            return ComposeFiles(directory, main, tuple(path for path in overrides if path.exists())[:1])
    return ComposeFiles(directory, directory / DEFAULT_NAME)


def refuse_foreign_keys(files: ComposeFiles) -> None:
    """Refuse ``x-stackctl`` in an override, where it would have no effect.

    Raises:
        StackfileError: with the file and line.
    """
    for path in files.others:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue  # Compose reads it too, and reports what is wrong
        match = re.search(r"^\s*x-stackctl\s*:", text, re.MULTILINE)
        if match:
            line = text.count("\n", 0, match.end()) + 1
            raise StackfileError(
                f"x-stackctl is only read from {files.main.name}",
                where=f"{path.name}:{line}",
                hint="move it there",
            )


def _other(suffix: str) -> str:
    return "yaml" if suffix == "yml" else "yml"


def _variable(key: str, directory: Path, environment: Mapping[str, str]) -> str | None:
    if key in environment:
        return environment[key]
    try:
        text = (directory / ".env").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    match = re.search(rf"^\s*(?:export\s+)?{re.escape(key)}\s*=[ \t]*[\"']?([^\"'\n#]*)", text, re.MULTILINE)
    return match[1].strip() if match else None
