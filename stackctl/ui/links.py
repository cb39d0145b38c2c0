"""How the page is opened: the link, and from afar the tunnel to it; pure."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

TUNNEL_PORT = 8976
"""The port on the user's computer of a tunnel to a socket."""

LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""The addresses that the page may listen on."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the page listens: an address of this host with a port, or a Unix socket."""

    host: str = "127.0.0.1"
    port: int = 0
    socket: str | None = None

    @property
    def origin(self) -> str:
        """The address in the browser; that of a socket is the tunnel's."""
        if self.socket is not None:
            return f"http://localhost:{TUNNEL_PORT}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    def link(self, token: str) -> str:
        """Return the link that opens the page."""
        return f"{self.origin}/login?t={token}"


def tunnel(place: Place, environ: Mapping[str, str], user: str, host: str) -> str:
    """Return the command for the user's own computer that makes the page reachable there.

    The address is the one that the user's SSH connection came to; without one it is ``host``.
    """
    words = environ.get("SSH_CONNECTION", "").split()
    at, port = (words[2], words[3]) if len(words) == 4 else (host, "22")
    near = TUNNEL_PORT if place.socket is not None else place.port
    far = f"[{place.host}]:{place.port}" if ":" in place.host else f"{place.host}:{place.port}"
    target = place.socket if place.socket is not None else far
    return shlex.join(["ssh", "-N", *(["-p", port] if port != "22" else []), "-L", f"{near}:{target}", f"{user}@{at}"])


def is_desktop(environ: Mapping[str, str], platform: str) -> bool:
    """Return whether a browser can be opened here: there is a screen, and the user is not connected by SSH."""
    if "SSH_CONNECTION" in environ:
        return False
    return platform == "darwin" or bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))
