"""The way of a request through a proxy's own files: which server block, which location, and what it does."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from stackctl.model.endpoints import Endpoint


class Outcome(StrEnum):
    """What becomes of a request at the end of its way through the proxy."""

    PROXY = "proxy"
    REDIRECT = "redirect"
    ANSWER = "answer"
    FILES = "files"
    REFUSE = "refuse"
    CLOSE = "close"


class ServerMatch(StrEnum):
    """How a server block came to answer for a name."""

    EXACT = "exact"
    WILDCARD = "wildcard"
    REGEX = "regex"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Block:
    """A block of the proxy's configuration.

    Attributes:
        text: how it is written, such as ``location ^~ /static/``.
        place: ``file:line``, the file as a person finds it in the stack directory.
    """

    text: str
    place: str


class RuleKind(StrEnum):
    """What a rule does with the requests that it matches."""

    ACCESS = "access"
    REWRITE = "rewrite"


@dataclass(frozen=True, slots=True)
class Rule:
    """A directive that may answer before the action does, depending on the request.

    Attributes:
        text: how it is written.
        place: ``file:line``, the file as a person finds it in the stack directory.
    """

    kind: RuleKind
    text: str
    place: str


@dataclass(frozen=True, slots=True)
class Action:
    """What the proxy does with the request.

    Attributes:
        text: the directive that says so, such as ``proxy_pass http://app_a.example.com``.
        status: the status that a redirect or an answer has.
        scheme: how the targets are spoken to, such as ``http``.
        targets: where it is passed on to; empty where that is only known at each request.
        group: the upstream block between the directive and the targets.
    """

    outcome: Outcome
    text: str
    place: str
    status: int | None = None
    scheme: str | None = None
    targets: tuple[Endpoint, ...] = ()
    group: Block | None = None


@dataclass(frozen=True, slots=True)
class Trace:
    """The way of one request.

    Attributes:
        location: None where the server block itself answers.
        rules: what may answer before, by something that only a request shows: ``if``, ``rewrite``, access rules.
    """

    server: Block
    match: ServerMatch
    location: Block | None
    action: Action
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class LoggedError:
    """One line of the proxy's error log that is about a request.

    Attributes:
        time: as logged.
        upstream: URL of the upstream it is about, or None.
        line: the whole line; no two of them are alike.
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
    """

    todo: str
    refused: bool = False
