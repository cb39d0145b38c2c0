"""nginx: the capabilities of a version."""

from __future__ import annotations

from dataclasses import dataclass, field

Version = tuple[int, ...]

OLDEST: Version = (1, 19, 5)
"""Before it there is no ``ssl_reject_handshake`` and no ``-e``."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The capabilities of an nginx; versions from https://nginx.org/en/CHANGES."""

    http2_directive: bool
    upstream_resolve: bool
    keepalive_min_timeout: bool
    http2_upstream: bool
    sticky: bool
    stream_pass: bool
    version: str = field(default="", compare=False)

    @classmethod
    def of(cls, version: Version) -> Capabilities:
        """Return the capabilities of ``version``."""
        return cls(
            http2_directive=version >= (1, 25, 1),
            upstream_resolve=version >= (1, 27, 3),
            keepalive_min_timeout=version >= (1, 27, 4),
            http2_upstream=version >= (1, 29, 4),
            sticky=version >= (1, 29, 6),
            stream_pass=version >= (1, 25, 5),
            version=".".join(map(str, version)),
        )

    @property
    def http2(self) -> str:
        """How HTTP/2 is turned on: by its own directive, or on ``listen``."""
        return "directive" if self.http2_directive else "listen"
