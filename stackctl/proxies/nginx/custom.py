"""nginx: the copies of the user's own files, and what has to be rendered for them next to the servers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from stackctl.model.stack import Stack
from stackctl.proxies.nginx.directives import Directive
from stackctl.proxies.nginx.groups import all_group_names
from stackctl.proxies.nginx.hosts import HOST, PLACES, URL
from stackctl.proxies.nginx.late import Surroundings, copied, groups_in
from stackctl.proxies.nginx.layout import CUSTOM
from stackctl.proxies.nginx.spans import Unreadable, every_span, read_spans

_NAMES_HOST = re.compile(rb"_pass\s|^\s*server\s+[^{\s]", re.MULTILINE)
_SERVER = re.compile(rf"{HOST}\Z")
BEFORE_MAPS = frozenset({"map_hash_max_size", "map_hash_bucket_size"})
"""Directives of ``http`` that nginx refuses after a first map: they are rendered before stackctl's own maps."""

_EARLY = re.compile(rb"(?:^|(?<=[;{}]))[ \t]*map_hash_(?:max|bucket)_size\s[^;{}#]*;", re.MULTILINE)


def hosts_in(custom: Mapping[str, bytes]) -> int:
    """Return how many hosts the user's own files name at most."""
    return sum(len(_NAMES_HOST.findall(content)) for content in custom.values())


def named_in(custom: Mapping[str, bytes]) -> list[tuple[str, str]]:
    """Return each host that a directive of the user's own files names, in lower case, with ``file:line``."""
    found: list[tuple[str, str]] = []
    for name, content in sorted(custom.items()):
        text = content.decode("utf-8", "surrogateescape")
        try:
            spans = read_spans(text) if _NAMES_HOST.search(content) else ()
        except Unreadable:
            continue
        for span in every_span(spans):
            form = {"proxy_pass": URL, "server": _SERVER, **PLACES}.get(span.name)
            host = form.match(span.arg) if form is not None and span.block is None else None
            if host is not None:
                line = text.count("\n", 0, span.words[0].start) + 1
                found.append((host["host"].lower(), f"{CUSTOM.path}/{name}:{line}"))
    return found


def all_groups(stack: Stack, http: bytes | None) -> frozenset[str]:
    """Return the names of the upstream groups that are rendered, or that the user defines in ``custom/http.conf``."""
    return groups_in(http) | {"stackctl"} | all_group_names(stack.sites)


def http_copy(stack: Stack, content: bytes, *, resolves: bool) -> bytes:
    """Return the copy of ``custom/http.conf``, without what is rendered before the maps."""
    content = _EARLY.sub(b"", content)
    copy = copied(content, Surroundings("http", all_groups(stack, None), stack.proxy.hosts, (), resolves))
    return copy.content + copy.definitions.encode()


def site_copies(
    around: Surroundings, files: Mapping[str, bytes | None], outer: Sequence[tuple[Directive, ...]]
) -> tuple[dict[str, bytes], str]:
    """Return the copies of a site's ``files``, by kind, and the text to render next to its servers.

    They are in the order of their blocks, outermost first. ``outer`` are the directives of ``custom/http.conf``, then
    those of each file.
    """
    copies: dict[str, bytes] = {}
    definitions = ""
    for number, (kind, content) in enumerate(files.items(), start=1):
        if content is not None:
            known = replace(around, label=f"{around.label}.{kind}", outer=tuple(outer[:number]))
            copy = copied(content, known)
            copies[kind] = copy.content
            definitions += copy.definitions
    origin = f"\n# For the hosts that your own files for {around.label} name.\n"
    return copies, f"{origin}{definitions}" if definitions else ""
