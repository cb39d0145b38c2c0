"""The reply to one request."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from stackctl.certs.lineage import Certificate


class Failure(StrEnum):
    """Why a request has no answer; the value is shown to the user."""

    CONNECT = "cannot connect"
    HANDSHAKE = "the TLS handshake is refused"
    CLOSED = "the connection is closed without an answer"
    TIMEOUT = "no answer before the timeout"
    UNSENT = "the request is not sent"


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a request, or why there is none.

    Attributes:
        status: HTTP status; None without an answer.
        location: the target of a redirect.
        sets_cookie: whether it sets a cookie, so that the next request to the same address may be answered differently.
        certificate: the certificate of the server, trusted or not; None without TLS.
    """

    status: int | None = None
    location: str | None = None
    sets_cookie: bool = False
    certificate: Certificate | None = None
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class ClientRequest:
    """A request as a client sends it.

    Attributes:
        host: the name that it asks for.
        port: the port that the client talks to; it is in the Host header unless it is the default one.
    """

    host: str
    port: int
    tls: bool
    path: str
    method: str = "GET"


@dataclass(frozen=True, slots=True)
class Response:
    """The complete answer to a request, or why there is none.

    Attributes:
        headers: names in lower case, with their values, in order.
        length: the bytes of the body, without its transfer coding.
        digest: a digest of the body; of its beginning if it is large.
        body: its beginning; two answers are compared by the digest.
    """

    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    length: int = 0
    digest: str = ""
    failure: Failure | None = None
    body: bytes = field(default=b"", compare=False, repr=False)
