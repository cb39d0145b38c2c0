"""nginx: the limits of bodies in a site with rules.

nginx compares the length of a body with the limit of the location that it finds, before any rule. So there the limit is
the largest of all, and a smaller one is a condition on the length.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from stackctl.model.router import rules_of
from stackctl.model.routing import Site
from stackctl.proxies.nginx.maps import Map
from stackctl.proxies.nginx.quoting import literal
from stackctl.proxies.nginx.variables import Variables

_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


class Limits:
    """The limits of a site that are smaller than its largest."""

    def __init__(self, site: Site, variables: Variables) -> None:
        rules = rules_of(site)
        sizes = [site.tuning.body_size, *(rule.tuning.body_size for rule in rules if rule.tuning)]
        self.largest = max(sizes, key=_bytes)
        self._variables = variables
        self._known: dict[str, str] = {}

    def refusals(self, size: str) -> Iterator[str]:
        """Yield the line that refuses a longer body than ``size``; none if it is the largest limit."""
        if _bytes(size) >= _bytes(self.largest):
            return
        if size not in self._known:
            self._known[size] = self._variables.named(f"long{len(self._known) + 1}")
        yield f"if ({self._known[size]}) {{ return 413; }}"

    def maps(self) -> list[Map]:
        """Return the maps of the lengths that are too long."""
        rows = (
            (name, literal(f"~^0*(?:{'|'.join(_longer(int(_bytes(size))))})$")) for size, name in self._known.items()
        )
        return [Map("$content_length", name, ((regex, "1"),)) for name, regex in rows]


def _longer(number: int) -> Iterator[str]:
    """Yield regexes that together match each number that is greater: nginx compares texts only."""
    digits = str(number)
    yield f"[1-9][0-9]{{{len(digits)},}}"
    for position, digit in enumerate(digits):
        if digit != "9":
            rest = len(digits) - position - 1
            yield f"{digits[:position]}[{int(digit) + 1}-9][0-9]{{{rest}}}"


def _bytes(size: str) -> float:
    number, unit = (size[:-1], size[-1]) if size[-1] in _UNITS else (size, "")
    return int(number) * _UNITS[unit] or math.inf
