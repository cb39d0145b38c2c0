"""Values that reach a proxy, YAML, a path or a command: accepted here once, or refused.

Every function takes what the user wrote and returns its one canonical form, or
raises :class:`~stackctl.errors.InputError`. Nothing past this module checks them again.
"""

from __future__ import annotations

import ipaddress
import re
from typing import NewType
from urllib.parse import quote, urlsplit

from stackctl.errors import InputError

Domain = NewType("Domain", str)
"""A lower-case, punycoded DNS name of at least two labels; a name of a site may be a wildcard: ``*.example.com``."""

ServiceName = NewType("ServiceName", str)
"""A Compose service name."""

_WILD = "*."
_CA_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,100}\.ca\.pem\Z")
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)\Z")
# The Compose specification allows more, but a service is also a DNS name on the network.
_SERVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}\Z")
_HOST_LABEL = re.compile(r"(?![-_])[A-Za-z0-9_-]{1,63}(?<!-)\Z")
# https://github.com/distribution/reference: repository, optional tag, optional digest.
_IMAGE = re.compile(
    r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?(?::[0-9]{1,5})?/)?"
    r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?\Z"
)
# A mailbox never begins with a hyphen here: certbot would take it for an option.
_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&*+/=?^_{|}~](?:[A-Za-z0-9.!#$%&*+/=?^_{|}~-]{0,63})@(?P<domain>[^@\s]+)\Z")
_EAB_KID = re.compile(r"[A-Za-z0-9._~:/+=-]{1,256}\Z")
_EAB_KEY = re.compile(r"[A-Za-z0-9_-]{16,1024}={0,2}\Z")
# certbot's own rule is only that it is a file's name.
_LINEAGE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,239}\Z")
_DURATION = re.compile(r"[1-9][0-9]{0,5}(?:ms|s|m|h|d)\Z")
_SIZE = re.compile(r"(?:0|[1-9][0-9]{0,8}[kmg]?)\Z")

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}

_ADDRESS = "write DOMAIN, DOMAIN/PATH or https://DOMAIN/PATH"

PORT_RANGE = range(1, 65536)


def domain(text: str) -> Domain:
    """Return ``text`` as a DNS name: lower case, IDNA encoded (RFC 5891, UTS 46), no trailing dot."""
    name = text.strip(" ").removesuffix(".")
    shown = repr(text)
    if name.startswith(_WILD):
        raise InputError(f"{shown} is a wildcard", hint="write one name here, such as www.example.com")
    if is_ip(name):
        raise InputError(f"{shown} is an IP address, not a domain", hint="use a DNS name that resolves to it")
    if not name.isascii():
        name = _punycode(name, shown)
    name = name.lower()
    labels = name.split(".")
    for label in labels:
        if len(label) > 63:
            raise InputError(f"{shown} is not a domain: a label is longer than 63 characters (RFC 1035)")
        if not _LABEL.match(label):
            rule = f"the label {label!r} must consist of letters, digits and inner hyphens"
            raise InputError(
                f"{shown} is not a domain: {rule if label else 'it has an empty label'}",
                hint="write only the name, such as app.example.com, without scheme, port, path or spaces",
            )
    if len(name) > 253:
        raise InputError(f"{shown} is not a domain: longer than 253 characters (RFC 1035)")
    if len(labels) < 2:
        raise InputError(
            f"{shown} has no dot, and no public CA issues a certificate for such a name",
            hint="write the full name, such as app.example.com",
        )
    _refuse_top(labels[-1], shown)
    return Domain(name)


def local_domain(text: str) -> str:
    """Return ``text`` as a domain that a local CA may issue for: it may have a single label, such as ``lan``."""
    below = text.strip(" ").removeprefix(".")
    return domain(f"x.{below}").removeprefix("x.")


