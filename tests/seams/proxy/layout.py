"""Where the files of the second proxy are."""

from __future__ import annotations

from stackctl.model.layout import Place
from stackctl.proxies.proxy import ProxyLayout

EDGE = Place("edge", "/srv/edge")
MAIN = "main.cfg"
HOSTS = "maps/hosts.map"
ROUTES = "maps/routes.map"
CERTS = "maps/certs.list"
REDIRECTS = "maps/redirects.list"
RULES = "rules"
COMMON = "common.rules"
"""The user's own file for all sites; ``SITE.rules`` is the one for a site."""

LAYOUT = ProxyLayout(
    place=EDGE,
    entry_points={},
    folders=(RULES,),
    custom_files=("*.rules",),
    marker="answers/generation",
    tmpfs=("/var/tmp/toy",),
)
