"""Judge a lineage by its files: whether a server can load it, certbot renew it, and what mends it without a CA.

A part of the batch issuer (see :mod:`stackctl.certs.issuer`), by which planner and ``doctor`` judge too.
"""

from __future__ import annotations

import errno
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from stackctl.certs.issuer.pair import blocks, chain_fault, leaf_facts, pair_problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

KINDS = ("cert", "chain", "fullchain", "privkey")
_ENTRY = re.compile(rb"^ *([A-Za-z0-9_.*-]+) *= *(\S.*?)\s*$", re.MULTILINE)
_STORED = re.compile(r"(?P<kind>cert|chain|fullchain|privkey)(?P<number>\d+)\.pem\Z")
_LINK = re.compile(r"(?:.*/)?archive/(?P<name>[^/]+)/(?P<kind>[a-z]+)(?P<number>\d+)\.pem\Z")


@dataclass(frozen=True)
class LineageFiles:
    """The files of a lineage; None as content is a missing file.

    Attributes:
        live: the files of ``live/NAME`` by kind, links followed.
        links: the targets of these links, None for a file that is no link; None as a whole if they are unknown.
        numbers: the versions of which ``archive/NAME`` has a file.
        conf: the renewal file.
    """

    live: Mapping[str, bytes | None]
    links: Mapping[str, str | None] | None
    numbers: frozenset[int]
    conf: bytes | None


@dataclass(frozen=True)
class Repair:
    """What mends a lineage without a CA.

    Attributes:
        cause: what is wrong.
        version: the version to link to; None if the links stay.
        files: the files to write as that version before; empty if ``archive/NAME`` has them.
        conf: whether the renewal file is written anew.
    """

    cause: str
    version: int | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)
    conf: bool = False


@dataclass(frozen=True)
class Condition:
    """The judgement of a lineage.

    Attributes:
        problem: why a server cannot load it, or None.
        fault: why certbot cannot renew it, or clients cannot verify it, or None.
        repair: what mends it without a CA, or None.
        chain: the chain that it is served with after that, with its ``key``.
        left: the fault that it has after that, or None.
    """

    problem: str | None
    fault: str | None
    repair: Repair | None
    chain: bytes | None
    key: bytes | None
    left: str | None


@dataclass(frozen=True)
class _Found:
    """A version that is whole, or can be made so.

    Attributes:
        number: the version to link to.
        age: the version that it was found in; the highest is the newest.
        stored: whether the archive has its four files.
    """

    number: int
    age: int
    files: Mapping[str, bytes]
    stored: bool

    @property
    def rank(self) -> tuple[int, bool]:
        return self.age, self.stored


def judge(name: str, files: LineageFiles, archive: Callable[[], Mapping[int, Mapping[str, bytes]]]) -> Condition:
    """Return the judgement of a lineage; ``archive`` reads all versions, and is called only if one is needed."""
    live = files.live
    problem = pair_problem(live.get("fullchain"), live.get("privkey"))
    fault = problem or _content_fault(live)
    where = f"live/{name}: {fault}" if fault else _link_fault(name, files)
    shown = _shown(files)
    best = None
    if where or (shown is not None and max(files.numbers, default=0) > shown):
        best = _best(live, archive())
    if best is not None and not where and (shown is None or best.rank <= (shown, True)):
        best = None  # a version behind the one that is shown is not whole, or not newer
    elif best is not None and not where:
        where = f"live/{name} links to an older version than archive/{name} has"
    final: Mapping[str, bytes | None] = best.files if best is not None else live
    chain, conf = final.get("fullchain"), _conf_fault(name, files.conf)
    write = (
        conf is not None
        and chain is not None
        and _can_write(chain, files.conf)
        and (best is not None or problem is None)
    )
    repair = None
    if best is not None or write:
        known = {} if best is None or best.stored else best.files
        repair = Repair(where or conf or "", best.number if best else None, known, conf=write)
    return Condition(
        problem, None if problem else (where or conf), repair, chain, final.get("privkey"), None if write else conf
    )


def _content_fault(version: Mapping[str, bytes | None]) -> str | None:
    """Return what is wrong with files that a server can load, or None."""
    fullchain, cert = version.get("fullchain"), version.get("cert")
    fault = chain_fault(fullchain or b"", version.get("chain"))
    if fault is None and (cert is None or leaf_facts(cert)[2] != leaf_facts(fullchain or b"")[2]):
        fault = "cert.pem is missing" if cert is None else "cert.pem is not the certificate of fullchain.pem"
    return fault


def _link_fault(name: str, files: LineageFiles) -> str | None:
    """Return why the files of ``live/NAME`` are not links to one version, as certbot makes them, or None."""
    if files.links is None:
        return None
    versions = set()
    for kind in KINDS:
        target = files.links.get(kind)
        match = _LINK.match(target or "")
        if match is None or match["name"] != name or match["kind"] != kind:
            return f"live/{name}/{kind}.pem is not a link into archive/{name}"
        versions.add(match["number"])
    return f"the links of live/{name} point to different versions" if len(versions) > 1 else None


def _shown(files: LineageFiles) -> int | None:
    """Return the version that the links show, or None."""
    match = _LINK.match((files.links or {}).get("fullchain") or "")
    return int(match["number"]) if match else None


