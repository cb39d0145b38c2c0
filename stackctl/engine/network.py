"""The :class:`~stackctl.engine.ports.Network` of this host: real resolvers and real servers."""

from __future__ import annotations

import http.client
import json
import ssl
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from stackctl.diagnose.network import CaDirectory

_TIMEOUT = 5.0
_MOST_BYTES = 65536


class HostNetwork:
    """Sees what a program on this host sees."""

    def ca_directory(self, url: str, bundle: bytes | None) -> CaDirectory:
        """See :meth:`Network.ca_directory`."""
        context = ssl.create_default_context(cadata=bundle.decode("ascii", "replace") if bundle else None)
        try:
            return _get_directory(url, context)
        except ssl.SSLCertVerificationError as error:
            problem = f"its certificate is not trusted: {error.verify_message}"
        except (OSError, http.client.HTTPException, ValueError) as error:
            return CaDirectory(url, problem=f"{url} does not answer: {error}")
        # A clock that is wrong refuses right certificates. For the time alone nobody has to be trusted.
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        try:
            return CaDirectory(url, ahead=_get_directory(url, context).ahead, problem=problem)
        except (OSError, http.client.HTTPException, ValueError):
            return CaDirectory(url, problem=problem)


def _get_directory(url: str, context: ssl.SSLContext) -> CaDirectory:
    parts = urlsplit(url)
    connection = http.client.HTTPSConnection(parts.hostname or "", parts.port, context=context, timeout=_TIMEOUT)
    try:
        connection.request("GET", parts.path or "/", headers={"Connection": "close"})
        response = connection.getresponse()
        now = datetime.now(UTC)
        body = response.read(_MOST_BYTES)
    finally:
        connection.close()
    date = response.getheader("Date")
    ahead = None if date is None else _whole(now - parsedate_to_datetime(date))
    try:
        told = json.loads(body).get("meta", {}).get("caaIdentities")
    except (ValueError, AttributeError):
        told = None
    identities = tuple(str(name) for name in told) if isinstance(told, list) else None
    problem = None if ahead is not None else f"{url} sends no Date"
    return CaDirectory(url, ahead, identities, problem)


def _whole(ahead: timedelta) -> timedelta:
    """To the second: the header tells no more."""
    return timedelta(seconds=round(ahead.total_seconds()))