def site_domain(text: str) -> Domain:
    """Return ``text`` as a name of a site: a DNS name, or ``*.NAME`` for all names one label below it."""
    bare = text.strip(" ")
    if not bare.startswith(_WILD):
        return domain(text)
    if "*" in bare.removeprefix(_WILD):
        raise InputError(f"{text!r} has two asterisks", hint="a wildcard is for one label: write *.example.com")
    return Domain(f"{_WILD}{domain(bare.removeprefix(_WILD))}")


def _refuse_top(label: str, shown: str) -> None:
    if label.isdigit():
        raise InputError(f"{shown} is not a domain: the last label is a number")
    if label == "invalid":
        # The proxy serves the id of its generation under such a name: a site of that name would hide it.
        raise InputError(
            f"{shown} ends in .invalid, a reserved top-level domain (RFC 6761)",
            hint="use a name that you own, such as app.example.com",
        )


def web_address(text: str) -> tuple[Domain, str]:
    """Return ``text`` as ``[https://]DOMAIN[/PATH]``: the domain, and the path with its query as sent in a request."""
    bare = re.sub(r"\Ahttps?://", "", text.strip(" "), flags=re.IGNORECASE)
    host = re.split(r"[/?#]", bare, maxsplit=1)[0]
    scheme = re.match(r"[A-Za-z][A-Za-z0-9+.-]*(?=://)", bare)
    if scheme:
        raise InputError(f"{text!r}: a proxy for web sites does not serve {scheme[0]}://", hint=_ADDRESS)
    if not host:
        raise InputError(f"{text!r} names no domain", hint=_ADDRESS)
    path = bare.removeprefix(host).partition("#")[0]
    # Characters allowed in a path or query stay, including '%'; all others, above all line breaks, are encoded.
    encoded = quote(path, safe="/?%:@!$&'()*+,;=~-._[]")
    return domain(host), encoded if encoded.startswith("/") else f"/{encoded}"


def is_ip(name: str) -> bool:
    """Whether it is an IP address, IPv6 with or without brackets."""
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def _punycode(name: str, shown: str) -> str:
    import idna  # noqa: PLC0415  (0.02 s that an ASCII name does not need)

    try:
        return idna.encode(name, uts46=True).decode("ascii")
    except idna.IDNAError as error:
        raise InputError(f"{shown} is not a domain: {error}") from error


def service_name(text: str) -> ServiceName:
    """Return ``text`` as a Compose service name."""
    if not _SERVICE.match(text):
        raise InputError(
            f"{text!r} is not a service name",
            hint="use letters, digits, '.', '_' and '-', beginning with a letter or digit",
        )
    return ServiceName(text)


def image(text: str) -> str:
    """Return ``text`` as an image reference: ``[REGISTRY/]NAME[:TAG][@DIGEST]``."""
    if not _IMAGE.match(text):
        raise InputError(f"{text!r} is not an image reference", hint="write NAME:TAG, such as nginx:1.30")
    return text


def port(number: int) -> int:
    """Return ``number`` as a TCP port."""
    if number not in PORT_RANGE:
        raise InputError(f"port {number} is not between 1 and 65535")
    return number


def lineage(text: str) -> str:
    """Return ``text`` as the name of a certbot certificate (``--cert-name``), which names files and folders."""
    if not _LINEAGE.match(text):
        raise InputError(
            f"{text!r} is not the name of a certificate", hint="use the name that 'certbot certificates' prints"
        )
    return text


def email(text: str) -> str:
    """Return ``text`` as an e-mail address a CA accepts (a mailbox at a public domain)."""
    match = _EMAIL.match(text)
    if match:
        try:
            at = domain(match["domain"])
        except InputError:
            match = None
        else:
            return f"{text[: match.start('domain')]}{at}"
    raise InputError(f"{text!r} is not an e-mail address", hint="write it as you@example.com")


