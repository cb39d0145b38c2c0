"""The port to the servers that the stack publishes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from stackctl.certs.lineage import Certificate
from stackctl.model.edge import PROBE
from stackctl.model.endpoints import Endpoint, PortBinding
from stackctl.model.fields import Request
from stackctl.model.streams import Transport
from stackctl.model.values import Domain
from stackctl.observed.reply import ClientRequest, Reply, Response

ANSWER_SECONDS = 20.0
"""How long a complete answer may usually take."""


REQUEST_HEADERS = (("User-Agent", PROBE), ("Accept", "*/*"), ("Accept-Encoding", "identity"))
"""What a request has in the place of what a browser would send."""


class Wire(Protocol):
    """Requests to the published ports, as a client sends them."""

    def generation(self, http: PortBinding) -> str | None:
        """Return the generation that the proxy at ``http`` answers with, or None."""

    def served(
        self, https: PortBinding, names: Sequence[Domain], *, rsa: bool = False
    ) -> dict[Domain, Certificate | None]:
        """Return the certificate of a full handshake with each name, or None: a proof that the server has the key.

        With ``rsa`` it is a client that can verify no other signatures, and speaks TLS 1.2.
        """

    def offered(self, https: PortBinding, names: Sequence[Domain]) -> dict[Domain, Certificate | None]:
        """Return the same as :meth:`served` at a fifth of the cost, but without the proof of the key."""

    def ask(self, at: PortBinding, name: Domain, sent: Request, *, tls: bool) -> Reply:
        """Return the reply to a request for ``name``; redirects are not followed."""

    def answer(self, at: PortBinding, request: ClientRequest, timeout: float = ANSWER_SECONDS) -> Response:
        """Return the complete answer to a request within ``timeout`` seconds; redirects are not followed."""

    def responds(self, http: PortBinding) -> bool:
        """Return whether a request to ``http`` gets any answer."""

    def speaks_quic(self, at: PortBinding) -> bool:
        """Return whether a server of QUIC, and so of HTTP/3, answers at the UDP port ``at``."""

    def answers(self, at: Endpoint) -> bool:
        """Return whether ``at`` accepts a TCP connection."""

    def refuses(self, at: Endpoint) -> bool:
        """Return whether the host of ``at`` refuses the connection; False without an answer."""

    def owner(self, at: PortBinding, transport: Transport = Transport.TCP) -> str | None:
        """Return a description of the process that listens where ``at`` would be published; None if it is free."""
