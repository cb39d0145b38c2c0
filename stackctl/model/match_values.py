"""Values of the conditions of a route: each is accepted here once, or refused."""

from __future__ import annotations

import re
from ipaddress import IPv6Network, ip_address, ip_network

from stackctl.errors import InputError
from stackctl.model.matching import Network, PathKind, PathMatch, Text
from stackctl.model.patterns import pattern
from stackctl.model.values import Domain, site_domain

LONGEST = 500
"""Characters of a path, of a regular expression and of a value."""

_METHOD = re.compile(r"[A-Z][A-Z_-]{0,31}\Z")
_HEADER = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,98}[a-z0-9])?\Z")
_PARAMETER = re.compile(r"[A-Za-z0-9_.~\[\]-]{1,100}\Z")
_COOKIE = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}\Z")
_ENCODED = re.compile(r"%[0-9A-Fa-f]{2}")


def path_prefix(text: str) -> PathMatch:
    """Return ``text`` as the path of everything below it; a slash at its end means the same."""
    return PathMatch(_path(text).rstrip("/") or "/")


def site_and_path(text: str) -> tuple[Domain, PathMatch | None]:
    """Return ``text`` as ``[https://]DOMAIN[/PATH]``; the path is None without a slash behind the name."""
    bare = re.sub(r"\Ahttps?://", "", text.strip(" "), flags=re.IGNORECASE)
    name, slash, rest = bare.partition("/")
    return site_domain(name), path_prefix(f"/{rest}") if slash else None


def exact_path(text: str) -> PathMatch:
    """Return ``text`` as one path."""
    return PathMatch(_path(text), PathKind.EXACT)


def path_or_regex(text: str) -> PathMatch:
    """Return ``text`` as a prefix, or as a regular expression if it begins with ``~``."""
    return PathMatch(regex(text[1:]), PathKind.REGEX) if text.startswith("~") else path_prefix(text)


def _path(text: str) -> str:
    if not text.startswith("/"):
        raise InputError(f"{text!r} is not a path", hint="write it from its first slash on, such as /api")
    if not text.isprintable():
        raise InputError(f"{text!r} is not a path: it contains a character that cannot be printed")
    for sign, name in (("?", "a query"), ("#", "a fragment")):
        if sign in text:
            raise InputError(f"{text!r} has {name}", hint="write the path alone; 'match' has conditions on a query")
    if _ENCODED.search(text):
        raise InputError(
            f"{text!r} is percent-encoded", hint="write the path decoded, as it is compared: 'a b', not 'a%20b'"
        )
    if "//" in text:
        raise InputError(
            f"{text!r} has two slashes in a row", hint="write one: requests are compared without the other"
        )
    if {".", ".."} & {*text.split("/")}:
        raise InputError(f"{text!r} has a segment of dots", hint="write the path that it resolves to")
    return short(text)


def short(text: str) -> str:
    """Return ``text``, which must be Unicode of no more than :data:`LONGEST` characters."""
    if len(text) > LONGEST:
        raise InputError(f"{text[:40]!r}… has {len(text)} characters", hint=f"at most {LONGEST} are allowed")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InputError(f"{text!r} is not valid Unicode") from None
    return text


def regex(text: str) -> str:
    """Return ``text`` as a regular expression that the proxy takes too."""
    short(text)
    if not text:
        raise InputError("the regular expression is empty", hint="write it behind the '~', such as ~^/v[0-9]+/")
    if not text.isprintable():
        raise InputError(f"the regular expression {text!r} contains a character that cannot be printed")
    return pattern(text)


def header_value(text: str) -> Text:
    """Return ``text`` as what a header must be, or as a regular expression behind ``~``."""
    if not text:
        raise InputError("an empty header is the same as none", hint="write the condition into 'not', without a value")
    return value(text)


def value(text: str) -> Text:
    """Return ``text`` as what a parameter or cookie must be, or as a regular expression behind ``~``."""
    if text.startswith("~"):
        return Text(regex(text[1:]), regex=True)
    if not text.isprintable():
        raise InputError(f"the value {text!r} contains a character that cannot be printed")
    return Text(short(text))


def method(text: str) -> str:
    """Return ``text`` as a request method, in upper case."""
    canonical = text.upper()
    if not text.isascii() or not _METHOD.match(canonical):
        raise InputError(f"{text!r} is not a request method", hint="write its name, such as GET or POST")
    return canonical


def header_name(text: str) -> str:
    """Return ``text`` as the name of a header, in lower case."""
    canonical = text.lower()
    if "_" in text:
        raise InputError(f"{text!r}: proxies drop headers with '_' in their names", hint="write the name with '-'")
    if not text.isascii() or not _HEADER.match(canonical):
        raise InputError(f"{text!r} is not the name of a header", hint="use letters, digits and '-', as in x-version")
    return canonical


def parameter_name(text: str) -> str:
    """Return ``text`` as the name of a parameter of a query."""
    if not _PARAMETER.match(text):
        raise InputError(
            f"{text!r} is not the name of a parameter", hint="use letters, digits and '_', '.', '~', '-', '[', ']'"
        )
    return text


def cookie_name(text: str) -> str:
    """Return ``text`` as the name of a cookie (RFC 6265)."""
    if not _COOKIE.match(text):
        raise InputError(f"{text!r} is not the name of a cookie")
    return text


def network(text: str) -> Network:
    """Return ``text`` as an address or a network in CIDR notation."""
    try:
        near = ip_network("" if "%" in text else text, strict=False)
    except ValueError:
        raise InputError(
            f"{text!r} is not a network", hint="write an address, or a network such as 192.0.2.0/24 or 2001:db8::/32"
        ) from None
    mapped = near.network_address.ipv4_mapped if isinstance(near, IPv6Network) else None
    if mapped:
        # Proxies compare the address of such a client with networks of IPv4 only.
        raise InputError(f"{text!r} is a network of IPv4", hint=f"write it as such, like {mapped}")
    if str(near.network_address) == str(ip_address(text.partition("/")[0])):
        return near
    raise InputError(f"{text!r} is the address of a host in a network", hint=f"the network is {near}")
