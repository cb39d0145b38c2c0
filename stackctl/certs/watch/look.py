"""Look at what is watched: certificates on disk, what the proxy shows, and the stamps of the renewal loop."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import http.client
import importlib
import socket
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from stackctl.certs.issuer.copies import LINEAGES, STORED
from stackctl.certs.issuer.local import organization, span
from stackctl.certs.watch import failed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stackctl.certs.watch.settings import Settings, Watched

_SECONDS = 3.0
"""How long a connection to the proxy may take."""

_WHOLE = 60.0
"""How long the handshakes with all sites may take."""

_AT_ONCE = 8
_NO_CLIENT = b"PROXY UNKNOWN\r\n"
ACME, IMPORTED, LOCAL, DUMMY = "acme", "imported", "local", "dummy"
"""The sources of certificates."""


class Places(NamedTuple):
    """The folders of the stack, as the program sees them; ``proxy`` is the directory of the proxy."""

    conf: Path
    stamps: Path
    proxy: Path


class Leaf(NamedTuple):
    """A certificate, without its chain; ``der`` identifies it."""

    der: bytes
    begin: dt.datetime
    end: dt.datetime
    issuer: str

    @property
    def life(self) -> dt.timedelta:
        """How long it is valid."""
        return self.end - self.begin


class Copy(NamedTuple):
    """A certificate on disk that the proxy can load; ``name`` is that of a lineage or of a site."""

    name: str
    source: str
    leaf: Leaf


class Facts(NamedTuple):
    """What a look has found.

    Attributes:
        copies: the current certificates on disk.
        reached: whether the proxy accepts connections; None if its name does not resolve, or it has no TLS.
        served: what a handshake with each site shows, None if there is none; those that were not asked are missing.
        live: the generation on disk, ``answers`` the one that answers; empty where that is not known.
        parked: the sites that were taken out, with the reason.
        checked: when the last round of the renewal loop ended, ``succeeded`` when one last succeeded, as they are
            written.
        failed: what that round could not renew, with certbot's words; under an empty name all of it.
        refused: what was renewed, but is not copied for the proxy, with the reason.
    """

    now: dt.datetime
    copies: tuple[Copy, ...]
    reached: bool | None
    served: dict[str, Leaf | None]
    live: str
    answers: str
    parked: dict[str, str]
    checked: str
    succeeded: str
    failed: dict[str, str]
    refused: dict[str, str]

    @property
    def current(self) -> dict[bytes, Copy]:
        """The certificates on disk that visitors may see, by their DER; a dummy is none of them."""
        return {one.leaf.der: one for one in self.copies if one.source != DUMMY}


def look(settings: Settings, places: Places) -> Facts:
    """Return the facts; none of them raises an error, and the proxy can hold up none of them."""
    reached, served = _served(settings)
    answers = _generation(settings) if reached is not False else ""
    return Facts(
        dt.datetime.now(dt.timezone.utc),  # noqa: UP017  (its short name is of Python 3.11)
        tuple(_copies(settings, places.stamps)),
        reached,
        served,
        _target(places.proxy / "live"),
        answers,
        dict(_parked(settings, places.proxy)),
        _text(places.stamps / "checked").strip(),
        _text(places.stamps / "succeeded").strip(),
        _failed(places),
        dict(_rows(places.stamps / "refused")),
    )


# On disk


def _copies(settings: Settings, stamps: Path) -> Iterator[Copy]:
    names = {site.file: site for site in settings.sites}
    for kind in (LINEAGES, STORED):
        folder = stamps / "pairs" / kind
        for link in sorted(folder.iterdir()) if folder.is_dir() else ():
            leaf = None if link.name[0] == "." else _leaf(link / "cert.pem")
            site = names.get(link.name)
            if leaf is not None:
                yield Copy(site.name if site else link.name, _source(settings, kind, leaf), leaf)


def _source(settings: Settings, kind: str, leaf: Leaf) -> str:
    if kind == LINEAGES:
        return ACME
    if leaf.issuer.startswith(settings.local):
        return LOCAL
    return DUMMY if leaf.issuer == settings.dummy else IMPORTED


def _leaf(path: Path) -> Leaf | None:
    try:
        return described(ssl.PEM_cert_to_DER_cert(path.read_text(encoding="ascii", errors="replace").strip()))
    except (OSError, ValueError):
        return None


def described(der: bytes) -> Leaf | None:
    """Return the certificate, or None if it cannot be read."""
    x509: Any = importlib.import_module("cryptography.x509")
    try:
        certificate = x509.load_der_x509_certificate(der)
        return Leaf(der, *span(certificate), organization(certificate))
    except ValueError:
        return None


def _parked(settings: Settings, proxy: Path) -> Iterator[tuple[str, str]]:
    notes = {path.name[: -len(".parked")]: path for path in sorted((proxy / "live").glob("*/*.parked"))}
    for site in settings.sites:
        if site.file in notes:
            yield site.name, _text(notes[site.file]).strip()


def _failed(places: Places) -> dict[str, str]:
    text = _text(places.stamps / "failed")
    if not text:
        return {}
    left = failed.parts(text)
    if not left.rows:
        return {"": f"certbot ended with {left.first[1] or 'an error'}"}
    words = failed.reasons(left.output)
    return {
        name: words.get(name, "see the log of the container")
        for name, before, _ in left.rows
        # One that was renewed since, by hand for example, fails no more.
        if before == _digest(places.conf / "live" / name / "cert.pem")
    }


def _rows(path: Path) -> Iterator[tuple[str, str]]:
    for line in _text(path).splitlines():
        name, found, reason = line.partition(": ")
        if found:
            yield name, reason


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _target(link: Path) -> str:
    try:
        return link.readlink().name
    except OSError:
        return ""


# On the wire


def _served(settings: Settings) -> tuple[bool | None, dict[str, Leaf | None]]:
    port = settings.https
    if port is None or not settings.sites:
        return None, {}
    try:
        _connected(settings, port).close()
    except socket.gaierror:  # it has a network of its own, such as that of the host
        return None, {}
    except OSError:
        return False, {}
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # whether it is trusted is no matter of who asks from here
    end = time.monotonic() + _WHOLE

    def ask(site: Watched) -> tuple[str, Leaf | None] | None:
        return (site.name, _handshake(settings, port, context, site.ask)) if time.monotonic() < end else None

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return True, dict(filter(None, pool.map(ask, settings.sites)))


def _handshake(settings: Settings, port: int, context: ssl.SSLContext, name: str) -> Leaf | None:
    try:
        with (
            _connected(settings, port) as plain,
            context.wrap_socket(plain, server_hostname=name) as tls,
        ):
            der = tls.getpeercert(binary_form=True)
    except (OSError, ValueError):
        return None
    return described(der) if der else None


def _connected(settings: Settings, port: int) -> socket.socket:
    connection = socket.create_connection((settings.proxy, port), _SECONDS)
    if settings.framed:
        try:
            connection.sendall(_NO_CLIENT)
        except OSError:
            connection.close()
            raise
    return connection


def _generation(settings: Settings) -> str:
    path, host = settings.marker
    connection = http.client.HTTPConnection(settings.proxy, settings.http, timeout=_SECONDS)
    try:
        with contextlib.closing(connection):
            connection.sock = _connected(settings, settings.http)
            connection.request("GET", path, headers={"Host": host, "Connection": "close"})
            response = connection.getresponse()
            body = response.read(64)
    except (OSError, http.client.HTTPException):
        return ""
    return body.decode("ascii", "replace").strip() if response.status == http.HTTPStatus.OK else ""