def _best(live: Mapping[str, bytes | None], archive: Mapping[int, Mapping[str, bytes]]) -> _Found | None:
    """Return the newest whole version, if need be put together from what is left.

    The files of ``live/NAME`` count as the newest if they are no copy of an archived version, and expire later.
    """
    fresh = max(archive, default=0) + 1
    keys = [one["privkey"] for one in (*archive.values(), live) if one.get("privkey")]
    pool = [key for key in keys if key is not None]
    found = [_Found(number, number, one, stored=True) for number, one in archive.items() if is_whole(one)]
    for number, one in archive.items():
        found += [_Found(fresh, number, made, stored=False) for made in _made_whole(one, pool)]
    latest = max((leaf_facts(one.files["fullchain"])[0] for one in found), default=0.0)
    for made in _made_whole(live, pool):
        if not found or leaf_facts(made["fullchain"])[0] > latest:
            found.append(_Found(fresh, fresh, made, stored=False))
    return max(found, key=lambda one: one.rank, default=None)


def seedable(archive: Mapping[int, Mapping[str, bytes]]) -> set[int]:
    """Return the versions that certbot can go on from: those that are whole, else those that are not truncated."""
    whole = {number for number, files in archive.items() if is_whole(files)}
    return whole or {number for number, files in archive.items() if all(_uncut(files.get(kind)) for kind in KINDS)}


def _uncut(pem: bytes | None) -> bool:
    return bool(pem) and pem is not None and pem.count(b"-----BEGIN ") == pem.count(b"-----END ")


def is_whole(version: Mapping[str, bytes | None]) -> bool:
    """Return whether the four files of a version can be served and verified."""
    return pair_problem(version.get("fullchain"), version.get("privkey")) is None and _content_fault(version) is None


def _made_whole(version: Mapping[str, bytes | None], keys: list[bytes]) -> Iterator[Mapping[str, bytes]]:
    """Yield whole versions with the chain of ``version``, or with its parts, and the key that fits; the longest first.

    A chain that is cut off behind its leaf can look whole: not every leaf says that it needs an intermediate.
    """
    joined = (version.get("cert") or b"") + (version.get("chain") or b"")
    for chain in sorted((version.get("fullchain") or b"", joined), key=lambda one: len(blocks(one)), reverse=True):
        for key in [version.get("privkey") or b"", *keys]:
            first, *rest = blocks(chain) or [b""]
            made = {"cert": first, "chain": b"".join(rest), "fullchain": first + b"".join(rest), "privkey": key}
            if first and is_whole(made):
                yield made
                break


def _conf_fault(name: str, conf: bytes | None) -> str | None:
    """Return why ``certbot renew`` cannot use a renewal file, which may be cut off anywhere, or None."""
    path = f"renewal/{name}.conf"
    if conf is None:
        return f"{path} is missing"
    head, _, rest = conf.partition(b"[renewalparams]")
    params, _, roots = rest.partition(b"[[webroot_map]]")
    paths, found = dict(_ENTRY.findall(head)), dict(_ENTRY.findall(params))
    needed = [kind for kind in KINDS if kind.encode() not in paths]
    needed += [key for key in ("server", "authenticator") if key.encode() not in found]
    if found.get(b"authenticator") == b"webroot" and b"webroot_path" not in found and not _ENTRY.search(roots):
        needed.append("webroot_path")
    return f"{path} has no {needed[0]!r} entry, so it is truncated" if needed else None


def _can_write(chain: bytes, conf: bytes | None) -> bool:
    """Return whether a renewal file can be written, which is for HTTP-01: it cannot validate a wildcard."""
    names = leaf_facts(chain)[1]
    by_dns = re.search(rb"^authenticator *= *[\"']?(dns|.*:dns|manual)", conf or b"", re.MULTILINE)
    return bool(names) and by_dns is None and not any(name.startswith("*.") for name in names)


def read_lineage_files(root: Path, name: str) -> LineageFiles:
    """Return the files of a lineage below certbot's directory ``root``."""
    live = {kind: root / "live" / name / f"{kind}.pem" for kind in KINDS}
    return LineageFiles(
        {kind: _content(path) for kind, path in live.items()},
        {kind: str(path.readlink()) if path.is_symlink() else None for kind, path in live.items()},
        frozenset(_numbers(path.name for path in _listed(root / "archive" / name))),
        _content(root / "renewal" / f"{name}.conf"),
    )


def read_archive(root: Path, name: str) -> dict[int, dict[str, bytes]]:
    """Return the content of all versions in ``archive/NAME``, by number and kind."""
    folder = root / "archive" / name
    return versions_of({path.name: content for path in _listed(folder) if (content := _content(path)) is not None})


def versions_of(files: Mapping[str, bytes]) -> dict[int, dict[str, bytes]]:
    """Return the versions among the files of ``archive/NAME``, by number and kind."""
    found: dict[int, dict[str, bytes]] = {}
    for name, content in files.items():
        match = _STORED.match(name)
        if match:
            found.setdefault(int(match["number"]), {})[match["kind"]] = content
    return found


def _numbers(names: Iterable[str]) -> Iterator[int]:
    return (int(match["number"]) for match in map(_STORED.match, names) if match)


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            return None
        raise
