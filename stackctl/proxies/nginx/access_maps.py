"""nginx: which rules are for a request, and what it still needs, as maps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from stackctl.model.access import Access, skip_pattern
from stackctl.model.matching import Network, PathKind, PathMatch, is_within
from stackctl.model.routing import Site
from stackctl.proxies.nginx.lines import path_regex
from stackctl.proxies.nginx.maps import Map
from stackctl.proxies.nginx.quoting import literal
from stackctl.proxies.nginx.rules import Rules
from stackctl.proxies.nginx.variables import Variables

REFUSE, PASSWORD, LOG_IN = "refuse", "p", "l"
"""Values of ``must``: the request is refused, or needs what their letters say."""


class AccessMaps:
    """The maps for the rules of one site, which are ``found``."""

    def __init__(self, site: Site, variables: Variables, found: Sequence[Access]) -> None:
        self._site = site
        self._variables = variables
        self._found = found

    def named(self, what: str) -> str:
        """Return the variable for ``what``."""
        return self._variables.named(f"access{what}")

    @property
    def must(self) -> str:
        """The variable that says what a request needs."""
        return self.named("must")

    @property
    def number(self) -> str:
        """The number of the rules for a request, as a parameter."""
        return self.named("") if len(self._found) > 1 else "0"

    def all(self, rules: Rules) -> list[Map]:
        """Return all of them; ``rules`` are those of the site's routes."""
        return [*self._numbers(rules), *self._skips(), *self._sources(), self._must()]

    def _numbers(self, rules: Rules) -> Iterator[Map]:
        if len(self._found) == 1:
            return
        numbers = {access: number for number, access in enumerate(self._found)}
        around = self._site.tuning
        paths: list[tuple[PathMatch, int]] = [
            (path, numbers[(route.tuning or around).access])
            for route in self._site.routes
            if not route.is_rule
            for path in route.match.all_of.paths
        ]
        paths.sort(key=lambda one: (one[0].kind is not PathKind.EXACT, -len(one[0].text)))
        rows = tuple((literal(f"~^{path_regex(path)}"), str(number)) for path, number in paths)
        by_path = self.named("path") if rules else self.named("")
        yield Map("$uri", by_path, rows, "0")
        if rules:
            targets = (
                (f'"{target.name}"', str(numbers[(target.route.tuning or around).access]))
                for target in rules.targets.found
            )
            yield Map(rules.targets.place, self.named(""), tuple(targets), by_path)

    def _skips(self) -> Iterator[Map]:
        for number, one in enumerate(self._found):
            if one.skip:
                rows = ((literal(f"~{skip_pattern(one)}"), f'"s{number},"'),)
                yield Map("$request_uri", self.named(f"skip{number}"), rows)

    def _sources(self) -> Iterator[Map]:
        networks = dict.fromkeys(net for one in self._found for net in (*one.allow, *one.deny))
        if networks:
            rows = tuple((str(net), f'",{self._about(net)}"') for net in sorted(networks, key=str))
            yield Map("", self.named("from"), rows, kind="geo")

    def _about(self, net: Network) -> str:
        """Return in which lists a network is: nginx takes the smallest that has an address, so those around count."""
        marks = []
        for number, one in enumerate(self._found):
            marks += [f"{kind}{number}," for kind, nets in (("d", one.deny), ("i", one.allow)) if is_within(net, nets)]
        return "".join(marks)

    def _must(self) -> Map:
        """Return what a request needs: ``refuse``, nothing, or ``p`` for a password and ``l`` for a log-in."""
        skips = "".join(f"${{{self.named(f'skip{number}')[1:]}}}" for number, one in enumerate(self._found) if one.skip)
        lists = any(one.allow or one.deny for one in self._found)
        source = f'"{self.number} {skips} {self.named("from") if lists else ""}"'
        rows: list[tuple[str, str]] = []
        for number, one in enumerate(self._found):
            begins = rf"~^{number} "
            needs = (PASSWORD if one.users else "") + (LOG_IN if one.forward else "") or '""'
            if one.deny:
                rows.append((literal(f"{begins}.*,d{number},"), REFUSE))
            if one.skip:
                rows.append((literal(f"{begins}[^ ]*s{number},"), '""'))
            if one.allow:
                inside = literal(f"{begins}.*,i{number},")
                rows.append((inside, '""' if one.satisfies_any else needs))
            closed = bool(one.allow) and not one.satisfies_any
            rows.append((literal(begins), REFUSE if closed else needs))
        # What no row is for cannot be; it would be refused.
        return Map(source, self.named("must"), tuple(rows), REFUSE)
