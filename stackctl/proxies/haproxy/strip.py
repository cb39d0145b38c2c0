"""HAProxy: takes a prefix off the path of requests, and puts it back into what the app answers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from stackctl.model.matching import EVERY_PATH, PathKind
from stackctl.model.paths import prefix_pattern, sent, sent_pattern
from stackctl.model.routing import Route, Site
from stackctl.model.values import Domain
from stackctl.proxies.haproxy.quoting import fmt, regex, word
from stackctl.proxies.haproxy.rules import path_regex

_SET_COOKIE = r"(?i)^(.*;[ \t]*path=)/"


def strip_lines(site: Site, route: Route) -> Iterator[str]:
    """Yield the lines of a back end that take off the longest prefix of its route that the path has."""
    paths = [one for one in route.match.all_of.paths if one.kind is not PathKind.REGEX and one != EVERY_PATH]
    paths.sort(key=lambda one: (one.kind is not PathKind.EXACT, -len(one.text)))
    for number, path in enumerate(paths, start=1):
        at = f"{{ var(txn.strip) -m str {number} }}"
        below = rf"^{prefix_pattern(path.text)}(?:/|(?=[?]|\z))(.*)\z"
        to = sent(path.text)
        yield (
            f"http-request set-var(txn.strip) str({number}) if !{{ var(txn.strip) -m found }}"
            f" {{ var(txn.path) -m reg {regex(path_regex(path))} }}"
        )
        # A path that only matches when it is decoded.
        yield f"http-request return status 400 if {at} !{{ pathq -m reg {regex(below)} }}"
        yield f"http-request set-header X-Forwarded-Prefix {word(fmt(to))} if {at}"
        yield rf"http-request replace-pathq {regex(below)} '/\1' if {at}"
        yield from _put_back(site.domains, path.text, at)


def _put_back(names: Sequence[Domain], prefix: str, at: str) -> Iterator[str]:
    """Yield the lines for redirects and cookies, unless the app has put the prefix there."""
    bare, to = sent_pattern(prefix[1:]), fmt(sent(prefix))
    hosts = "|".join(re.escape(name).replace(r"\*", "[^.]+") for name in names)
    host = rf"(?i:https?://(?:{hosts})(?::[0-9]+)?)(?=[/?#]|\z)"
    location = rf"^({host}|(?=/(?!/)))/?+(?!{bare}(?:[/?#]|\z))(.*)\z"
    inside = word(rf"\1{to}/\2")
    yield f"http-response replace-header Location {regex(location)} {inside} if {at}"
    below = rf"{_SET_COOKIE}(?!{bare}(?:[/;\s]|\z))([^;\s].*)\z"
    root = rf"{_SET_COOKIE}([ \t]*(?:;.*)?)\z"
    itself = word(rf"\1{to}\2")
    yield f"http-response replace-header Set-Cookie {regex(below)} {inside} if {at}"
    yield f"http-response replace-header Set-Cookie {regex(root)} {itself} if {at}"
