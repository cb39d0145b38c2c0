"""Run Compose as the user does: its files, overrides, .env and profiles keep their meaning."""

from __future__ import annotations

import json
import logging
import re
import shlex
import signal
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any

from stackctl.adapters.docker.binary import find_compose
from stackctl.adapters.docker.causes import engine_error
from stackctl.adapters.docker.children import Done, run, started
from stackctl.errors import StackfileError
from stackctl.model import endpoints
from stackctl.model.project import Mount, Project, PublishedPort, Service
from stackctl.model.values import ServiceName
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

    def _argv(self, main: str, *arguments: str) -> list[str]:
        files = [part for name in (main, *map(str, self._files.others)) for part in ("-f", name)]
        return [*self._program, *self._options, *files, *arguments]

    def version(self) -> str:
        """Return the version of Compose."""
        return run([*self._program, "version", "--short"]).stdout.strip() or "of an unknown version"

    def resolve(self, stackfile: str) -> Project:
        """Return the project that Compose resolves from ``stackfile``, which replaces the file on disk."""
        resolved: dict[str, Any] = json.loads(self._config(stackfile, "--format", "json"))
        printed = self._config(stackfile, "--hash", "*")
        digests = dict(line.split() for line in printed.splitlines() if line.strip())
        services = {
            name: _service(name, body, digests.get(name, "")) for name, body in resolved.get("services", {}).items()
        }
        return Project(resolved["name"], services)

    def _config(self, stackfile: str, *options: str) -> str:
        done = run(self._argv("-", "config", *options), stackfile, self._files.directory)
        if done.code:
            raise StackfileError(
                f"Compose rejects the file: {_last_error(done.stderr)}",
                where=self._files.main.name,
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


def _service(name: str, body: dict[str, Any], config_hash: str) -> Service:
    ports = tuple(
        PublishedPort(
            int(port["target"]),
            endpoints.port_binding(
                f"{_bracketed(port['host_ip'])}:{port['published']}" if port.get("host_ip") else port["published"]
            ),
        )
        for port in body.get("ports", ())
        if str(port.get("published", "")).isdigit() and port.get("protocol", "tcp") == "tcp"
    )
    return Service(
        name=ServiceName(name),
        image=body.get("image"),
        builds="build" in body,
        config_hash=config_hash,
        labels=body.get("labels") or {},
        ports=ports,
        networks=frozenset(body.get("networks") or ()),
        replicas=int(body.get("scale", (body.get("deploy") or {}).get("replicas", 1))),
        environment={key: value for key, value in (body.get("environment") or {}).items() if value is not None},
        mounts=tuple(
            _mount(volume) for volume in body.get("volumes") or () if volume.get("type") in {"bind", "volume"}
        ),
        hosts=_hosts(body),
    )


def _mount(volume: dict[str, Any]) -> Mount:
    return Mount(volume["type"], volume.get("source") or "", volume["target"], bool(volume.get("read_only")))


def _hosts(body: dict[str, Any]) -> frozenset[str]:
    aliases = (
        alias for network in (body.get("networks") or {}).values() for alias in (network or {}).get("aliases", ())
    )
    return frozenset(filter(None, (body.get("container_name"), body.get("hostname"), *aliases)))


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


_KILLED = {128 + signal.SIGKILL, 128 + signal.SIGTERM}
_LEVEL = re.compile(r'^time="[^"]*" level=\w+ msg=')


def _last_error(stderr: str) -> str:
    """Return the last line of Compose's error output, without its warnings."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip() and not _LEVEL.match(line)]
    return lines[-1] if lines else "it failed without any error output"
