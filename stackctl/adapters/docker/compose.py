"""Run Compose as the user does: its files, overrides, .env and profiles keep their meaning."""

from __future__ import annotations

import json
import logging
import re
import shlex
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from functools import cached_property
from tempfile import NamedTemporaryFile
from typing import Any

from stackctl.adapters.docker.binary import find_compose
from stackctl.adapters.docker.causes import engine_error
from stackctl.adapters.docker.children import Done, run, started
from stackctl.adapters.docker.services import CONTAINER, NAMESPACES, SERVICE, resolved_service
from stackctl.errors import StackfileError
from stackctl.model.project import Project, Service
from stackctl.observed.containers import Deployment, Output
from stackctl.observed.ports import CommandKilled
from stackctl.stackfile.locate import ComposeFiles

_logger = logging.getLogger(__name__)


class Compose:
    """The Compose command for one stack directory."""

    def __init__(self, files: ComposeFiles) -> None:
        self._files = files

    @cached_property
    def _program(self) -> list[str]:
        return find_compose()

    @cached_property
    def _options(self) -> list[str]:
        """The options with which Compose resolves the files as it does without any in the stack's directory."""
        files = self._files
        env_files = [part for path in files.env_files for part in ("--env-file", str(path))]
        return ["--project-directory", str(files.project), *env_files]

    def _argv(self, main: str, *arguments: str, last: Sequence[str] = ()) -> list[str]:
        files = [part for name in (main, *map(str, self._files.others), *last) for part in ("-f", name)]
        return [*self._program, *self._options, *files, *arguments]

    def version(self) -> str:
        """Return the version of Compose."""
        return run([*self._program, "version", "--short"]).stdout.strip() or "of an unknown version"

    def resolve(self, stackfile: str, texts: Sequence[str] = ()) -> Project:
        """Return the project that Compose resolves from ``stackfile``, which replaces the file on disk.

        ``texts`` are interpolated in the same call: as a list in a further document of the input, which Compose
        merges with the first as an override.
        """
        whole = f"{stackfile}\n---\n{_as_document({_TEXTS: list(texts)})}" if texts else stackfile
        resolved: dict[str, Any] = json.loads(self._config(whole, "--format", "json"))
        digests = self._hashes(stackfile, resolved)
        services = {
            name: resolved_service(name, body, digests.get(name, ""), resolved)
            for name, body in resolved.get("services", {}).items()
        }
        # Compose doubles each '$' in what it prints, so that its output can be its input.
        interpolated = tuple(text.replace("$$", "$") for text in resolved.get(_TEXTS, ()))
        networks = {key: body["name"] for key, body in (resolved.get("networks") or {}).items()}
        return Project(resolved["name"], services, interpolated, networks)

    def service_names(self, stackfile: str) -> frozenset[str]:
        """Return the names of all services, whatever their profiles."""
        return frozenset(self._config(stackfile, "--services", profiles=True).split())

    def attached(self, stackfile: str, project: Project, containers: Deployment) -> Project:
        """Return ``project`` with the digests that Compose labels services with that use ``containers``.

        When it starts a service, Compose first replaces each reference to another service by the id of its
        container. ``config`` does not, so the ids are written into a further document of the input, with the
        dependencies that the references imply: those count in digests of Compose 2.26.
        """
        using = {service.name: _with_ids(service, containers) for service in project.services.values() if service.uses}
        if not using:
            return project
        resolved = json.loads(self._config(stackfile, "--format", "json"))
        ids = {one: "" for keys in using.values() for one in keys.get("volumes_from", ())}
        # Compose refuses volumes of a service that does not exist: each id is one.
        lines = [f"  {json.dumps(one)}: {{image: none}}" for one in ids if one not in project.services]
        for name, keys in using.items():
            lines.append(f"  {json.dumps(name)}:")
            lines += [f"    {key}: {'!override ' * isinstance(at, list)}{json.dumps(at)}" for key, at in keys.items()]
            if needed := resolved["services"].get(name, {}).get("depends_on"):
                lines.append(f"    depends_on: {json.dumps(needed)}")
        hashes = self._hashes("\n".join([stackfile, "---", "services:", *lines, ""]), resolved)
        services = {
            name: replace(service, config_hash=hashes.get(name, service.config_hash)) if name in using else service
            for name, service in project.services.items()
        }
        return replace(project, services=services)

    def _hashes(self, text: str, resolved: Mapping[str, Any]) -> dict[str, str]:
        """Return the digest of each service, by which Compose labels its containers; ``resolved`` is what it printed.

        ``config --hash`` of Compose 2 does not read the files of ``env_file``, as ``up`` does: so the environment is
        written in their place. That is the last file, as an override may name some too.
        """
        document = _with_environment(resolved) if self._reads_files(text) else None
        with ExitStack() as exits:
            last: tuple[str, ...] = ()
            if document is not None:
                file = exits.enter_context(NamedTemporaryFile("w", encoding="utf-8", suffix=".yml"))
                file.write(document)
                file.flush()
                last = (file.name,)
            printed = self._config(text, "--hash", "*", last=last)
        return dict(line.split() for line in printed.splitlines() if line.strip())

    def _reads_files(self, text: str) -> bool:
        """Whether a service may have its environment from files; what other files say is not known here."""
        return bool(self._files.others) or _READS.search(text) is not None

    def _config(self, stackfile: str, *options: str, profiles: bool = False, last: Sequence[str] = ()) -> str:
        every = ("--profile", "*") if profiles else ()
        done = run(self._argv("-", *every, "config", *options, last=last), stackfile, self._files.directory)
        if done.code:
            raise StackfileError(
                f"Compose rejects the file: {_last_error(done.stderr)}",
                where=self._files.name,
                hint="correct the file; nothing was changed",
            )
        return done.stdout

    def run(self, *arguments: str) -> None:
        """Run a Compose command on the files on disk.

        Raises:
            EngineError: with Compose's last error line.
        """
        _logger.debug("docker compose %s", shlex.join(arguments))
        argv = self._argv(str(self._files.main), "--progress", "quiet", *arguments)
        done: Done = run(argv, cwd=self._files.directory)
        if done.code:
            raise engine_error(_last_error(done.stderr), where=f"docker compose {arguments[0]}")

    def run_one_off(self, service: str, command: Sequence[str]) -> Output:
        """Run a command in a container of ``service`` that is removed afterwards."""
        _logger.debug("docker compose run %s %s", service, shlex.join(command))
        options = ("--progress", "quiet", "run", "--rm", "--no-deps", "-T")
        done = run(self._argv(str(self._files.main), *options, service, *command), cwd=self._files.directory)
        if done.code in _NOT_STARTED:
            raise engine_error(_last_error(done.stderr), where="docker compose run")
        return Output(done.code, f"{done.stdout}{done.stderr}")

    def lines(self, arguments: Sequence[str], stdin: str | None = None) -> Iterator[str]:
        """Run a Compose command and yield its output line by line.

        Raises:
            EngineError: its exit code is not 0.
        """
        argv = self._argv(str(self._files.main), *arguments)
        with (
            ThreadPoolExecutor(2) as pool,
            started(argv, self._files.directory, with_input=stdin is not None) as process,
        ):
            assert process.stdout is not None
            assert process.stderr is not None
            if stdin is not None:
                pool.submit(_feed, process, stdin)
            errors = pool.submit(process.stderr.read)
            yield from (line.rstrip("\n") for line in process.stdout)
            code = process.wait()
            if code in _KILLED:
                raise CommandKilled(f"it was killed (exit code {code})", where=f"docker compose {arguments[0]}")
            if code:
                raise engine_error(_last_error(errors.result()), where=f"docker compose {arguments[0]}")


