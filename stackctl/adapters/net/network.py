"""The :class:`~stackctl.observed.wire.Network` of this host: real resolvers and real servers."""

from __future__ import annotations

import errno
import http.client
import ipaddress
import json
import socket
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import SplitResult, urljoin, urlsplit

from cryptography.x509 import Certificate

from stackctl import __version__
from stackctl.adapters.net.connect import connected, secured
from stackctl.adapters.net.deadline import Deadline
from stackctl.adapters.net.own import own_addresses
from stackctl.adapters.net.resolver import Resolver
from stackctl.adapters.net.roots import trusted_roots
from stackctl.model.endpoints import HTTP_PORT, HTTPS_PORT
from stackctl.observed.network import CaDirectory, Fetched, Lookup, Reach
from stackctl.wording import on_one_line

_CA_SECONDS = 8.0
_FETCH_SECONDS = 9.0
_ANSWER_SECONDS = 3.0
"""How long one answer may take; a fetch may have to follow several redirects."""

_MOST_BYTES, _NONCE_BYTES, _MOST_SHOWN = 65536, 1024, 200
_MOST_REDIRECTS = 10
"""As Let's Encrypt follows them: only to ports 80 and 443."""

_AGENT = {"User-Agent": f"stackctl/{__version__}"}
"""A CA rejects requests without one (RFC 8555, section 6.1)."""

_NO_ROUTE = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}


class HostNetwork:
    """The network as seen from this host; names are resolved by ``resolver``, None for the system's."""

    def __init__(self, resolver: tuple[str, int] | None = None) -> None:
        self._resolver = Resolver(resolver)

    def lookup(self, name: str, kind: str) -> Lookup:
        """See :meth:`Network.lookup`."""
        return self._resolver.lookup(name, kind)

    def has_ipv6(self) -> bool:
        """See :meth:`Network.has_ipv6`."""
        try:
            socket.socket(socket.AF_INET6, socket.SOCK_STREAM).close()
        except OSError:
            return False
        return True

    def trusted_roots(self) -> Sequence[Certificate]:
        """See :meth:`Network.trusted_roots`."""
        return trusted_roots()

    def own_addresses(self) -> frozenset[str]:
        """See :meth:`Network.own_addresses`."""
        return own_addresses()

    def fetch(self, address: str, port: int, name: str, path: str) -> Fetched:
        """See :meth:`Network.fetch`."""
        fetched, at, url = None, address, f"http://{name}{path}"
        whole = Deadline(_FETCH_SECONDS)
        for _ in range(_MOST_REDIRECTS):
            one, location = _get(at, port, url, Deadline(_ANSWER_SECONDS, within=whole))
            fetched = one if fetched is None else _followed(fetched, one)
            if location is None:
                break
            fetched = replace(fetched, redirect=fetched.redirect or location)
            moved = _moved(url, location)
            found = None if moved is None else self._address(moved[0], {name: address})
            if moved is None or found is None:
                break
            at, (_, port, url) = found, moved
        assert fetched is not None  # the loop runs at least once
        return fetched

    def _address(self, name: str, known: Mapping[str, str]) -> str | None:
        if name in known:
            return known[name]
        try:
            return str(ipaddress.ip_address(name))
        except ValueError:
            return next(iter(self.lookup(name, "A").records), None)

    def ca_directory(self, url: str, bundle: bytes | None) -> CaDirectory:
        """See :meth:`Network.ca_directory`."""
        deadline = Deadline(_CA_SECONDS)
        try:
            context = ssl.create_default_context(cadata=bundle.decode("ascii", "replace") if bundle else None)
            return _get_directory(url, context, deadline)
        except ssl.SSLCertVerificationError as error:
            problem = f"its certificate is not trusted: {error.verify_message}"
        except (OSError, http.client.HTTPException, ValueError) as error:
            why = getattr(error, "strerror", None) or str(error)
            return CaDirectory(url, problem=f"{url} does not answer: {why}")
        # With a wrong clock valid certificates are rejected. Reading the time alone needs no trust.
        try:
            return CaDirectory(url, ahead=_get_directory(url, _unjudged(), deadline).ahead, problem=problem)
        except (OSError, http.client.HTTPException, ValueError):
            return CaDirectory(url, problem=problem)


