"""The live files of the proxy, read by a real parser, and the way of a request through them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from stackctl.adapters.disk.directory import PROXY
from stackctl.engine.context import Context
from stackctl.proxies.nginx import trace as nginx_routes
from stackctl.proxies.nginx.directives import Directive
from stackctl.proxies.trace import Trace

Router = Callable[[str, str, int], Trace | None]
"""Says for a name, a path and the port inside the container which way a request goes."""

_MOUNT = "/etc/nginx/"
_MAGIC = re.compile(r"[*?\[]")


def router(context: Context, name: str) -> Router:
    """The routes of the live generation, as far as they can be about ``name``."""
    return _ROUTERS[context.proxy.name](context, name)


def _nginx(context: Context, name: str) -> Router:
    tree = NginxFiles(context.directory.root / PROXY, context.proxy.source_of, name).tree()
    return lambda wanted, path, port: nginx_routes.route(tree, wanted, path, port)


_ROUTERS: dict[str, Callable[[Context, str], Router]] = {"nginx": _nginx}


class NginxFiles:
    """``nginx.conf`` below ``root`` with its includes put in.

    ``source_of`` names the file a person edits. Of the sites only those files are parsed that can
    answer for ``name``: parsing takes a millisecond a file, and there may be thousands.
    """

    def __init__(self, root: Path, source_of: Callable[[str], str], name: str) -> None:
        self._root = root
        self._source_of = source_of
        # The name itself; else a wildcard, a regex or a default server has to be in it.
        self._relevant = re.compile(rf"{re.escape(name)}|\*\.|\.\*|\s\.\w|~|default", re.IGNORECASE)

    def tree(self) -> tuple[Directive, ...]:
        """The directives of ``nginx.conf``; none where there is no live generation."""
        return tuple(self._file(self._root / "live" / "nginx.conf"))

    def _file(self, path: Path) -> Iterator[Directive]:
        import crossplane  # noqa: PLC0415  (0.02 s that most commands do not need)

        if not path.is_file():
            return
        # The live files have passed 'nginx -t': what directives are allowed where is not looked at again.
        parsed = crossplane.parse(str(path), single=True, check_ctx=False, check_args=False)
        inside = str(path.relative_to(self._root))
        shown = f"{PROXY}/{self._source_of(inside.removeprefix('live/'))}"
        yield from self._directives(parsed["config"][0]["parsed"], shown)

    def _directives(self, statements: list[dict[str, Any]], shown: str) -> Iterator[Directive]:
        for one in statements:
            if one["directive"] == "include" and len(one["args"]) == 1:
                for path in self._included(one["args"][0]):
                    yield from self._file(path)
                continue
            yield Directive(
                one["directive"],
                tuple(one["args"]),
                f"{shown}:{one['line']}",
                tuple(self._directives(one.get("block", []), shown)),
            )

    def _included(self, pattern: str) -> list[Path]:
        """The files of an ``include``; those outside the proxy's directory are the container's own."""
        inside = pattern.removeprefix(_MOUNT)
        if inside.startswith("/") or ".." in Path(inside).parts:
            return []
        # Relative paths begin where nginx.conf is, and that is the live generation.
        base = self._root if pattern != inside else self._root / "live"
        if not _MAGIC.search(inside):
            return [base / inside]
        return [path for path in sorted(base.glob(inside)) if self._relevant.search(_text(path))]


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
