"""nginx: the rules of a site as maps, the last of which yields the named location of the rule that matches.

Each map compares one line for each field that its rules ask about, with one regex for each rule: the first that matches
decides. The default of a map is the next one, which nginx evaluates only then. What cannot be said inside of another
regex, or would be compared again for many rules, is a map of its own with the value 1.

Few maps and few variables matter: nginx clears more than a megabyte for each map that it reads, and compares the name
of each variable with those of all others.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from stackctl.errors import InputError
from stackctl.model.fields import is_cookie, is_parameter, is_text, is_value
from stackctl.model.matching import EVERY_PATH, Conditions, FieldMatch, Network, PathKind, PathMatch, Text
from stackctl.model.router import rules_of
from stackctl.model.routing import Action, Route, Site, Tuning
from stackctl.proxies.nginx.lines import (
    ANY,
    FINDS,
    NOT_EMPTY,
    PATH,
    Row,
    Tests,
    any_of,
    fields_of,
    finding,
    first_cookie,
    first_parameter,
    path_regex,
    regex_of,
    text_of,
)
from stackctl.proxies.nginx.maps import Map
from stackctl.proxies.nginx.quoting import literal
from stackctl.proxies.nginx.variables import Variables

JUMP = 599
"""The status that no client sees: it hands a request to the location of its rule."""

_IN_ONE_MAP = 16
_MOST_MAPS, _DEEPEST = 60, 90
"""How many are aimed at, and how many there may be: nginx follows variables that name each other to a depth of 100."""

_LONGEST = 3000
"""Of a parameter; nginx takes 4095 bytes."""

_INLINE = 400
"""Of the values of one condition; more have a map of their own."""

_OFTEN = 4
"""How many rules may each compare a value with the same regex of the user's."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where the requests of a rule go: its action, and what is taken off the path before.

    Attributes:
        name: of the location.
    """

    name: str
    route: Route
    prefix: str | None


_Add = Callable[[str, str], None]
_Condition = FieldMatch | Sequence[PathMatch]


@dataclass(frozen=True, slots=True)
class _Line:
    """The line of a field: its value behind ``sign``, and how a value is written there."""

    variable: str
    written: Callable[[str], str]
    sign: str = ""


@dataclass
class Rules:
    """The rules of a site."""

    site: Site
    variables: Variables
    maps: list[Map] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)
    _named: dict[tuple[Action, Tuning | None, str | None], str] = field(default_factory=dict)
    _known: dict[Map, str] = field(default_factory=dict)
    _networks: dict[tuple[Network, ...], int] = field(default_factory=dict)
    _uses: Counter[_Condition] = field(default_factory=Counter)

    @classmethod
    def of(cls, site: Site, variables: Variables) -> Rules:
        """Return the rules of a site, with their maps.

        Raises:
            InputError: nginx has no room for a rule, or for so many.
        """
        made = cls(site, variables)
        made._fill()
        return made

    @property
    def variable(self) -> str:
        """The variable with the name of the location; empty if no rule matches."""
        return self.variables.named("rule1")

    @property
    def jump(self) -> str:
        """The directive that hands a request to the location of its rule: method, body and path stay as they are."""
        return f"error_page {JUMP} = {self.variable};"

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self.targets)

    # Rules

    def _fill(self) -> None:
        rules = rules_of(self.site)
        if not rules:
            return
        for of in (of for rule in rules for of in (rule.match.all_of, rule.match.none_of) if of is not None):
            self._uses.update([of.paths, *of.headers, *of.query, *of.cookies])
        written = [one for route in rules for one in self._written(route)]
        size = max(_IN_ONE_MAP, -(-len(written) // _MOST_MAPS))
        parts: list[list[Row]] = [[]]
        for one in written:
            if parts[-1] and (len(parts[-1]) == size or len(text_of(fields_of([*parts[-1], one]))) > _LONGEST):
                parts.append([])
            parts[-1].append(one)
        if len(parts) > _DEEPEST:
            raise InputError(f"{self.site.name} has more rules than nginx can try", where=self.site.where)
        if self._networks:
            self.maps.insert(0, self._geo())
        for number, part in enumerate(parts, start=1):
            fields = fields_of(part)
            rows = tuple((literal(f"~{regex_of(fields, *tests)}"), name) for tests, name in part)
            last = number == len(parts)
            default = '""' if last else self.variables.named(f"rule{number + 1}")
            self.maps.append(Map(text_of(fields), self.variables.named(f"rule{number}"), rows, default))

    def _written(self, route: Route) -> Iterator[Row]:
        """Yield what a rule tests, with its location; for each path that is stripped, the longest first."""
        of, none = route.match.all_of, route.match.none_of
        stripped = sorted(of.paths, key=lambda one: -len(one.text)) if route.strip else []
        alternatives: list[Sequence[PathMatch]] = [(path,) for path in stripped]
        for paths in alternatives or [of.paths]:
            for inline in (_INLINE, 0):
                tests = self._tests(of, inline, paths)
                unless = self._tests(none, inline, none.paths) if none else None
                fields = fields_of([((tests, unless), "")])
                if max(len(literal(regex_of(fields, tests, unless))), len(text_of(fields))) < _LONGEST:
                    break
            else:
                raise InputError(f"{self.site.name}: nginx has no room for this rule", where=route.where)
            prefix = paths[0].text if stripped and paths[0].kind is not PathKind.REGEX else EVERY_PATH.text
            yield (tests, unless), self._target(route, None if prefix == EVERY_PATH.text else prefix)

    def _target(self, route: Route, prefix: str | None) -> str:
        """Return the location of a rule; rules that do the same share it."""
        does = (route.action, route.tuning, prefix)
        if does not in self._named:
            self._named[does] = f"@stackctl_{len(self.targets) + 1}"
            self.targets.append(Target(self._named[does], route, prefix))
        return self._named[does]

    # Conditions

    def _tests(self, of: Conditions, inline: int, paths: Sequence[PathMatch]) -> Tests:
        tests: Tests = {}

        def add(variable: str, regex: str) -> None:
            tests.setdefault(variable, []).append(regex)

        if of.methods:
            add("$request_method", any_of(map(re.escape, of.methods)))
        for header in of.headers:
            variable = f"$http_{header.name.replace('-', '_')}"
            add(variable, self._field(add, header, _Line(variable, is_text), inline))
        for one in of.query:
            variable = self._said("$args", first_parameter(one.name))
            add(variable, self._field(add, one, _Line(variable, is_parameter, "="), inline))
        for one in of.cookies:
            variable = self._said("$http_cookie", first_cookie(one.name))
            add(variable, self._field(add, one, _Line(variable, is_cookie, "="), inline))
        if of.sources:
            number = self._networks.setdefault(of.sources, len(self._networks) + 1)
            add(self.variables.named("source"), f"{ANY},{number},{ANY}")
        if paths and EVERY_PATH not in paths:
            self._paths(add, paths, inline)
        return tests

    def _field(self, add: _Add, wanted: FieldMatch, line: _Line, inline: int) -> str:
        """Return what the line of a field must be; what cannot be said there is added as a test of its own."""
        parts = [finding(one.text) if one.regex else line.written(one.text) for one in wanted.values]
        choices = self._choices(wanted, parts, inline)
        if choices:
            # A regex may find an empty text, and an empty header is none.
            before = NOT_EMPTY if not line.sign and any(one.regex for one in wanted.values) else line.sign
            return f"{before}{choices}"
        if wanted.values:
            value = line.variable
            if line.sign:
                value = self._bit("value", Map(value, "", ((literal("~^=(.*)"), '"$1"'),)))
            rows = [_row(text, line.written) for text in wanted.values]
            if any(is_value("", text, line.written) for text in wanted.values):
                # nginx tries no regex for an empty text.
                rows.append(('""', "1"))
            add(self._bit("is", Map(value, "", tuple(rows))), "1")
        return f"={ANY}" if line.sign else r"[^\n]+"

    def _said(self, source: str, regex: str) -> str:
        """Return the variable with the value of a parameter or a cookie behind ``=``; empty if there is none."""
        return self._bit("said", Map(source, "", ((literal(regex), '"=$1"'),)))

    def _paths(self, add: _Add, paths: Sequence[PathMatch], inline: int) -> None:
        parts = [
            finding(path.text, in_path=True) if path.kind is PathKind.REGEX else path_regex(path) for path in paths
        ]
        choices = self._choices(tuple(paths), parts, inline)
        if choices:
            add(PATH, choices)
            return
        rows = ((f"~{path.text}" if path.kind is PathKind.REGEX else f"~^{path_regex(path)}", "1") for path in paths)
        add(self._bit("is", Map(PATH, "", tuple((literal(key), one) for key, one in rows))), "1")

    def _choices(self, condition: _Condition, parts: Sequence[str | None], inline: int) -> str | None:
        """Return the values of a condition as a part of the regex of a rule; None if they need a map of their own."""
        found = [one for one in parts if one is not None]
        choices = any_of(found)
        if not parts or len(found) < len(parts) or len(choices) > inline:
            return None
        is_costly = any(one.startswith(FINDS) for one in found)
        return None if is_costly and self._uses[condition] > _OFTEN else choices

    def _bit(self, what: str, made: Map) -> str:
        """Return the variable of a map, which is rendered once."""
        if made not in self._known:
            name = self.variables.named(f"{what}{len(self._known) + 1}")
            self._known[made] = name
            self.maps.append(Map(made.source, name, made.rows))
        return self._known[made]

    def _geo(self) -> Map:
        """Return the numbers of all lists of networks that have the client's address.

        nginx takes the smallest network that has it, so each network also has the numbers of those around it.
        """
        rows = []
        for network in sorted({one for networks in self._networks for one in networks}, key=str):
            numbers = [
                str(number)
                for networks, number in self._networks.items()
                if any(one.version == network.version and network.subnet_of(one) for one in networks)  # type: ignore[arg-type]
            ]
            rows.append((str(network), f'",{",".join(numbers)},"'))
        return Map("", self.variables.named("source"), tuple(rows), kind="geo")


def _row(text: Text, written: Callable[[str], str]) -> tuple[str, str]:
    return literal(f"~{text.text}" if text.regex else rf"~^{written(text.text)}\z"), "1"
