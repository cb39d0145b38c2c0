"""Who gets alerts: URLs of webhooks, of ntfy, of mail servers, and of what Apprise knows."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit, urlunsplit

from stackctl.errors import InputError
from stackctl.model.values import email, is_host

_URL = re.compile(r"[a-z][a-z0-9+.-]*://[!#$%&'()*+,./0-9:;=?@A-Z\[\]_a-z~-]+")
_TOPIC = re.compile(r"[A-Za-z0-9_-]{1,64}")
_PORTS = {"smtp": 587, "smtps": 465}
_WEB = {"http": "http", "https": "https"}
_NTFY = {"ntfy": "http", "ntfys": "https"}
APPRISE = "apprise"
"""The kind of a receiver that only Apprise knows, on the host."""

MOST = 10
"""Receivers of a stack."""

_FORMS = "write https://…, ntfys://HOST/TOPIC, smtp://HOST?from=…&to=…, or a URL that Apprise knows"


@dataclass(frozen=True, slots=True)
class AlertReceiver:
    """Who gets alerts; see :class:`stackctl.certs.watch.settings.Receiver`, which has the same fields."""

    id: str
    label: str
    kind: str
    url: str = ""
    topic: str = ""
    user: str | None = None
    password: str | None = None
    host: str = ""
    port: int = 0
    sender: str = ""
    to: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """No credentials: they would reach a log."""
        return f"AlertReceiver({self.label})"


@dataclass(frozen=True, slots=True)
class Alerts:
    """What a stack says about alerts.

    Attributes:
        ping: the URL that the renewal loop requests after each round, with its exit code behind it.
        where: ``file:line`` of the key; empty without it.
    """

    receivers: tuple[AlertReceiver, ...] = ()
    ping: str | None = None
    where: str = ""

    def __repr__(self) -> str:
        """No credentials."""
        return f"Alerts({len(self.receivers)} receivers)"


def receiver(text: str) -> AlertReceiver:
    """Return who a URL stands for; no error quotes it, as it holds credentials.

    Raises:
        InputError: it is not such a URL.
    """
    parts = _parts(text)
    identity, label = hashlib.sha256(text.encode()).hexdigest()[:12], f"{parts.scheme}://{_shown(parts)}"
    user, password = _credentials(parts)
    if parts.scheme in _WEB:
        return AlertReceiver(identity, label, "webhook", _bare(parts), user=user, password=password)
    if parts.scheme in _NTFY:
        topic = parts.path.strip("/")
        if not _TOPIC.fullmatch(topic):
            raise InputError(
                "this names no topic of ntfy", hint="write ntfys://HOST/TOPIC, such as ntfys://ntfy.sh/shop"
            )
        server = _bare(SplitResult(_NTFY[parts.scheme], parts.netloc, "/", "", ""))
        return AlertReceiver(identity, label, "ntfy", server, topic, user=user, password=password)
    if parts.scheme in _PORTS:
        return _mail(parts, identity, label, user, password)
    # Where other services have their tokens is not known: often in the place of the host.
    return AlertReceiver(identity, f"{parts.scheme}://…", APPRISE, text)


def ping_url(text: str) -> str:
    """Return the URL that is pinged, without a slash at its end.

    Raises:
        InputError: it is not one that an exit code can follow.
    """
    parts = _parts(text)
    if parts.scheme not in _WEB or parts.query or "@" in parts.netloc:
        raise InputError("this is not a URL to ping", hint="write https://HOST/PATH: the exit code is put behind it")
    return text.rstrip("/")


def _parts(text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        known = parts.scheme in {*_WEB, *_NTFY, *_PORTS}
        well_formed = parts.port != 0 and is_host(parts.hostname or "") and not parts.fragment if known else True
    except ValueError:
        well_formed = False
    if not well_formed or not _URL.fullmatch(text):
        raise InputError("this is not the URL of a receiver of alerts", hint=_FORMS)
    if parts.scheme == "file":
        raise InputError("alerts are not written to files", hint=_FORMS)
    return parts


def _shown(parts: SplitResult) -> str:
    return parts.netloc.rpartition("@")[2]


def _bare(parts: SplitResult) -> str:
    return urlunsplit(parts._replace(netloc=_shown(parts), path=parts.path or "/"))


def _credentials(parts: SplitResult) -> tuple[str | None, str | None]:
    """Return user and password; a word without a colon is a token, which is a password without a user."""
    found = [None if one is None else unquote(one) for one in (parts.username, parts.password)]
    if any(not char.isprintable() for char in "".join(filter(None, found))):
        raise InputError("the user or the password of a receiver has a character that is not printable", hint=_FORMS)
    return (None, found[0]) if found[1] is None else (found[0], found[1])


def _mail(parts: SplitResult, identity: str, label: str, user: str | None, password: str | None) -> AlertReceiver:
    asked = parse_qs(parts.query, keep_blank_values=True)
    if set(asked) != {"from", "to"} or len(asked["from"]) != 1 or parts.path not in {"", "/"}:
        hint = "write smtp://USER:PASSWORD@HOST?from=stackctl@example.com&to=ops@example.com"
        raise InputError("an e-mail needs the addresses that it is from and for", hint=hint)
    if password is not None and user is None:
        raise InputError("a mail server wants a user and a password", hint="write smtp://USER:PASSWORD@HOST?…")
    to = tuple(_address(one) for text in asked["to"] for one in text.split(","))
    port = parts.port or (_PORTS[parts.scheme] if user is not None or parts.scheme == "smtps" else 25)
    sender = _address(asked["from"][0])
    return AlertReceiver(
        identity,
        label,
        parts.scheme,
        user=user,
        password=password,
        host=parts.hostname or "",
        port=port,
        sender=sender,
        to=to,
    )


def _address(text: str) -> str:
    try:
        return email(text)
    except InputError as error:
        raise InputError("a word behind 'from' or 'to' is no e-mail address", hint=error.hint) from None
