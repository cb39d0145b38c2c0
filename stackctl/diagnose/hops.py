"""The hops of a request."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from stackctl.diagnose.check import Verdict


class HopKind(StrEnum):
    """The kinds of hops, in the order in which a request meets them."""

    NAME = "name"
    PORT = "port"
    CLIENT = "client"
    CERTIFICATE = "certificate"
    ROUTE = "route"
    LIMIT = "limit"
    ACCESS = "access"
    SERVER = "server"
    LOCATION = "location"
    UPSTREAM = "upstream"
    CONTAINER = "container"
    ANSWER = "answer"
    HTTP = "port 80"


@dataclass(frozen=True, slots=True)
class Hop:
    """One hop of a request.

    Attributes:
        text: what was found there.
        where: ``file:line`` of the configuration, where there is one.
        why: what is wrong there, if the text does not say it; ``todo`` what to do about it.
    """

    kind: HopKind
    verdict: Verdict
    text: str
    where: str | None = None
    todo: str | None = None
    why: str | None = None

    def unjudged(self) -> Hop:
        """Return the hop without a judgement, for one behind a hop that fails."""
        return replace(self, verdict=Verdict.UNKNOWN, todo=None, why=None)
