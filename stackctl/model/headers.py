"""Headers that the proxy sets or removes, in responses and in requests."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum


class Preset(StrEnum):
    """Sets of response headers for security."""

    BASIC = "basic"
    STRICT = "strict"


YEAR = 31_536_000

PRESETS = {
    Preset.BASIC: {
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "SAMEORIGIN",
        "Referrer-Policy": "strict-origin-when-cross-origin",
    },
    Preset.STRICT: {
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
    },
}
"""The headers of each preset, as OWASP's HTTP Headers Cheat Sheet recommends them: each where the app sends none.

A Content-Security-Policy is not among them: only the app knows what its pages load.
"""


@dataclass(frozen=True, slots=True)
class Hsts:
    """``Strict-Transport-Security`` (RFC 6797), which is sent over HTTPS only.

    Attributes:
        seconds: how long browsers use HTTPS alone; 0 makes them forget it.
        subdomains: whether that is for all names below too.
        preload: whether the name may be in the list that browsers ship with.
    """

    seconds: int
    subdomains: bool = False
    preload: bool = False

    def __str__(self) -> str:
        more = "; includeSubDomains" if self.subdomains else ""
        return f"max-age={self.seconds}{more}{'; preload' if self.preload else ''}"


@dataclass(frozen=True, slots=True)
class Changes:
    """Headers of one direction; no name is in both, in any case of its letters.

    Attributes:
        set: each replaces what is there.
        remove: names.
    """

    set: tuple[tuple[str, str], ...] = ()
    remove: tuple[str, ...] = ()

    def under(self, inner: Changes) -> Changes:
        """Return the changes of a block inside of the one that has these."""
        names = {name.lower() for name in inner.names}
        return Changes(
            (*(pair for pair in self.set if pair[0].lower() not in names), *inner.set),
            (*(name for name in self.remove if name.lower() not in names), *inner.remove),
        )

    @property
    def names(self) -> tuple[str, ...]:
        """All of the headers."""
        return (*(name for name, _ in self.set), *self.remove)

    def without(self, names: Iterable[str]) -> Changes:
        """Return those that are not about ``names``, which are in lower case."""
        other = frozenset(names)
        return Changes(
            tuple(pair for pair in self.set if pair[0].lower() not in other),
            tuple(name for name in self.remove if name.lower() not in other),
        )


@dataclass(frozen=True, slots=True)
class Headers:
    """What is done with the headers of a site or a route.

    Attributes:
        preset: response headers that are set where the app does not send them itself; None for none.
        hsts: replaces that of the app; None leaves it.
        response: what replaces, or removes, headers of the app's answers; the proxy's own answers get them too.
        request: the same for what the app gets.
    """

    preset: Preset | None = None
    hsts: Hsts | None = None
    response: Changes = field(default_factory=Changes)
    request: Changes = field(default_factory=Changes)

    def under(self, inner: Headers) -> Headers:
        """Return the headers of a block inside of the one that has these."""
        return replace(
            self,
            preset=inner.preset or self.preset,
            hsts=inner.hsts or self.hsts,
            response=self.response.under(inner.response),
            request=self.request.under(inner.request),
        )

    @property
    def defaults(self) -> dict[str, str]:
        """The response headers of the preset that nothing else sets or removes."""
        own = {name.lower() for name in self.response.names}
        found = PRESETS[self.preset] if self.preset else {}
        return {name: value for name, value in found.items() if name.lower() not in own}
