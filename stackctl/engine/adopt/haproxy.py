"""Read the configuration and the certificates of a foreign HAProxy in its container, or in its image if it has none."""

from __future__ import annotations

import itertools
import posixpath
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from stackctl.adapters.nginx_reader import ContainerFiles
from stackctl.adopt.compose_layouts import HAPROXY_FOLDERS, on_host
from stackctl.adopt.haproxy.reading import certificate_base, certificate_paths
from stackctl.adopt.haproxy.sections import Section, read_sections
from stackctl.adopt.haproxy.sites import OldCertificate
from stackctl.adopt.haproxy.words import Line, read_lines
from stackctl.adopt.proposal import Handling, Remark
from stackctl.certs.lineage import Certificate, Lineage, read_certificate
from stackctl.engine.adopt.inside import Inside
from stackctl.engine.context import Context
from stackctl.errors import InputError
from stackctl.model.project import Project, Service

_MAIN = "haproxy.cfg"
_NO_CERTIFICATES = (".key", ".ocsp", ".issuer", ".sctl", ".dh", ".lst", ".list")
"""Files that HAProxy reads beside a certificate, and does not load as one."""

_STORED = re.compile(r"@(?P<store>[^/]*)/(?P<name>.+)")


@dataclass(frozen=True, slots=True)
class OldHaproxy:
    """What a HAProxy loads.

    Attributes:
        pairs: the files of its certificates, each with the file of its key.
        remarks: what of its certificates cannot be read.
    """

    sections: tuple[Section, ...]
    pairs: tuple[tuple[str, str], ...]
    remarks: tuple[Remark, ...] = ()


def read_old_haproxy(
    context: Context, project: Project, service: Service, files: ContainerFiles, inside: Inside | None
) -> OldHaproxy:
    """Return what the HAProxy of a service loads.

    Raises:
        InputError: its configuration is not there, or HAProxy does not load it either.
    """
    reading = _Reading(context, service, files, inside)
    given = _given(context, project, service)
    mains = tuple(f"{folder}/{_MAIN}" for folder in HAPROXY_FOLDERS)
    sections = read_sections(reading.lines(given or mains, must=bool(given)))
    reading.load(sections)
    return OldHaproxy(sections, tuple(dict.fromkeys(reading.pairs)), tuple(reading.remarks))


def old_certificates(
    old: OldHaproxy, files: ContainerFiles, lineages: Mapping[str, Lineage]
) -> tuple[OldCertificate, ...]:
    """Return the certificates that were served, each with the lineage of certbot's that is the same one."""
    by_print = {one.certificate.fingerprint: name for name, one in lineages.items() if one.certificate}
    found = []
    for path, key in old.pairs:
        read = files.read(path)
        try:
            certificate = read_certificate(read[1]) if read is not None else None
        except ValueError:
            certificate = None
        if certificate is not None:
            lineage = by_print.get(certificate.fingerprint)
            near = None if lineage else _near(certificate, lineages)
            found.append(OldCertificate(path, key, certificate, lineage, near))
    return tuple(found)


def _near(certificate: Certificate, lineages: Mapping[str, Lineage]) -> str | None:
    """Return a lineage with the same names, whose certificate is another one."""
    return next(
        (name for name, one in lineages.items() if one.certificate and one.certificate.names == certificate.names), None
    )


