"""nginx: the named locations of a site's rules; many that differ only in a text are one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from stackctl.model.backends import Backend
from stackctl.model.routing import Action, Answer, Redirect, Route
from stackctl.model.tuning import Tuning
from stackctl.proxies.nginx.maps import Map
from stackctl.proxies.nginx.quoting import literal
from stackctl.proxies.nginx.variables import Variables

_MANY = 16
"""How many texts one location is for. Fewer have one each, which is easier to read; nginx takes the time of 15 rules
for each location."""

RULE_TEXT = re.compile(r"\$\{site_[0-9a-f]{16}_to\}")
"""The variable with the text of a rule, in the location that it shares."""

_LONGEST = 2000
"""Of such a text; nginx takes 4095 bytes in a parameter."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where the requests of rules go: an action, and what is taken off the path before.

    Attributes:
        name: of the location.
        text: the variable with the text of the action that the rule has; empty if it is that of ``route``.
    """

    name: str
    route: Route
    prefix: str | None
    text: str = ""


@dataclass
class Targets:
    """The locations of a site's rules.

    Attributes:
        rules: all of them.
        rule: the variable with what :meth:`of` returns for the rule that matches; empty if none does.
        found: the locations, in the order of the rules.
    """

    variables: Variables
    rules: Sequence[Route]
    rule: str
    found: list[Target] = field(default_factory=list)
    _names: dict[tuple[Action, bool, Tuning | None, str | None], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        texts: dict[Action, set[str]] = {}
        for rule in self.rules:
            if (shape := _shape(rule.action)) is not None:
                texts.setdefault(shape, set()).add(text_of(rule.action))
        self._shared = {shape for shape, found in texts.items() if len(found) >= _MANY}

    @property
    def place(self) -> str:
        """The variable with the name of the location."""
        return self.variables.named("place") if self._shared else self.rule

    @property
    def _text(self) -> str:
        return self.variables.named("to")

    def of(self, route: Route, prefix: str | None) -> str:
        """Return the name of a rule's location, and behind it the text of its action if others share it."""
        shape = _shape(route.action)
        shares = shape in self._shared
        does = (shape if shape and shares else route.action, shares, route.tuning, prefix)
        if does not in self._names:
            self._names[does] = f"@stackctl_{len(self.found) + 1}"
            self.found.append(Target(self._names[does], route, prefix, self._text if shares else ""))
        name = self._names[does]
        return literal(f"{name} {text_of(route.action)}") if shares else name

    def maps(self) -> Iterator[Map]:
        """Yield the maps that tell a name from the text behind it."""
        if self._shared:
            yield Map(self.rule, self.place, ((literal(r"~^(@\S+) "), '"$1"'),), default=self.rule)
            yield Map(self.rule, self._text, ((literal(r"~^@\S+ ((?s:.*))"), '"$1"'),))


def text_of(action: Action) -> str:
    """Return the text of an answer, or where a redirect leads to: what it keeps of the request follows."""
    if isinstance(action, Answer):
        return action.text
    return "" if isinstance(action, Backend) else action.to.rstrip("/") if action.keep_path else action.to


def _shape(action: Action) -> Action | None:
    """Return what an action has in common with others; None if its text cannot be the value of a map."""
    text = text_of(action)
    if isinstance(action, Backend) or not text or "$" in text or len(text.encode()) > _LONGEST:
        return None
    if isinstance(action, Redirect):
        return replace(action, to=text[0] if text.startswith("/") else "")
    return replace(action, text="")
