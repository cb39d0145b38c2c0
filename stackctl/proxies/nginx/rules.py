"""nginx: the rules of a site as maps, the last of which yields the named location of the rule that matches.

Each map compares one line for each field that its rules ask about, with one regex for each rule: the first that matches
decides. The default of a map is the next one, which nginx evaluates only then. What a regex cannot say inside of
another, such as a regex of the user's with its own ``^``, is a map of its own with the value 1.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from stackctl.errors import InputError
from stackctl.model.fields import is_cookie, is_parameter, is_text, is_value
from stackctl.model.matching import EVERY_PATH, Conditions, FieldMatch, Network, PathKind, PathMatch, Text
from stackctl.model.paths import sent_pattern
from stackctl.model.router import rules_of
from stackctl.model.routing import Route, Site
from stackctl.proxies.nginx.maps import Map
from stackctl.proxies.nginx.quoting import literal
from stackctl.proxies.nginx.variables import Variables

JUMP = 599
"""The status that no client sees: it hands a request to the location of its rule."""

_PATH = "$uri"
_ANY = r"[^\n]*"
_IN_ONE_MAP = 16
_MOST_MAPS, _DEEPEST = 60, 90
"""How many are aimed at, and how many there may be: nginx follows variables that name each other to a depth of 100."""

_LONGEST = 3000
"""Of a parameter; nginx takes 4095 bytes."""

_INLINE = 400
"""Of the values of one condition; more have a map of their own."""

Tests = dict[str, list[str]]
"""What the line of a field must be: regexes, by the variable of the field."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where the requests of a rule go: its action, and what is taken off the path before.

    Attributes:
        name: of the location.
    """

    name: str
    route: Route
    prefix: str | None


@dataclass
class Rules:
    """The rules of a site."""

    site: Site
    variables: Variables
    maps: list[Map] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)
    _known: dict[Map, str] = field(default_factory=dict)
    _networks: dict[tuple[Network, ...], int] = field(default_factory=dict)

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
        written = [one for route in rules for one in self._written(route)]
        size = max(_IN_ONE_MAP, -(-len(written) // _MOST_MAPS))
        parts: list[list[tuple[tuple[Tests, Tests | None], str]]] = [[]]
        for one in written:
            if parts[-1] and (len(parts[-1]) == size or len(_source(_fields([*parts[-1], one]))) > _LONGEST):
                parts.append([])
            parts[-1].append(one)
        if len(parts) > _DEEPEST:
            raise InputError(f"{self.site.name} has more rules than nginx can try", where=self.site.where)
        if self._networks:
            self.maps.insert(0, self._geo())
        for number, part in enumerate(parts, start=1):
            fields = _fields(part)
            rows = tuple((literal(f"~{_regex(fields, *tests)}"), name) for tests, name in part)
            last = number == len(parts)
            default = '""' if last else self.variables.named(f"rule{number + 1}")
            self.maps.append(Map(_source(fields), self.variables.named(f"rule{number}"), rows, default))

    def _written(self, route: Route) -> Iterator[tuple[tuple[Tests, Tests | None], str]]:
        """Yield what a rule tests, with its location; for each path that is stripped, the longest first."""
        of, none = route.match.all_of, route.match.none_of
        stripped = sorted(of.paths, key=lambda one: -len(one.text)) if route.strip else []
        alternatives: list[Sequence[PathMatch]] = [(path,) for path in stripped]
        for paths in alternatives or [of.paths]:
            for inline in (_INLINE, 0):
                tests = self._tests(of, inline, paths)
                unless = self._tests(none, inline, none.paths) if none else None
                fields = _fields([((tests, unless), "")])
                if max(len(literal(_regex(fields, tests, unless))), len(_source(fields))) < _LONGEST:
                    break
            else:
                raise InputError(f"{self.site.name}: nginx has no room for this rule", where=route.where)
            prefix = paths[0].text if stripped and paths[0].kind is not PathKind.REGEX else EVERY_PATH.text
            yield (tests, unless), self._target(route, None if prefix == EVERY_PATH.text else prefix)

    def _target(self, route: Route, prefix: str | None) -> str:
        """Return the location of a rule; rules that do the same share it."""
        for known in self.targets:
            if (known.route.action, known.route.tuning, known.prefix) == (route.action, route.tuning, prefix):
                return known.name
        name = f"@stackctl_{len(self.targets) + 1}"
        self.targets.append(Target(name, route, prefix))
        return name

    # Conditions

    def _tests(self, of: Conditions, inline: int, paths: Sequence[PathMatch]) -> Tests:
        tests: Tests = {}

        def add(variable: str, regex: str) -> None:
            tests.setdefault(variable, []).append(regex)

        if of.methods:
            add("$request_method", _any(map(re.escape, of.methods)))
        for header in of.headers:
            variable = f"$http_{header.name.replace('-', '_')}"
            self._field(add, header, variable, variable, is_text, inline)
        for one in of.query:
            self._field(add, one, self._said("$args", _parameter(one.name)), None, is_parameter, inline)
        for one in of.cookies:
            self._field(add, one, self._said("$http_cookie", _cookie(one.name)), None, is_cookie, inline)
        if of.sources:
            number = self._networks.setdefault(of.sources, len(self._networks) + 1)
            add(self.variables.named("source"), f"{_ANY},{number},{_ANY}")
        if paths and EVERY_PATH not in paths:
            self._paths(add, paths, inline)
        return tests

    def _field(  # noqa: PLR0913  (a condition, and where its value is)
        self,
        add: Callable[[str, str], None],
        wanted: FieldMatch,
        variable: str,
        value: str | None,
        written: Callable[[str], str],
        inline: int,
    ) -> None:
        """Add the test of a field; ``value`` is the variable with its value alone, if that is not behind ``=``."""
        sign = "" if value else "="
        choices = _any(written(text.text) for text in wanted.values if not text.regex)
        if not wanted.values:
            add(variable, f"{sign}{_ANY}" if sign else r"[^\n]+")
        elif len(choices) <= inline and not any(text.regex for text in wanted.values):
            add(variable, f"{sign}{choices}")
        else:
            add(variable, f"{sign}{_ANY}" if sign else r"[^\n]+")
            alone = value or self._bit("value", Map(variable, "", ((literal("~^=(.*)"), '"$1"'),)))
            rows = [_row(text, written) for text in wanted.values]
            if any(is_value("", text, written) for text in wanted.values):
                # nginx tries no regex for an empty text.
                rows.append(('""', "1"))
            add(self._bit("is", Map(alone, "", tuple(rows))), "1")

    def _said(self, source: str, regex: str) -> str:
        """Return the variable with the value of a parameter or a cookie behind ``=``; empty if there is none."""
        return self._bit("said", Map(source, "", ((literal(regex), '"=$1"'),)))

    def _paths(self, add: Callable[[str, str], None], paths: Sequence[PathMatch], inline: int) -> None:
        choices = _any(_path(path) for path in paths if path.kind is not PathKind.REGEX)
        if len(choices) <= inline and not any(path.kind is PathKind.REGEX for path in paths):
            add(_PATH, choices)
            return
        rows = ((f"~{path.text}" if path.kind is PathKind.REGEX else f"~^{_path(path)}", "1") for path in paths)
        add(self._bit("is", Map(_PATH, "", tuple((literal(key), one) for key, one in rows))), "1")

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


def _any(choices: Iterable[str]) -> str:
    return f"(?:{'|'.join(choices)})"


def _path(path: PathMatch) -> str:
    end = r"\z" if path.kind is PathKind.EXACT else r"(?:/|\z)"
    return "" if path == EVERY_PATH else f"{re.escape(path.text)}{end}"


def _parameter(name: str) -> str:
    """Return the regex of the first parameter with a name."""
    return rf"~^(?:[^&]*&)*?{sent_pattern(name)}(?:=([^&]*))?(?:&|\z)"


def _cookie(name: str) -> str:
    """Return the regex of the first cookie with a name."""
    return rf"~^(?:[^;]*;)*?[ \t]*{re.escape(name)}=([^;]*?)[ \t]*(?:;|\z)"


# The text of a map


def _fields(part: Iterable[tuple[tuple[Tests, Tests | None], str]]) -> list[str]:
    """Return the variables that rules test, each once; the path is the last, as only it may have line breaks."""
    found = [variable for (tests, unless), _ in part for one in (tests, unless or {}) for variable in one]
    return [*dict.fromkeys(variable for variable in found if variable != _PATH), _PATH]


def _source(fields: Sequence[str]) -> str:
    return '"' + r"\n".join(f"${{{one[1:]}}}" for one in fields) + '"'


def _regex(fields: Sequence[str], tests: Tests, unless: Tests | None) -> str:
    """Return the regex of a rule for the lines of ``fields``."""
    but = "" if unless is None else f"(?!{_lines(fields, unless)})"
    return f"^{but}{_lines(fields, tests)}"


def _lines(fields: Sequence[str], tests: Tests) -> str:
    text, skipped = "", 0
    for variable in fields[:-1]:
        regexes = tests.get(variable)
        if not regexes:
            skipped += 1
            continue
        text += _skip(skipped)
        skipped = 0
        *others, last = regexes
        text += "".join(rf"(?={one}\n)" for one in others) + rf"{last}\n"
    *others, last = tests.get(_PATH) or [""]
    # What comes before the path matters only if the path does.
    return text + (_skip(skipped) if last else "") + "".join(f"(?={one})" for one in others) + last


def _skip(lines: int) -> str:
    return "" if not lines else rf"{_ANY}\n" if lines == 1 else rf"(?:{_ANY}\n){{{lines}}}"
