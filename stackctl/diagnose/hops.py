"""The links of a request's way."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from stackctl.diagnose.check import Verdict


class HopKind(StrEnum):
    """Where on its way a request is."""

    NAME = "name"
    PORT = "port"
    CERTIFICATE = "certificate"
    SERVER = "server"
    LOCATION = "location"
    UPSTREAM = "upstream"
    CONTAINER = "container"
    ANSWER = "answer"
    HTTP = "port 80"


@dataclass(frozen=True, slots=True)
class Hop:
    """One link of the way.

    Attributes:
        text: what is there.
        where: ``file:line``, where a file decides.
        why: what is wrong there, where the text does not say it; ``todo`` what to do about it.
    """

    step: HopKind
    verdict: Verdict
    text: str
    where: str | None = None
    todo: str | None = None
    why: str | None = None

    def unjudged(self) -> Hop:
        """The same behind a link that is broken."""
        return replace(self, verdict=Verdict.UNKNOWN, todo=None, why=None)