def _get(address: str, port: int, url: str, deadline: Deadline) -> tuple[Fetched, str | None]:
    """Return one response, and the target if it redirects; any certificate will do, as for a CA that is redirected."""
    parts = urlsplit(url)
    try:
        connection = _opened(address, port, parts, _unjudged(), deadline)
    except (ssl.SSLError, ValueError):
        return Fetched(address, Reach.BROKEN), None
    except OSError as error:
        return Fetched(address, _how_far(error)), None
    try:
        target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        connection.request("GET", target, headers={**_AGENT, "Host": parts.netloc, "Connection": "close"})
        response = connection.getresponse()
        body = response.read(_NONCE_BYTES)
    except (OSError, http.client.HTTPException, ValueError):
        return Fetched(address, Reach.BROKEN), None
    finally:
        connection.close()
    headers = {key.lower(): on_one_line(value[:_MOST_SHOWN]) for key, value in response.getheaders()}
    moved = response.status in {301, 302, 303, 307, 308}
    location = headers.get("location") if moved else None
    return Fetched(address, Reach.ANSWERED, response.status, body, headers), location


def _opened(
    address: str, port: int, url: SplitResult, context: ssl.SSLContext, deadline: Deadline
) -> http.client.HTTPConnection:
    """Return a connection to ``address`` for a request to ``url``; ``deadline`` is for all of it."""
    plain = connected(address, port, deadline)
    connection = http.client.HTTPConnection(address)
    connection.sock = secured(plain, context, url.hostname or "") if url.scheme == "https" else plain
    return connection


def _unjudged() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _how_far(error: OSError) -> Reach:
    if isinstance(error, ConnectionRefusedError):
        return Reach.REFUSED
    if isinstance(error, TimeoutError):
        return Reach.SILENT
    return Reach.NO_ROUTE if error.errno in _NO_ROUTE else Reach.BROKEN


def _followed(first: Fetched, last: Fetched) -> Fetched:
    """Return the last response of a redirection, with the address of the first."""
    return replace(first, reach=last.reach, status=last.status, body=last.body)


def _moved(url: str, location: str) -> tuple[str, int, str] | None:
    """Return host, port and URL of a redirect that a CA would follow, or None."""
    try:
        parts = urlsplit(urljoin(url, location))
        usual = {"http": HTTP_PORT, "https": HTTPS_PORT}.get(parts.scheme)
        followed = usual is not None and parts.port in {None, usual}
    except ValueError:
        return None
    return (parts.hostname, usual, parts.geturl()) if followed and usual and parts.hostname else None


def _get_directory(url: str, context: ssl.SSLContext, deadline: Deadline) -> CaDirectory:
    parts = urlsplit(url)
    connection = _opened(parts.hostname or "", parts.port or HTTPS_PORT, parts, context, deadline)
    try:
        headers = {**_AGENT, "Host": parts.netloc, "Connection": "close"}
        connection.request("GET", parts.path or "/", headers=headers)
        response = connection.getresponse()
        now = datetime.now(UTC)
        body = response.read(_MOST_BYTES)
    finally:
        connection.close()
    ahead = _ahead(now, response.getheader("Date"))
    try:
        listed = json.loads(body).get("meta", {}).get("caaIdentities")
    except (ValueError, AttributeError, RecursionError):
        listed = None
    identities = tuple(str(name) for name in listed) if isinstance(listed, list) else None
    problem = None if ahead is not None else f"{url} sends no Date"
    return CaDirectory(url, ahead, identities, problem)


def _ahead(now: datetime, date: str | None) -> timedelta | None:
    """Return how far ``now`` is ahead of a Date header, to the second, which is the header's precision."""
    try:
        sent = None if date is None else parsedate_to_datetime(date)
    except (TypeError, ValueError):
        return None
    return None if sent is None or sent.tzinfo is None else timedelta(seconds=round((now - sent).total_seconds()))
