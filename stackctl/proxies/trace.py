"""The trace of a request through a proxy's configuration: server block, location and action."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from stackctl.model.endpoints import Endpoint


class Outcome(StrEnum):
    """How the proxy finally handles a request."""

    PROXY = "proxy"
    REDIRECT = "redirect"
    ANSWER = "answer"
    FILES = "files"
    REFUSE = "refuse"
    CLOSE = "close"


class ServerMatch(StrEnum):
    """Why a server block answers for a name."""

    EXACT = "exact"
    WILDCARD = "wildcard"
    REGEX = "regex"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Block:
    """A block of the proxy's configuration.

    Attributes:
        text: as written, such as ``location ^~ /static/``.
        place: ``file:line``, the file to edit, relative to the stack.
    """

    text: str
    place: str


class RuleKind(StrEnum):
    """The kind of a rule."""

    ACCESS = "access"
    MAINTENANCE = "maintenance"
    REWRITE = "rewrite"


@dataclass(frozen=True, slots=True)
class Rule:
    """A directive that may answer before the action does, depending on the request.

    Attributes:
        text: as written.
        place: ``file:line``, the file to edit, relative to the stack.
    """

    kind: RuleKind
    text: str
    place: str


@dataclass(frozen=True, slots=True)
class Share:
    """The clients that get some of the targets.

    Attributes:
        percent: of all clients.
    """

    percent: float
    targets: tuple[Endpoint, ...]

    def __str__(self) -> str:
        return f"{self.percent:g} %"


@dataclass(frozen=True, slots=True)
class Action:
    """What the proxy does with the request.

    Attributes:
        text: the directive, such as ``proxy_pass http://app_a.example.com``.
        status: the status of a redirect or a fixed answer.
        scheme: the protocol to the targets, such as ``http``.
        targets: the upstream endpoints; empty if they depend on the request.
        group: the upstream block between the directive and the targets.
        chosen: the variable that has the target; None if the directive names it.
        shares: the targets by the share of the clients that get them, the largest first; empty if all get the same.
    """

    outcome: Outcome
    text: str
    place: str
    status: int | None = None
    scheme: str | None = None
    targets: tuple[Endpoint, ...] = ()
    group: Block | None = None
    chosen: str | None = None
    shares: tuple[Share, ...] = ()

    def share_of(self, target: Endpoint) -> Share | None:
        """Return the share of the clients that get ``target``; None if it is for all."""
        return next((share for share in self.shares if target in share.targets), None)


@dataclass(frozen=True, slots=True)
class Trace:
    """The trace of one request.

    Attributes:
        location: None if the server block itself answers.
        rules: directives that may answer first, depending on the request: ``if``, ``rewrite``, access rules.
    """

    server: Block
    match: ServerMatch
    location: Block | None
    action: Action
    rules: tuple[Rule, ...] = ()


class Misspoken(StrEnum):
    """What a peer speaks to a port that expects something else."""

    TLS_TO_HTTP = "TLS to HTTP"
    HTTP_TO_HTTPS = "HTTP to HTTPS"
    PROXY_UNEXPECTED = "PROXY protocol unexpected"
    PROXY_MISSING = "PROXY protocol missing"


@dataclass(frozen=True, slots=True)
class LoggedError:
    """An error log line about a request.

    Attributes:
        time: as logged.
        upstream: URL of the upstream, or None.
        line: the whole line, which is unique.
    """

    time: str
    level: str
    message: str
    host: str
    request: str | None
    upstream: str | None
    line: str


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do about a logged error.

    Attributes:
        refused: the proxy itself refused the request, before any upstream.
        limit: which of its rates did so, from 1 as the Compose file has them; 0 for ``connections``; None if unknown.
    """

    todo: str
    refused: bool = False
    limit: int | None = None
