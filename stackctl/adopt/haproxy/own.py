"""Reads the sites of stackctl's own HAProxy files back, for a Compose file that lost its ``x-stackctl``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from stackctl.adopt.haproxy.backends import OldBackend, read_backend
from stackctl.adopt.haproxy.collecting import Collector
from stackctl.adopt.haproxy.sections import Section, read_sections
from stackctl.adopt.haproxy.servers import ServerReader
from stackctl.adopt.haproxy.sites import only_server, other_keys, without_defaults
from stackctl.adopt.haproxy.words import Line, read_lines
from stackctl.adopt.kept_files import OldFiles
from stackctl.adopt.proposal import ProposedSite
from stackctl.errors import InputError
from stackctl.model import values
from stackctl.model.layout import PAIRS_OF_LINEAGES, site_of_file
from stackctl.model.values import Domain
from stackctl.proxies.haproxy.layout import MAPS, SITES, backend_of
from stackctl.proxies.proxy import Files
from stackctl.stackfile.services import Value

_LINEAGE = re.compile(rf"{re.escape(PAIRS_OF_LINEAGES.mount)}/(?P<name>[^/]+)/[^/]+\Z")
_BODY = re.compile(r"http-request deny deny_status 413 if \{ req\.body_size gt (?P<bytes>\d+) \}")
_IS_TLS = ("if", "{", "ssl_fc", "}")
_BODY_SIZE = "64m"
_MEBIBYTE = 1024**2
_RENDERED = re.compile(
    r"hash-type |dynamic-cookie-key |timeout tunnel |default-server |http-request set-var\(txn\.plain\) |"
    r"http-response add-header Vary Accept-Encoding if "
)
"""Lines of a back end that its keys have."""


def names_of(files: Files) -> tuple[str, ...]:
    """Return the names that the files serve."""
    return tuple(row[0] for row in _rows(files, f"{MAPS}/sites.map"))


def read_own(files: Files, services: Mapping[str, str]) -> tuple[ProposedSite, ...]:
    """Return the sites whose routes the files say; those with rules, redirects or other answers are left out.

    ``services`` are the Compose services by their hosts, in lower case.
    """
    names: dict[str, list[Domain]] = {}
    for name, file in _rows(files, f"{MAPS}/sites.map"):
        names.setdefault(file, []).append(Domain(name))
    found = (_site(files, file, own, services) for file, own in names.items())
    return tuple(site for site in found if site is not None)


def _site(files: Files, file: str, names: Sequence[Domain], services: Mapping[str, str]) -> ProposedSite | None:
    path = f"{SITES}/{file}.cfg"
    site = site_of_file(file)
    try:
        sections = read_sections(_own_lines(files.get(path, b"").decode("utf-8", "replace"), path))
        backends = {one.name: _backend(one, services) for one in sections if one.kind == "backend"}
        root = backends.pop(backend_of(site), None)
        routes = [_route(files, name, backend) for name, backend in backends.items()]
    except InputError:
        return None
    if root is None or not root.servers or any(route is None for route in routes):
        return None
    own = without_defaults(root.keys)
    ordered = sorted(names, key=lambda name: name != site)
    tuning = {**other_keys(own), **({"routes": [route for route in routes if route]} if routes else {})}
    proposed = ProposedSite(
        tuple(ordered), only_server(own), path, tuning=tuning, servers=tuple(one.address for one in root.servers)
    )
    return replace(proposed, lineage=_lineage(sections))


def _own_lines(text: str, path: str) -> Iterator[Line]:
    """Yield the lines that stackctl rendered, without the copies of the user's own files, which are still there."""
    kept, copied = list[str](), False
    for line in text.splitlines():
        copied = copied or line.strip().startswith("# A copy of haproxy/custom/")
        kept.append("" if copied else line)
        copied = copied and line.strip() != "# The end of that copy."
    return read_lines("\n".join(kept), path, {})


def _backend(section: Section, services: Mapping[str, str]) -> OldBackend:
    """Return a back end as keys.

    Raises:
        InputError: it does something else than to pass requests on to its servers.
    """
    if not any(line.words[0] in {"server", "server-template"} for line in section.lines):
        raise InputError("it answers itself", where=section.at)
    collector = Collector(OldFiles(stays=lambda _: True))
    lines = [line for line in section.lines if not line.starts("http-check", "send")]
    checks = [_check(line) for line in section.lines if line.starts("http-check", "send")]
    body = [int(limit["bytes"]) for line in lines if (limit := _BODY.fullmatch(line.text))]
    rest = tuple(_as_written(line) for line in lines if _BODY.fullmatch(line.text) is None)
    servers = ServerReader(collector, services).read(section.lines, section.name, section.at)
    found = read_backend(replace(section, lines=(*rest, *checks)), servers, collector, {})
    unknown = next((text for text in found.kept if not _RENDERED.match(text)), None)
    if unknown is not None:
        raise InputError(f"'{unknown}' has no key", where=section.at)
    size = f"{body[0] // _MEBIBYTE}m" if body else "0"
    if size != _BODY_SIZE:
        found.keys["body-size"] = values.size(size)
    return found


def _as_written(line: Line) -> Line:
    """Return a line about headers as users write it, which the keys are read from."""
    words = line.words
    if words[0] != "http-after-response":
        return line
    if words[-len(_IS_TLS) :] == _IS_TLS:
        words = words[: -len(_IS_TLS)]
    elif words[1:] == ("del-header", "Strict-Transport-Security"):
        words = ("no",)
    return replace(line, words=("http-response" if words[0] == "http-after-response" else "no", *words[1:]))


def _check(line: Line) -> Line:
    """Return the request of a check without the headers, which the key does not say."""
    words = line.words[: line.words.index("hdr")] if "hdr" in line.words else line.words
    return replace(line, words=words)


def _route(files: Files, name: str, backend: OldBackend) -> dict[str, Value] | None:
    """Return the route of the paths that lead to a back end; None if no path does."""
    for kind, exact in (("prefixes", False), ("exact", True)):
        paths: list[Value] = []
        for row in _rows(files, f"{MAPS}/{kind}.map"):
            if row[1] == name:
                path = f"/{row[0].partition('/')[2]}"
                paths.append(path if exact else path.rstrip("/"))
        if paths:
            path_value = paths[0] if len(paths) == 1 else paths
            return {"path": path_value, **({"exact": True} if exact else {}), **without_defaults(backend.keys)}
    return None


def _lineage(sections: Sequence[Section]) -> str | None:
    """Return certbot's lineage that the site is served with; None for another certificate."""
    for section in sections:
        if section.kind == "crt-store":
            for line in section.all("load", "crt"):
                match = _LINEAGE.match(line.words[2])
                return match["name"] if match else None
    return None


def _rows(files: Files, path: str) -> Iterator[list[str]]:
    lines = files.get(path, b"").decode("utf-8", "replace").splitlines()
    return (words for line in lines if len(words := line.split()) > 1)
