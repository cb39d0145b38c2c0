"""HAProxy: the rules of all sites as lines of the frontend, each of which names the back end of the rule that matches.

A line of a site begins with a comparison of the site's name, so that a request costs the sites that have no rules
nothing, and those of others little.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv6Network, ip_network

from stackctl.model.fields import is_cookie, is_parameter
from stackctl.model.layout import site_file
from stackctl.model.matching import EVERY_PATH, Conditions, FieldMatch, Network, PathKind, PathMatch, Text
from stackctl.model.paths import sent_pattern
from stackctl.model.patterns import tokens
from stackctl.model.router import rules_of
from stackctl.model.routing import Route, Site
from stackctl.proxies.haproxy.layout import backend_of
from stackctl.proxies.haproxy.quoting import regex, word

_MAPPED = ip_network("::ffff:0:0/96")
"""IPv4 addresses as HAProxy compares them with networks of IPv6."""

WORDS = 50
"""Values in one line: HAProxy takes 64 words."""

_HEADER, _QUERY, _COOKIE = "header", "query", "cookie"

NOT_ROUTED = "!{ var(txn.route) -m found }"


def of_site(site: Site) -> str:
    """Return the condition that a request is for a site."""
    return f"{{ var(txn.site) -m str {site_file(site.name)} }}"


@dataclass
class Rules:
    """Renders the rules of all sites.

    Attributes:
        lines: of the frontend.
    """

    lines: list[str] = field(default_factory=list)
    _names: int = 0

    def add(self, site: Site) -> None:
        """Add the lines of the rules of a site."""
        rules = rules_of(site)
        if not rules:
            return
        self.lines.append(f"# The rules of {site.name}.")
        variables = self._variables(site, rules)
        for rule in rules:
            name = backend_of(site.name, site.routes.index(rule) + 1)
            tests = list(self._tests(rule.match.all_of, variables))
            none = rule.match.none_of
            exceptions = [f"!{one}" for one in self._tests(none, variables)] if none else [""]
            if none and not exceptions:
                continue  # every request meets all of no conditions
            self.lines += [
                " ".join(
                    filter(
                        None,
                        [f"http-request set-var(txn.route) str({name}) if", NOT_ROUTED, of_site(site), *tests, one],
                    )
                )
                for one in exceptions
            ]

    def acl(self, fetch: str, flags: str, values: Sequence[str]) -> str:
        """Add a condition that a value is any of ``values``, which are words, and return its name."""
        for start in range(0, len(values), WORDS):
            self.lines.append(f"acl c{self._names + 1} {fetch} {flags} {' '.join(values[start : start + WORDS])}")
        self._names += 1
        return f"c{self._names}"

    def sources(self, networks: Sequence[Network]) -> str:
        """Add a condition on the address of the client, and return its name."""
        return self.acl("src", "--", as_compared(networks))

    def _variables(self, site: Site, rules: Sequence[Route]) -> dict[tuple[str, str], str]:
        """Add the variables with the headers, and the first parameter or cookie of each name, that rules ask about."""
        found: dict[tuple[str, str], str] = {}
        every = [of for rule in rules for of in (rule.match.all_of, rule.match.none_of) if of is not None]
        headers = [one.name for of in every for one in of.headers] + [_COOKIE for of in every if of.cookies]
        for name in dict.fromkeys(headers):
            found[_HEADER, name] = variable = f"txn.v{len(found) + 1}"
            self.lines.append(f"http-request set-var({variable}) req.fhdr({name}) if {of_site(site)}")
            # Of several with one name the list counts, as an app would read it.
            several = f"{{ req.fhdr_cnt({name}) gt 1 }}"
            self.lines.append(f"http-request set-var({variable}) lua.edge_header({name}) if {of_site(site)} {several}")
        for kind, name in dict.fromkeys(
            (kind, one.name)
            for of in every
            for kind, fields in ((_QUERY, of.query), (_COOKIE, of.cookies))
            for one in fields
        ):
            fetch, pattern = (
                ("query", _parameter(name)) if kind == _QUERY else (f"var({found[_HEADER, _COOKIE]})", _cookie(name))
            )
            found[kind, name] = variable = f"txn.v{len(found) + 1}"
            has = self.acl(fetch, "-m reg --", [regex(pattern)])
            quoted = pattern.replace("'", r"\x27")
            value = word(f"{fetch},regsub('{quoted}','\\1')")
            self.lines.append(f"http-request set-var({variable}) {value} if {of_site(site)} {has}")
        return found

    def _tests(self, of: Conditions, variables: dict[tuple[str, str], str]) -> Iterator[str]:
        if of.paths and EVERY_PATH not in of.paths:
            yield self.acl("var(txn.path)", "-m reg --", [regex(path_regex(path)) for path in of.paths])
        if of.methods:
            yield self.acl("method", "-m str --", [word(one) for one in of.methods])
        for header in of.headers:
            fetch = f"var({variables[_HEADER, header.name]})"
            yield self.acl(fetch, "-m len", ["ge 1"])
            if header.values:
                yield self._any(fetch, header, re.escape)
        for kind, wanted, written in ((_QUERY, of.query, is_parameter), (_COOKIE, of.cookies, is_cookie)):
            for one in wanted:
                fetch = f"var({variables[kind, one.name]})"
                yield self._any(fetch, one, written) if one.values else self.acl(fetch, "-m found", [""])
        if of.sources:
            yield self.sources(of.sources)

    def _any(self, fetch: str, wanted: FieldMatch, written: Callable[[str], str]) -> str:
        return self.acl(fetch, "-m reg --", [regex(_text_regex(one, written)) for one in wanted.values])


def path_regex(path: PathMatch) -> str:
    """Return the regex that finds a path which is matched."""
    if path.kind is PathKind.REGEX:
        return captured(path.text)
    end = r"\z" if path.kind is PathKind.EXACT else r"(?:/|\z)"
    return f"^{'' if path == EVERY_PATH else re.escape(path.text) + end}"


def _text_regex(text: Text, written: Callable[[str], str]) -> str:
    return captured(text.text) if text.regex else rf"^(?:{written(text.text)})\z"


def captured(pattern: str) -> str:
    """Return a regular expression of the user's that refers to its groups by names, as HAProxy captures no others."""
    parts = list(tokens(pattern))
    if not any(re.match(r"\\[1-9]", part) for part in parts):
        return pattern
    numbers = itertools.count(1)
    return "".join(f"(?<g{next(numbers)}>" if part == "(" else part for part in parts)


def _parameter(name: str) -> str:
    return rf"^(?:[^&]*&)*?{sent_pattern(name)}(?:=([^&]*))?(?:&.*)?\z"


def _cookie(name: str) -> str:
    return rf"^(?:[^;]*;)*?[ \t]*{re.escape(name)}=([^;]*?)[ \t]*(?:;.*)?\z"


def network_rows(networks: Iterable[Network]) -> str:
    """Return networks as the file of an ACL (``-f``), one in each line."""
    return "".join(f"{one}\n" for one in as_compared(networks))


def as_compared(networks: Iterable[Network]) -> list[str]:
    """Return networks as HAProxy compares them: without the addresses that it reads as IPv4 in those of IPv6."""
    return [str(part) for network in networks for part in _parts(network)]


def _parts(network: Network) -> Iterator[Network]:
    """Yield the networks without the addresses that are IPv4, which HAProxy would find in a network of IPv6 too."""
    if isinstance(network, IPv6Network) and isinstance(_MAPPED, IPv6Network) and _MAPPED.subnet_of(network):
        if network != _MAPPED:
            yield from network.address_exclude(_MAPPED)
    else:
        yield network
