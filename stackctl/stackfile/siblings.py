"""Finds what a Compose file refers to: files that Compose reads, volumes, builds and mounts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

_KEY = "x-stackctl"


@dataclass(frozen=True, slots=True)
class Siblings:
    """What one Compose file refers to, as written: relative to that file, variables not replaced.

    Attributes:
        read: files that Compose reads: ``env_file``, ``configs``, ``secrets``, …
        compose: Compose files among them, which may refer to others: ``include`` and ``extends``.
        volumes: named volumes.
        builds: build contexts, each with its service.
        mounts: paths of the host that are mounted, each with its service.
        pages: files that the proxy answers with, relative to the stack's directory.
        certificates: files of imported certificates and their keys, the same.
    """

    read: tuple[str, ...] = ()
    compose: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    builds: tuple[tuple[str, str], ...] = ()
    mounts: tuple[tuple[str, str], ...] = ()
    pages: tuple[str, ...] = ()
    certificates: tuple[str, ...] = ()


def valued(data: Any, values: Callable[[Sequence[str]], Sequence[str]]) -> Any:  # noqa: ANN401  (YAML holds anything)
    """Return the content of a Compose file with the values of its variables, which ``values`` gives for texts."""
    texts = tuple(dict.fromkeys(_with_variables(data)))
    return _replaced(data, dict(zip(texts, values(texts), strict=True))) if texts else data


def _with_variables(data: Any) -> Iterator[str]:  # noqa: ANN401  (YAML holds anything)
    if isinstance(data, str):
        if "$" in data:
            yield data
    elif isinstance(data, dict | list):
        for item in data.values() if isinstance(data, dict) else data:
            yield from _with_variables(item)


def _replaced(data: Any, values: dict[str, str]) -> Any:  # noqa: ANN401  (YAML holds anything)
    if isinstance(data, str):
        return values.get(data, data)
    if isinstance(data, dict):
        return {key: _replaced(value, values) for key, value in data.items()}
    return [_replaced(item, values) for item in data] if isinstance(data, list) else data


def included(include: Any) -> tuple[str, ...]:  # noqa: ANN401  (YAML holds anything)
    """Return the paths that the value of ``include`` names, as written."""
    items = (item.get("path") if isinstance(item, dict) else item for item in _items(include))
    return tuple(path for item in items for path in _paths(item))


def siblings(data: Any) -> Siblings:  # noqa: ANN401  (YAML holds anything)
    """Return what the Compose file with this content refers to; values that Compose would reject are skipped."""
    top = data if isinstance(data, dict) else {}
    compose = [*included(top.get("include"))]
    parts = [item for item in _items(top.get("include")) if isinstance(item, dict)]
    read = [path for item in parts for path in _paths(item.get("env_file"))]
    for kind in ("configs", "secrets"):
        read += [path for body in _mapping(top.get(kind)).values() for path in _paths(_mapping(body).get("file"))]
    builds: list[tuple[str, str]] = []
    mounts: list[tuple[str, str]] = []
    for name, body in _services(top):
        read += [path for key in ("env_file", "label_file") for path in _paths(body.get(key))]
        compose += _paths(_mapping(body.get("extends")).get("file"))
        build = body.get("build")
        builds += [(context, name) for context in _paths(_mapping(build).get("context", "."))] if build else []
        if isinstance(build, str):
            builds[-1] = (build, name)
        mounts += [(source, name) for volume in _items(body.get("volumes")) for source in _bound(volume)]
    volumes = tuple(str(name) for name in _mapping(top.get("volumes")))
    return Siblings(
        _unique(read), _unique(compose), volumes, _unique(builds), _unique(mounts), pages(top), _certificates(top)
    )


def pages(data: Any) -> tuple[str, ...]:  # noqa: ANN401  (YAML holds anything)
    """Return the files that the proxy answers with, or has users from, of a Compose file that need not be valid."""
    top = _mapping(data)
    stack = _mapping(top.get(_KEY))
    found = [_mapping(stack.get("default")).get("page")]
    for block in (stack, *_blocks(top)):
        found += [*_mapping(block.get("errors")).values(), _mapping(block.get("maintenance")).get("page")]
        found += _items(_mapping(block.get("block")).get("lists"))
        inner = map(_mapping, (block, *_items(block.get("routes"))))
        found += [_mapping(one.get("access")).get("users") for one in inner]
        found += [_mapping(block.get("client-certificate")).get(key) for key in ("ca", "crl")]
    return _unique([path for one in found for path in _paths(one)])


def _certificates(top: dict[str, Any]) -> tuple[str, ...]:
    """Return the files of the certificates that sites name by their files."""
    blocks = [*_blocks(top), *map(_mapping, _items(_mapping(top.get(_KEY)).get("redirects")))]
    found = [_mapping(block.get("certificate")).get(key) for block in blocks for key in ("file", "key", "chain")]
    return _unique([path for one in found for path in _paths(one)])


def _blocks(top: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the blocks of sites: those of services, and the items of ``apps``."""
    return [
        *map(_mapping, (*(body.get(_KEY) for _, body in _services(top)), *_items(_mapping(top.get(_KEY)).get("apps"))))
    ]


def _services(top: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, body in _mapping(top.get("services")).items():
        if isinstance(body, dict):
            yield str(name), body


def _mapping(value: Any) -> dict[str, Any]:  # noqa: ANN401  (YAML holds anything)
    return value if isinstance(value, dict) else {}


def _items(value: Any) -> list[Any]:  # noqa: ANN401  (YAML holds anything)
    return value if isinstance(value, list) else []


def _paths(value: Any) -> list[str]:  # noqa: ANN401  (YAML holds anything)
    """The paths of a path, a mapping with a ``path``, or a list of both."""
    if isinstance(value, list):
        return [path for item in value for path in _paths(item)]
    if isinstance(value, dict):
        return _paths(value.get("path"))
    return [value] if isinstance(value, str) and value else []


def _bound(volume: Any) -> list[str]:  # noqa: ANN401  (YAML holds anything)
    """The path of the host that one entry of ``volumes`` mounts, if it does."""
    if isinstance(volume, dict):
        return _paths(volume.get("source")) if volume.get("type") == "bind" else []
    source, colon, _ = str(volume).partition(":")
    return [source] if colon and source.startswith((".", "/", "~")) else []


def _unique(found: list[Any]) -> tuple[Any, ...]:
    return tuple(dict.fromkeys(found))