def _feed(process: subprocess.Popen[str], text: str) -> None:
    assert process.stdin is not None
    try:
        process.stdin.write(text)
        process.stdin.close()
    except BrokenPipeError:
        pass  # it ended early: its exit code says why


def _with_ids(service: Service, containers: Deployment) -> dict[str, str | list[str]]:
    """Return the keys of ``service.uses`` with the ids of containers, as Compose writes them."""
    single = {key: at for key, (at, *_) in service.uses.items() if key in NAMESPACES}
    found: dict[str, str | list[str]] = {}
    for key, at in single.items():
        number = _first(containers, at.removeprefix(SERVICE))
        found |= {key: f"{CONTAINER}{number}"} if number else {}
    volumes = [
        one.removeprefix(CONTAINER).partition(":")[0]
        if one.startswith(CONTAINER)
        else _first(containers, one.partition(":")[0])
        for one in service.uses.get("volumes_from", ())
    ]
    if volumes and all(volumes):
        found["volumes_from"] = [one for one in volumes if one]
    return found


def _first(containers: Deployment, service: str) -> str | None:
    """Return the id of the container that Compose takes for a service: the first by name."""
    own = sorted(containers.of(service), key=lambda one: one.name)
    return own[0].id if own else None


def _as_document(content: object) -> str:
    """Return a YAML document; JSON is one, with characters beyond the first plane as themselves."""
    return json.dumps(content, ensure_ascii=False)


def _with_environment(resolved: Mapping[str, Any]) -> str | None:
    """Return a document with the whole environment of each service in the place of its files."""
    found = {name: body.get("environment") for name, body in (resolved.get("services") or {}).items()}
    lines = [
        f"  {_as_document(name)}: {{env_file: !reset null, environment: {_as_document(environment)}}}"
        for name, environment in found.items()
        if environment
    ]
    return "\n".join(["services:", *lines, ""]) if lines else None


_READS = re.compile(r"\b(?:env_file|include|extends)\b")
_TEXTS = "x-stackctl-texts"

_NOT_STARTED = {125, 126, 127}
"""The exit codes of Docker itself, where a container or its program cannot be started."""

_KILLED = {128 + signal.SIGKILL, 128 + signal.SIGTERM}
_LEVEL = re.compile(r'^time="[^"]*" level=\w+ msg=')


def _last_error(stderr: str) -> str:
    """Return the last line of Compose's error output, without its warnings."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip() and not _LEVEL.match(line)]
    return lines[-1] if lines else "it failed without any error output"
