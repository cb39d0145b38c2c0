"""Read the files of a foreign proxy from its container, or from its image if it has none."""

from __future__ import annotations

import fnmatch
import posixpath
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property

from stackctl.engine.context import Context
from stackctl.errors import EngineError
from stackctl.model.project import Project, Service
from stackctl.observed.containers import Container, Entry, Process
from stackctl.proxies.nginx.layout import MAIN, NGINX

LARGEST = 64 << 20
"""The bytes that are read from a container at once."""

_MASTER = re.compile(r"nginx: master process (?P<command>.*)")
_CONFIGURED = re.compile(r"--conf-path=(\S+)")
_PREFIX = re.compile(r"--prefix=(\S+)")
_DUMPED = re.compile(r"^# configuration file (/.*):\r?$", re.MULTILINE)
_LINKS = 20
"""Links that refer to each other end here."""

Read = Callable[[str], Mapping[str, Entry]]


class Inside:
    """The files of one container.

    Attributes:
        main: the main configuration file: the given one, or what ``built``, the output of ``nginx -V``, says.
        prefix: the directory that paths of static files are relative to, if it is known.
        loaded: when the proxy last loaded its files, None if it does not run.
    """

    def __init__(
        self,
        read: Read,
        run: Callable[[Sequence[str]], str | None],
        main: str | None,
        built: str,
        *,
        loaded: float | None = None,
    ) -> None:
        self._read = read
        self._run = run
        configured, prefix = _CONFIGURED.search(built), _PREFIX.search(built)
        self.main = main or (configured[1] if configured else f"{NGINX.mount}/{MAIN}")
        self.prefix = prefix[1] if prefix else None
        self.loaded = loaded
        self._found: dict[str, Mapping[str, Entry]] = {}

    @property
    def in_force(self) -> bool:
        """Whether it runs, so that its files are those in force."""
        return self.loaded is not None

    def is_newer(self, path: str) -> bool:
        """Whether a file has changed since the proxy last loaded it."""
        real = self.real(path)
        return self.loaded is not None and real is not None and self.entries(real)[""].modified > self.loaded + 1

    def entries(self, path: str) -> Mapping[str, Entry]:
        """Return ``path`` and all below it; empty if it does not exist."""
        if path not in self._found:
            self._found[path] = self._read(path)
        return self._found[path]

    def tree(self, path: str) -> Mapping[str, Entry]:
        """Return :meth:`entries` of ``path`` with its own links followed."""
        return self.entries(self.real(path) or path)

    def real(self, path: str) -> str | None:
        """Return ``path`` with its links followed, or None if it does not exist."""
        for _ in range(_LINKS):
            there = self.entries(path).get("")
            if there is None or there.target is None:
                return None if there is None else path
            path = posixpath.normpath(posixpath.join(posixpath.dirname(path), there.target))
        return None

    def read(self, path: str) -> bytes | None:
        """Return the content of a file, with links followed; None if there is no such file."""
        real = self.real(path)
        found = self.entries(real)[""].content if real else None
        if found is None and self.in_force:  # Docker does not copy from a tmpfs
            text = self._run(["cat", path])
            return None if text is None else text.encode()
        return found

    def mode(self, path: str) -> int:
        """Return the permission bits of a file; of one that cannot be seen, those of a secret."""
        real = self.real(path)
        return self.entries(real)[""].mode if real else 0o600

    def glob(self, pattern: str) -> list[str]:
        """Return the files that match a pattern of ``include``, in nginx's order."""
        parts = pattern.strip("/").split("/")
        if self._loaded:
            return sorted(path for path in self._loaded if _matches(path.strip("/").split("/"), parts))
        found = [""]
        for part in parts:
            is_pattern = any(char in part for char in "*?[")
            found = [
                f"{folder}/{name}"
                for folder in found
                for name in (self._names(folder or "/", part) if is_pattern else [part])
            ]
        return sorted(path for path in found if self.read(path) is not None)

    def _names(self, folder: str, part: str) -> list[str]:
        real = self.real(folder)
        names = {path for path in self.entries(real) if path and "/" not in path} if real else set()
        return [name for name in names if fnmatch.fnmatch(name, part) and not name.startswith(".")]

    @cached_property
    def _loaded(self) -> tuple[str, ...]:
        """The files of the configuration, as nginx lists them; empty if it cannot."""
        dumped = self._run(["nginx", "-T", "-q", "-c", self.main]) if self.in_force else None
        return tuple(dict.fromkeys(_DUMPED.findall(dumped or "")))


def _matches(path: Sequence[str], pattern: Sequence[str]) -> bool:
    return len(path) == len(pattern) and all(map(fnmatch.fnmatchcase, path, pattern))


@contextmanager
def inside_of(context: Context, project: Project, proxy: Service) -> Iterator[Inside | None]:
    """Provide the files of the proxy's container, running or not, or of its image; None if it has neither here."""
    container = context.orchestrator.containers(project.name).best(proxy.name)
    if container is not None:
        yield _of_container(context, container)
        return
    if proxy.image is None or context.images.image_id(proxy.image) is None:
        yield None
        return
    with context.sandbox.unstarted(proxy.image) as created:
        printed = ""
        with suppress(EngineError):  # it has no such program in its path
            printed = context.sandbox.run_once(proxy.image, ["nginx", "-V"]).text
        yield Inside(
            lambda path: context.containers.entries(created, path, LARGEST),
            lambda _: None,
            None,
            printed,
        )


def _of_container(context: Context, container: Container) -> Inside:
    def run(command: Sequence[str]) -> str | None:
        try:
            done = context.containers.execute(container.id, command)
        except EngineError:  # it has no such program
            return None
        return done.text if done.code == 0 else None

    processes = context.containers.processes(container.id) if container.running else ()
    main = _given_main(processes)
    age = min((one.seconds for one in processes if _is_worker(one.command)), default=0)
    return Inside(
        lambda path: context.containers.entries(container.id, path, LARGEST),
        run,
        main,
        (run(["nginx", "-V"]) if container.running else None) or "",
        loaded=context.now().timestamp() - age if container.running else None,
    )


def _is_worker(command: str) -> bool:
    """Whether a process may be one that began at the last reload, of nginx or of HAProxy."""
    return "nginx: worker" in command or posixpath.basename(command.partition(" ")[0]) == "haproxy"


def _given_main(processes: Sequence[Process]) -> str | None:
    """Return the configuration file in the command line of nginx's main process, or None."""
    command = next((match["command"] for one in processes if (match := _MASTER.match(one.command))), "")
    found = re.search(r"(?:^|\s)-c\s*(?P<path>\S+)", command)
    return shlex.split(found["path"])[0] if found and found["path"].startswith("/") else None
