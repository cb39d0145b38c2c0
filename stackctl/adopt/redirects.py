"""Servers that only redirect, and where to."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from stackctl.adopt.nginx_conf import serves_challenges
from stackctl.proxies.nginx.directives import Directive

_HERE = re.compile(r"https?://(?:\$host|\$http_host|\$server_name)(?::\d+)?(?:\$request_uri|\$uri\S*|/\$1|/)?\Z")
_THERE = re.compile(r"https?://(?P<host>[^/$:]+)(?::\d+)?(?P<rest>\$request_uri|\$uri\S*|/\$1|/\S*)?\Z")


@dataclass(frozen=True, slots=True)
class Redirect:
    """A redirect of a server, or of a condition in one; ``host`` is None for the same name."""

    host: str | None
    url: str
    at: str


def redirect_of(body: Iterable[Directive]) -> list[Redirect] | None:
    """Return the redirects of a server that does nothing else, apart from the challenge; None for any other."""
    found: list[Redirect] = []
    for directive in body:
        if serves_challenges(directive) or directive.name in _SILENT or directive.name.startswith("ssl"):
            continue
        if directive.name == "include" and directive.arg.endswith("options-ssl-nginx.conf"):
            continue
        if (directive.name == "location" and directive.args[-1:] == ("/",)) or directive.name == "if":
            inside = redirect_of(directive.inner)
        elif directive.name == "return" and directive.arg == "404" and found:
            continue  # certbot's own: 'if ($host = …) { return 301 … } return 404;'
        else:
            one = _redirect(directive)
            inside = [one] if one else None
        if inside is None:
            return None
        found += inside
    return found or None


# Directives that do not affect the routing of a request.
_SILENT = {"http2", "server_tokens", "access_log", "error_log", "root", "index", "charset"}


def _redirect(directive: Directive) -> Redirect | None:
    url = None
    if directive.name == "return" and directive.arg in {"301", "302", "303", "307", "308"} and len(directive.args) > 1:
        url = directive.args[1]
    elif directive.name == "return" and directive.arg.startswith("https://"):
        url = directive.arg
    elif directive.name == "rewrite" and directive.args[-1] in {"permanent", "redirect"} and len(directive.args) == 3:
        url = directive.args[1] if directive.arg in {"^", "^(.*)$", "^(.*)", "^/(.*)$", ".*", "^.*$"} else None
    if url is None:
        return None
    if _HERE.match(url):
        return Redirect(None, url, directive.at)
    there = _THERE.match(url)
    return Redirect(there["host"].lower(), url, directive.at) if there else None
