"""HAProxy: where its files are, and what its sections are called."""

from __future__ import annotations

import re

from stackctl.model.layout import CUSTOM_FOLDER, LIVE, Place, site_file, site_of_file
from stackctl.model.values import Domain
from stackctl.proxies.proxy import ProxyLayout

HAPROXY = Place("haproxy", "/etc/haproxy")
CUSTOM = HAPROXY / CUSTOM_FOLDER
"""The user's own files."""

MAIN = "haproxy.cfg"
FRONTEND = "frontend.cfg"
GENERATION = "generation.cfg"
SECTIONS = "sections.cfg"
"""The copy of the user's own sections."""

SITES = "sites"
MAPS = "maps"
PAGES = "pages"
CERTS = "maps/certs.list"
LUA = "edge.lua"

CUSTOM_FRONTEND, CUSTOM_SECTIONS = FRONTEND, SECTIONS
"""The user's own files that are of no site: lines of the frontend, and whole sections."""

OWN = "/run/stackctl"
"""In the container: where its program has a link to the files that HAProxy loads, its sockets, and its state."""

MASTER = f"{OWN}/master.sock"
STATE = f"{OWN}/state"
"""The addresses of the servers, which a reload takes over."""

WORKER_UID = 10001
"""The user of the workers: no image has to have one, and none owns a file."""

MARKER_ROUTE = "stackctl:generation"

_NOT_IN_KEYS = re.compile(r"[\x00-\x20\x7f%]")

LAYOUT = ProxyLayout(
    place=HAPROXY,
    entry_points={name: f"{LIVE}/{name}" for name in (MAIN, FRONTEND, SITES, MAPS)},
    folders=(SITES, MAPS),
    custom_files=("*.cfg", "*.ca.pem"),
    marker=GENERATION,
    tmpfs=("/run", "/tmp"),  # noqa: S108  (inside the container)
    custom_ends=(".cfg",),
)


def custom_site(site: str) -> str:
    """Return the name of the user's own file for the back ends of a site."""
    return f"{site_file(site)}.cfg"


def backend_of(site: str, part: str | int = "") -> str:
    """Return the name of a back end of a site; without ``part`` that of the requests that no other one is for."""
    return f"{site_file(site)}{f':{part}' if part != '' else ''}"


def site_of_backend(name: str) -> Domain:
    """Return the site that a back end belongs to."""
    return Domain(site_of_file(name.partition(":")[0]))


def map_key(path: str) -> str:
    """Return a path as a key of a map, which ends at white space; edge.lua writes the path of a request so too."""
    return _NOT_IN_KEYS.sub(lambda char: f"%{ord(char[0]):02X}", path)
