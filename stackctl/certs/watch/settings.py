"""What the program gets from stackctl in its file of settings; the file holds credentials of receivers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Receiver(NamedTuple):
    """Who gets alerts.

    Attributes:
        id: identifies it without its credentials.
        label: how it is named where others read it; there are no credentials in it.
        kind: ``webhook``, ``ntfy``, ``smtp``, ``smtps``, or ``apprise`` for one that only the host can reach.
        url: the whole address of a webhook or of an ntfy server, without user and password; empty for e-mail.
        topic: that of ntfy.
        user: its user, or None; with a password alone it is a token.
        host: the host of the mail server, and its port.
        sender: the address that an e-mail is from.
        to: the addresses that it is for.
    """

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


class Watched(NamedTuple):
    """A site.

    Attributes:
        name: as the Compose file has it.
        ask: a name that a client can ask for.
        file: the name of its files and folders.
        lineage: its certificate in certbot's tree.
        imported: whether only the user replaces its certificate.
    """

    name: str
    ask: str
    file: str
    lineage: str
    imported: bool


class Settings(NamedTuple):
    """The stack, as far as it is watched.

    Attributes:
        name: that of the Compose project, which begins each message.
        version: that of stackctl.
        proxy: the host of the proxy's container.
        https: its port for HTTPS; None if TLS ends in front of it.
        http: its port for HTTP.
        framed: whether it expects the PROXY protocol.
        marker: the path and the host by which it answers with its generation.
        dummy: the organization that a dummy certificate names as its issuer.
        local: how the name of a local CA begins.
        receivers: who gets alerts.
        ping: the URL that is requested after each round, followed by its exit code; or None.
    """

    name: str
    version: str
    sites: tuple[Watched, ...]
    proxy: str
    https: int | None
    http: int
    framed: bool
    marker: tuple[str, str]
    dummy: str
    local: str
    receivers: tuple[Receiver, ...] = ()
    ping: str | None = None


def written(settings: Settings) -> str:
    """Return the text of the file."""
    fields = settings._asdict()
    fields["sites"] = [one._asdict() for one in settings.sites]
    fields["receivers"] = [one._asdict() for one in settings.receivers]
    return json.dumps(fields, indent=2, sort_keys=True) + "\n"


def read(path: Path) -> Settings | None:
    """Return the settings; None if there is no such file, or it is of another version."""
    try:
        fields: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        receivers = tuple(Receiver(**{**one, "to": tuple(one["to"])}) for one in fields["receivers"])
        sites = tuple(Watched(**one) for one in fields["sites"])
        return Settings(**{**fields, "marker": tuple(fields["marker"]), "sites": sites, "receivers": receivers})
    except (OSError, ValueError, KeyError, TypeError):
        return None
