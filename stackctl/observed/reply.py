"""What came back to one request."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from stackctl.certs.lineage import Certificate


class Failure(StrEnum):
    """Why a request has no answer, in words."""

    CONNECT = "cannot connect"
    HANDSHAKE = "the TLS handshake is refused"
    CLOSED = "the connection is closed without an answer"
    TIMEOUT = "no answer before the timeout"


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a GET, or why there is none.

    Attributes:
        status: HTTP status; None without an answer.
        location: where it redirects to.
        sets_cookie: whether the next request for the same address may be answered in another way.
        certificate: what the server showed, trusted or not; None without TLS.
    """

    status: int | None = None
    location: str | None = None
    sets_cookie: bool = False
    certificate: Certificate | None = None
    failure: Failure | None = None
