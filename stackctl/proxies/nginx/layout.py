"""nginx: where its files are."""

from __future__ import annotations

from stackctl.model.layout import CUSTOM_FOLDER, LIVE, Place, site_file
from stackctl.proxies.proxy import ProxyLayout

NGINX = Place("nginx", "/etc/nginx")
CUSTOM = NGINX / CUSTOM_FOLDER
"""The user's own files."""

MAIN = "nginx.conf"
DRAINING = NGINX / "draining"
"""While this file is there, the proxy tells the load balancer that this host takes no more requests."""

SITES = "sites"
SNIPPETS = "snippets"
STREAMS = "streams"
HEALTH = "health"
USERS = "users"
"""In a generation: the files with hashed passwords, by their digests. Only their owner and root read them there."""

OWN = "/run/stackctl"
"""In the container: where its program has a link to the files that nginx loads, and what it knows of servers."""

HEALTH_STATE = f"{OWN}/{HEALTH}"

CUSTOM_HTTP = "http.conf"
"""The user's own file for the ``http`` block."""

TEMPORARY = "/var/cache/nginx"
"""In the container: bodies that do not fit into memory, and caches of the user's. On disk, in a volume."""

SMALL = "16m"
"""Size of each folder that is in memory. nginx keeps its process id there, and the user perhaps a socket."""

_SERVER_END, _LOCATION_END = ".conf", ".location.conf"

DEFINITIONS = f"{SNIPPETS}/*.http"
"""What files of sites refer to, each in a file of its own."""

LAYOUT = ProxyLayout(
    place=NGINX,
    entry_points={name: f"{LIVE}/{name}" for name in (MAIN, SITES, SNIPPETS, STREAMS)},
    folders=(SITES, STREAMS),
    custom_files=("*.conf", "*.ca.pem"),
    secret=(USERS,),
    marker=f"{SNIPPETS}/generation.conf",
    tmpfs=("/run", "/tmp", TEMPORARY),  # noqa: S108  (inside the container)
    custom_ends=(_SERVER_END, _LOCATION_END),
    definitions=DEFINITIONS,
    draining=DRAINING.name,
)


def custom_site(site: str) -> str:
    """Return the name of the user's own file for a site's server."""
    return f"{site_file(site)}{_SERVER_END}"


def custom_location(site: str) -> str:
    """Return the name of the user's own file for the location of a site that passes requests on."""
    return f"{site_file(site)}{_LOCATION_END}"