class _Reading:
    def __init__(self, context: Context, service: Service, files: ContainerFiles, inside: Inside | None) -> None:
        self._root = context.directory.root
        self._service = service
        self._files = files
        self._inside = inside
        self.pairs: list[tuple[str, str]] = []
        self.remarks: list[Remark] = []

    def lines(self, paths: Sequence[str], *, must: bool) -> Iterator[Line]:
        """Yield the lines of all files; without ``must``, of the first that is there."""
        there = False
        for path in (one for given in paths for one in self._expanded(given)):
            found = self._files.read(path)
            if found is None:
                if must:
                    raise InputError(f"{path} cannot be read in the container")
                continue
            there = True
            yield from read_lines(found[1].decode("utf-8", "replace"), found[0], self._service.environment)
            if not must:
                return
        if not there:
            raise InputError(
                f"the service {self._service.name} has no configuration of HAProxy: neither {' nor '.join(paths)}",
                hint="start the stack, so that its configuration can be read in the container, then run adopt again",
            )

    def _names(self, path: str) -> list[str]:
        """Return the names in a directory; of a file, and of what is not there, none."""
        if self._inside is not None and self._inside.real(path) is not None:
            return sorted(name for name in self._inside.tree(path) if name and "/" not in name)
        host = on_host(self._service.mounts, path)
        folder = self._root / host if host is not None else None
        return sorted(one.name for one in folder.iterdir()) if folder is not None and folder.is_dir() else []

    def _expanded(self, path: str) -> list[str]:
        """Return the files of ``-f``: of a directory, those that end with ``.cfg``, by their names."""
        found = [posixpath.join(path, name) for name in self._names(path) if name.endswith(".cfg")]
        return found or [path]

    def load(self, sections: Sequence[Section]) -> None:
        """Find the files of all certificates."""
        stored = dict(_stored(sections))
        for kind, path in certificate_paths(sections):
            names = [path]
            if kind == "crt-list":
                base = certificate_base(sections)
                names = [one if one.startswith("@") else posixpath.join(base, one) for one in self._listed(path)]
            for name in names:
                match = _STORED.match(name)
                if match is not None:
                    self.pairs += [stored[name]] if name in stored else []
                    continue
                inner = [one for one in self._names(name) if not one.startswith(".") and _is_certificate(one)]
                for one in (posixpath.join(name, each) for each in inner) if inner else (name,):
                    self._add(one)

    def _add(self, path: str) -> None:
        found = self._files.read(path)
        if found is None:
            text = f"the certificate {path} cannot be read"
            self.remarks.append(Remark(Handling.UNSUPPORTED, text))
            return
        key = path if b"PRIVATE KEY-----" in found[1] else f"{path}.key"
        self.pairs.append((path, key))

    def _listed(self, path: str) -> Iterator[str]:
        """Yield the files of a ``crt-list``: the first word of each line."""
        found = self._files.read(path)
        if found is None:
            self.remarks.append(Remark(Handling.UNSUPPORTED, f"the list of certificates {path} cannot be read"))
            return
        for line in found[1].decode("utf-8", "replace").splitlines():
            words = line.split()
            if words and not words[0].startswith("#"):
                yield words[0]


def _is_certificate(name: str) -> bool:
    return not name.endswith(_NO_CERTIFICATES)


def _stored(sections: Sequence[Section]) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield the certificates of ``crt-store`` sections, by the names that binds have for them."""
    for section in sections:
        if section.kind != "crt-store":
            continue
        bases = {line.words[0]: line.words[1] for line in section.lines if line.words[0] in {"crt-base", "key-base"}}
        for line in section.all("load"):
            given = dict(itertools.pairwise(line.words[1:]))
            chain = posixpath.join(bases.get("crt-base", ""), given.get("crt", ""))
            key = posixpath.join(
                bases.get("key-base", bases.get("crt-base", "")), given.get("key", given.get("crt", ""))
            )
            for name in {given.get("alias"), given.get("crt")} - {None}:
                yield f"@{section.name}/{name}", (chain, key)


def _given(context: Context, project: Project, service: Service) -> tuple[str, ...]:
    """Return the files and directories that its running process was given."""
    container = context.orchestrator.containers(project.name).running(service.name)
    for process in context.containers.processes(container.id) if container else ():
        try:
            words = shlex.split(process.command)
        except ValueError:
            continue
        if words and posixpath.basename(words[0]) == "haproxy":
            found = [path for word, path in itertools.pairwise(words) if word == "-f"]
            return tuple(path for path in found if path.startswith("/"))
    return ()