def ca_directory(text: str) -> str:
    """Return ``text`` as the URL of an ACME directory (RFC 8555, section 7.1.1)."""
    try:
        parts = urlsplit(text)
        well_formed = parts.scheme == "https" and parts.port != 0 and is_host(parts.hostname or "")
    except ValueError:
        well_formed = False
    if not well_formed or not re.fullmatch(r"[!#$%&()*+,./0-9:;=?@A-Z\[\]_a-z~-]+", text):
        raise InputError(
            f"{text!r} is not a CA",
            hint="use letsencrypt, letsencrypt-staging, local or the https:// URL of an ACME directory",
        )
    return text


def eab_kid(text: str) -> str:
    """Return ``text`` as the key identifier of an external account binding (RFC 8555, section 7.3.4)."""
    if not _EAB_KID.match(text):
        raise InputError(
            "this is not a key identifier of an external account binding",
            hint="copy what the CA calls 'EAB KID' or 'key ID': letters, digits and ._~:/+=-",
        )
    return text


def eab_hmac_key(text: str) -> str:
    """Return ``text`` as the MAC key of an external account binding, in base64url. No message shows it."""
    if not _EAB_KEY.match(text):
        raise InputError(
            "it contains no MAC key of an external account binding",
            hint="the file must contain only what the CA calls 'HMAC key': base64url, one line",
        )
    return text


def duration(text: str) -> str:
    """Return ``text`` as a time with its unit: ``30s``, ``5m``, ``1h``."""
    if not _DURATION.match(text):
        raise InputError(f"{text!r} is not a duration", hint="write a number and ms, s, m, h or d, such as 60s")
    return text


def seconds(text: str) -> float:
    """Return the seconds of ``text``, a time with its unit: ``500ms``, ``30s``, ``5m``."""
    number = re.match(r"[0-9]+", duration(text))
    assert number is not None  # a duration begins with a number
    return int(number[0]) * _UNITS[text[number.end() :]]


def request_path(text: str) -> str:
    """Return ``text`` as a path of a request, with its query: ``/healthz``."""
    if not re.fullmatch(r"/[!$%&'()*+,./0-9:;=?@A-Z\[\]_a-z~-]*", text):
        raise InputError(f"{text!r} is not a path", hint="begin it with '/', and encode what URLs do not allow")
    return text


def statuses(text: str) -> tuple[tuple[int, int], ...]:
    """Return ``text`` as ranges of HTTP statuses: ``200``, ``200-399``, ``200,401``."""
    found: list[tuple[int, int]] = []
    for part in text.replace(" ", "").split(","):
        match = re.fullmatch(r"([1-5][0-9]{2})(?:-([1-5][0-9]{2}))?", part)
        low, high = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if low > high:
            raise InputError(f"{text!r} is not a list of statuses", hint="write such as 200, 200-399 or 200,401")
        found.append((low, high))
    return tuple(found)


def size(text: str) -> str:
    """Return ``text`` as a size: ``0`` (no limit), ``512k``, ``64m``, ``2g``."""
    canonical = text.lower()
    if not _SIZE.match(canonical):
        raise InputError(f"{text!r} is not a size", hint="write a number and k, m or g, such as 64m; 0 is no limit")
    return canonical


def ca_file(text: str) -> str:
    """Return ``text`` as the name of a user's file with root certificates."""
    if not _CA_FILE.match(text):
        raise InputError(
            f"{text!r} is not the name of a file with root certificates",
            hint="put the PEM file next to your own proxy directives, and write its name, such as company.ca.pem",
        )
    return text


def tls_name(text: str) -> str:
    """Return ``text`` as the name that a server's certificate must be valid for."""
    if not is_host(text) or is_ip(text):
        raise InputError(f"{text!r} is not a DNS name", hint="write a name that the server's certificate has")
    return text.lower()


def is_host(text: str) -> bool:
    """Whether it is an address or a name of one label or more, as resolvers take them."""
    if is_ip(text):
        return "%" not in text
    labels = text.split(".")
    return len(text) <= 253 and all(_HOST_LABEL.match(label) for label in labels) and not labels[-1].isdigit()
