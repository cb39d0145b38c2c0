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
from stackctl.model.matching import EVERY_PATH, Conditions, FieldMatch, Network, PathKind, PathMatch, Text, is_within
from stackctl.model.router import rules_of
from stackctl.model.routing import Route, Site
from stackctl.proxies.nginx.lines import (
    ANY,
    FINDS,
    LAST,
    LINE,
    NOT_EMPTY,
    PARAMETER,
    PATH,
    Row,
    Tests,
    any_of,
    cookie_line,
    fields_of,
    finding,
    first_cookie,
    first_parameter,
    parameter_line,
    path_regex,
    regex_of,
    text_of,
)
from stackctl.proxies.nginx.maps import Map
from stackctl.proxies.nginx.quoting import literal
from stackctl.proxies.nginx.targets import Targets
from stackctl.proxies.nginx.variables import Variables

JUMP = 599
"""The status that no client sees: it hands a request to the location of its rule."""

_IN_ONE_MAP = 32
_MOST_MAPS, _DEEPEST = 60, 90
"""How many are aimed at, and how many there may be: nginx follows variables that name each other to a depth of 100."""

_LONGEST = 3000
"""Of a parameter; nginx takes 4095 bytes."""

_INLINE = 400
"""Of the values of one condition; more have a map of their own."""

_OFTEN = 16
"""How many rules may each look for the same in a value; more share what was found."""


_Add = Callable[[str, str], None]
_Condition = FieldMatch | Sequence[PathMatch]
_Use = _Condition | tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Line:
    """The line of a field: its value behind ``sign``, and how a value is written there."""

    variable: str
    written: Callable[[str], str]
    sign: str = ""


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Names with values in one field: in which variable, how a value is written, and the regexes of one pair.

    Attributes:
        first: captures the value of the first pair with a name.
        line: is the whole field, in which that pair has a value.
        ends: what ends a value; empty where that is not one character.
    """

    source: str
    written: Callable[[str], str]
    first: Callable[[str], str]
    line: Callable[[str, str | None], str]
    ends: str = ""


_QUERY = _Pairs("$args", is_parameter, first_parameter, parameter_line, PARAMETER)
_COOKIES = _Pairs("$http_cookie", is_cookie, first_cookie, cookie_line)


@dataclass
class Rules:
    """The rules of a site."""

    site: Site
    variables: Variables
    targets: Targets
    maps: list[Map] = field(default_factory=list)
    _known: dict[Map, str] = field(default_factory=dict)
    _networks: dict[tuple[Network, ...], int] = field(default_factory=dict)
    _uses: Counter[_Use] = field(default_factory=Counter)

    @classmethod
    def of(cls, site: Site, variables: Variables) -> Rules:
        """Return the rules of a site, with their maps.

        Raises:
            InputError: nginx has no room for a rule, or for so many.
        """
        rules = rules_of(site)
        made = cls(site, variables, Targets(variables, rules, variables.named("rule1")))
        if rules:
            made._fill(rules)
        return made

    @property
    def variable(self) -> str:
        """The variable that is empty if no rule matches."""
        return self.targets.rule

    @property
    def jump(self) -> str:
        """The directive that hands a request to the location of its rule: method, body and path stay as they are."""
        return f"error_page {JUMP} = {self.targets.place};"

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self.targets.found)

    # Rules

    def _fill(self, rules: Sequence[Route]) -> None:
        for of in (of for rule in rules for of in (rule.match.all_of, rule.match.none_of) if of is not None):
            self._uses.update([of.paths, *of.headers, *of.query, *of.cookies])
            self._uses.update((_QUERY.source, one.name) for one in of.query)
            self._uses.update((_COOKIES.source, one.name) for one in of.cookies)
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
        self.maps += self.targets.maps()

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
            yield (tests, unless), self.targets.of(route, None if prefix == EVERY_PATH.text else prefix)

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
            self._pair(add, one, _QUERY, inline)
        for one in of.cookies:
            self._pair(add, one, _COOKIES, inline)
        if of.sources:
            number = self._networks.setdefault(of.sources, len(self._networks) + 1)
            add(self.variables.named("source"), f"{ANY},{number},{ANY}")
        if paths and EVERY_PATH not in paths:
            self._paths(add, paths, inline)
        return tests

    def _pair(self, add: _Add, wanted: FieldMatch, pairs: _Pairs, inline: int) -> None:
        """Add the test of a parameter or a cookie, in the list of all or in a line of its own."""
        parts = [
            pairs.written(one.text) if not one.regex else finding(one.text, pairs.ends) if pairs.ends else None
            for one in wanted.values
        ]
        choices = self._choices(wanted, parts, inline)
        if (choices or not wanted.values) and self._uses[pairs.source, wanted.name] <= _OFTEN:
            add(pairs.source, pairs.line(wanted.name, choices))
            return
        said = Map(pairs.source, "", ((literal(pairs.first(wanted.name)), '"=$1"'),))
        variable = self._bit("said", said)
        add(variable, self._field(add, wanted, _Line(variable, pairs.written, "="), inline))

    def _field(self, add: _Add, wanted: FieldMatch, line: _Line, inline: int) -> str:
        """Return what the line of a field must be; what cannot be said there is added as a test of its own."""
        parts = [finding(one.text, LINE) if one.regex else line.written(one.text) for one in wanted.values]
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

    def _paths(self, add: _Add, paths: Sequence[PathMatch], inline: int) -> None:
        parts = [finding(path.text, LAST) if path.kind is PathKind.REGEX else path_regex(path) for path in paths]
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
            numbers = [str(number) for networks, number in self._networks.items() if is_within(network, networks)]
            rows.append((str(network), f'",{",".join(numbers)},"'))
        return Map("", self.variables.named("source"), tuple(rows), kind="geo")


def _row(text: Text, written: Callable[[str], str]) -> tuple[str, str]:
    return literal(f"~{text.text}" if text.regex else rf"~^{written(text.text)}\z"), "1"
