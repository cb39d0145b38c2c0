"""nginx: the snippets that the files of all sites include, and the user's directives next to them."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from functools import lru_cache
from types import MappingProxyType

from stackctl.model.layout import CHALLENGES, WEBROOT
from stackctl.proxies.nginx.directives import Directive, text_of
from stackctl.proxies.nginx.edge import grpc_headers
from stackctl.proxies.nginx.own import (
    Directives,
    Snippets,
    read_own,
)
from stackctl.proxies.proxy import Files
from stackctl.proxies.removed import REMOVED
from stackctl.templates import render

_SIMPLE = re.compile(r"([a-z_]+) (.*);\Z")


@lru_cache(maxsize=1)
def own_snippets() -> Snippets:
    """Return the request headers that every app gets, or never gets."""
    return Snippets(_simple(proxy_snippet()), _simple(removed_snippet()))


def _simple(text: str) -> Directives:
    found = (_SIMPLE.match(line) for line in text.splitlines())
    return tuple(Directive(match[1], tuple(match[2].replace('"', "").split(" "))) for match in found if match)


def proxy_snippet() -> str:
    """Return ``snippets/proxy.conf``: the request headers of every app, which are the proxy's own."""
    return render("nginx/snippets/proxy.conf.j2")


def removed_snippet() -> str:
    """Return ``snippets/removed.conf``: the request headers that no app gets."""
    return render("nginx/snippets/removed.conf.j2", names=REMOVED)


def grpc_snippet() -> str:
    """Return ``snippets/grpc.conf``: the same headers for apps that speak gRPC, which is never upgraded."""
    return text_of(grpc_headers(own_snippets()))


def challenge(extra: Sequence[str] = (), *, indent: int = 0) -> str:
    """Return ``snippets/acme.conf``: the location of the CA's challenges, with ``extra`` lines in it."""
    text = render("nginx/snippets/acme.conf.j2", webroot=WEBROOT.mount, challenges=CHALLENGES, extra=extra)
    return textwrap.indent(text, " " * indent)


def own_directives(content: bytes | None, files: Files = MappingProxyType({})) -> Directives:
    """Return the directives of a user's file; none of one that nginx itself will refuse.

    Those of the user's other ``files``, by name, count where it includes them.
    """
    return read_own(content, own_snippets(), files)
