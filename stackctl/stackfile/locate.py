"""Finds the Compose files of a directory, by the names, the variables and the order that Compose uses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from stackctl.errors import StackfileError
from stackctl.reading import read_regular
from stackctl.stackfile.document import Document

DEFAULT_NAME = "docker-compose.yml"
KNOWN_NAMES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
KNOWN_OVERRIDES = (
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
)
"""The names of an override, in Compose's order: any of them goes with any name of the main file."""

DOT_ENV = ".env"
_ENV_FILES = "COMPOSE_ENV_FILES"
_NO_DOT_ENV = "COMPOSE_DISABLE_ENV_FILE"


@dataclass(frozen=True, slots=True)
class ComposeFiles:
    """The Compose files of a stack: the one that stackctl edits, and its overrides.

    Attributes:
        directory: the stack's directory, where its ``.env`` is and where Compose is run.
        env_files: the files of variables to name to Compose; none if it finds them by itself.
    """

    directory: Path
    main: Path
    others: tuple[Path, ...] = ()
    env_files: tuple[Path, ...] = ()

    @property
    def project(self) -> Path:
        """Compose's project directory, to which paths in its files are relative."""
        return self.main.parent

    @property
    def name(self) -> str:
        """The main file in messages."""
        return self.name_of(self.main)

    def name_of(self, path: Path) -> str:
        """Return a file in messages: its path in the stack's directory, or the whole one."""
        return _name_of(path, self.directory)


def locate(directory: Path, environment: Mapping[str, str]) -> ComposeFiles:
    """Return the Compose files of ``directory``; the main one need not exist yet.

    ``COMPOSE_FILE`` (of the environment or of ``.env``) is interpreted as by Compose.

    Raises:
        StackfileError: ``COMPOSE_FILE`` in ``.env`` refers to other variables.
    """
    sources = _env_files(directory, environment)
    named = _variable("COMPOSE_FILE", sources, directory, environment)
    separator = _variable("COMPOSE_PATH_SEPARATOR", sources, directory, environment) or ":"
    parts = [directory / part for part in (named or "").split(separator) if part]
    if parts:
        main, *others = parts
        return ComposeFiles(directory, main, tuple(others), _to_name(directory, main.parent, environment))
    for name in KNOWN_NAMES:
        main = directory / name
        if main.exists():
            overrides = [directory / override for override in KNOWN_OVERRIDES]
            return ComposeFiles(directory, main, tuple(path for path in overrides if path.exists())[:1])
    return ComposeFiles(directory, directory / DEFAULT_NAME)


def refuse_foreign_keys(files: ComposeFiles, included: Iterable[str] = ()) -> None:
    """Refuse ``x-stackctl`` in an override or in a file of ``include``, where it would have no effect.

    Raises:
        StackfileError: with the file and line.
    """
    for path in (*files.others, *(files.project / name for name in included)):
        text = _text(path, files.directory)
        if text is None:
            continue  # Compose reads it too, and reports what is wrong
        match = re.search(r"^\s*x-stackctl\s*:", text, re.MULTILINE)
        if match:
            line = text.count("\n", 0, match.end()) + 1
            raise StackfileError(
                f"x-stackctl is only read from {files.name}",
                where=f"{files.name_of(path)}:{line}",
                hint="move it there",
            )


def others_with(files: ComposeFiles, service: str) -> tuple[Path, ...]:
    """Return the override files that define ``service`` too."""
    found = ((path, _text(path, files.directory)) for path in files.others)
    return tuple(
        path
        for path, text in found
        if text is not None and service in Document.parse(text, files.name_of(path)).names(("services",))
    )


def _env_files(directory: Path, environment: Mapping[str, str]) -> list[Path]:
    """Return the files of variables that Compose reads in ``directory`` before it knows its files, the strongest last.

    ``COMPOSE_ENV_FILES`` counts in the environment only.
    """
    named = environment.get(_ENV_FILES)
    if named:
        return [directory / part for part in named.split(",")]
    return [] if _is_on(environment.get(_NO_DOT_ENV, "")) else [directory / DOT_ENV]


def _to_name(directory: Path, project: Path, environment: Mapping[str, str]) -> tuple[Path, ...]:
    """Return the files of variables to name to Compose where its project directory is another.

    Run in ``directory``, Compose reads its ``.env``, and below it that of the project directory. Given the project
    directory, it would read that one only.
    """
    if project == directory or environment.get(_ENV_FILES) or _is_on(environment.get(_NO_DOT_ENV, "")):
        return ()
    return tuple(path for path in (project / DOT_ENV, directory / DOT_ENV) if path.is_file())


def _is_on(value: str) -> bool:
    return value.lower() in {"1", "t", "true"}


def _variable(key: str, sources: list[Path], directory: Path, environment: Mapping[str, str]) -> str | None:
    if key in environment:
        return environment[key]
    found = None
    for path in sources:
        text = _text(path, directory)
        if text is None:
            continue
        pattern = rf"^\s*(?:export\s+)?{re.escape(key)}\s*[=:][ \t]*(?P<value>'[^'\n]*'|\"[^\"\n]*\"|[^\n]*)"
        for match in re.finditer(pattern, text, re.MULTILINE):
            value = match["value"]
            if "$" in value and not value.startswith("'"):
                line = text.count("\n", 0, match.start("value")) + 1
                where = f"{_name_of(path, directory)}:{line}"
                raise StackfileError(f"{key} refers to another variable", where=where, hint="write its value")
            found = value[1:-1] if value[:1] in {"'", '"'} else re.split(r"[ \t]#|\A#", value)[0].strip()
    return found


def _name_of(path: Path, directory: Path) -> str:
    return str(path.relative_to(directory) if path.is_relative_to(directory) else path)


def _text(path: Path, directory: Path) -> str | None:
    """Return the text of a file, or None if Compose reports what is wrong with it.

    Raises:
        StackfileError: it is a pipe or a device, which Compose would read for ever, or too large.
    """
    try:
        return read_regular(path).decode("utf-8")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError, UnicodeDecodeError):
        return None
    except OSError as error:
        hint = "replace it with a file, or remove it"
        where = _name_of(path, directory)
        raise StackfileError(error.strerror or str(error), where=where, hint=hint) from error
