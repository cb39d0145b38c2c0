"""nginx: renders the files that all sites share."""

from __future__ import annotations

from types import MappingProxyType

from stackctl.model.backends import Speaks
from stackctl.model.layout import MARKER_HOST
from stackctl.model.logs import LogFormat
from stackctl.model.routing import Site
from stackctl.model.stack import Stack
from stackctl.proxies.nginx.access import access_variables, users_files
from stackctl.proxies.nginx.behind import behind_snippets, front
from stackctl.proxies.nginx.capabilities import Capabilities, Version
from stackctl.proxies.nginx.clients import client_files
from stackctl.proxies.nginx.custom import BEFORE_MAPS, http_copy
from stackctl.proxies.nginx.directives import text_of
from stackctl.proxies.nginx.edge import edge_variables, shared_edge
from stackctl.proxies.nginx.health import SERVERS, program
from stackctl.proxies.nginx.log import TLS
from stackctl.proxies.nginx.own import (
    buffer_lines,
    giving_way,
    needs_buffering,
    shared_header_lines,
)
from stackctl.proxies.nginx.pages import page_files, unknown_lines
from stackctl.proxies.nginx.rates import uncounted
from stackctl.proxies.nginx.snippets import (
    challenge,
    grpc_snippet,
    own_directives,
    own_snippets,
    proxy_snippet,
    removed_snippet,
)
from stackctl.proxies.nginx.streams import hops, https_listens, https_snippet, quic_listens, streams_snippets
from stackctl.proxies.nginx.tls import tls_snippet
from stackctl.proxies.nginx.variables import most_variables
from stackctl.proxies.proxy import Files
from stackctl.proxies.resolving import resolver_seconds
from stackctl.templates import render


def shared_files(
    stack: Stack, version: Version, *, custom: bytes | None, own_hosts: int = 0, files: Files = MappingProxyType({})
) -> Files:
    """Return ``nginx.conf``, the snippets, and ``snippets/http.custom``, the copy of ``custom/http.conf``.

    ``own_hosts`` is how many upstream groups the user's ``files`` may need.
    """
    able = Capabilities.of(version)
    snippets = own_snippets()
    own = own_directives(custom, files)
    early = tuple(one for one in own if one.name in BEFORE_MAPS)
    own = tuple(one for one in own if one not in early)
    variables = sum(map(_variables_of, stack.sites))
    resolver_valid = resolver_seconds(stack)
    listens = https_listens(stack, able)
    streams = streams_snippets(stack, able, resolver_valid)
    edge_values, edge = shared_edge(stack)
    conf = render(
        "nginx/nginx.conf.j2",
        http2=able.http2,
        shared_zone=able.upstream_resolve,
        keepalive_min_timeout=able.keepalive_min_timeout,
        names_hash_size=_power_of_two(max(512, 2 * sum(len(site.domains) for site in stack.sites))),
        # Names of a site's own variables are long: the default rows of 64 bytes would hold one each.
        variables_hash_size=_power_of_two(max(1024, 2 * variables)) if variables else None,
        zone_size=_zone_size(stack, own_hosts),
        resolver_valid=resolver_valid,
        proxy=stack.proxy,
        **front(stack),
        listens=(*listens, *quic_listens(stack, default=True)),
        passes=bool(stack.passthroughs),
        left=SERVERS if any(stack.checked) else "",
        hops=hops(stack, able),
        streams=bool(streams),
        keep_old_connections=stack.keep_old_connections,
        sent=_SENT_BY_CLIENTS if stack.log is LogFormat.JSON else (),
        custom=custom is not None,
        unknown=unknown_lines(stack.unknown),
        unknown_site=stack.unknown.site,
        marker_host=MARKER_HOST,
        headers=shared_header_lines(snippets, own),
        buffers=buffer_lines(own),
        stores=needs_buffering(own),
        before_maps=text_of(early).splitlines(),
        **edge_values,
    )
    rendered = {
        "nginx.conf": giving_way(conf, own, 4),
        "snippets/acme.conf": challenge(uncounted(stack.sites)),
        "snippets/https.conf": https_snippet(stack, listens),
        "snippets/proxy.conf": proxy_snippet(),
        "snippets/removed.conf": removed_snippet(),
        **({"snippets/grpc.conf": grpc_snippet()} if any(map(_speaks_grpc, stack.sites)) else {}),
        **streams,
        **(behind_snippets(stack) | edge),
        "snippets/tls.conf": giving_way(tls_snippet(stack), own, 0),
    }
    copy = {} if custom is None else {"snippets/http.custom": http_copy(stack, custom, resolves=able.upstream_resolve)}
    copies = {**page_files(stack), **users_files(stack), **client_files(stack), **program(stack), **copy}
    return {**copies, **{path: text.encode() for path, text in rendered.items()}}


_SENT_BY_CLIENTS = (
    ("$log_user", "$remote_user", ()),
    ("$log_host", "$host", ()),
    ("$log_request", "$request", ((r"~^\x16\x03", TLS),)),
    ("$log_referer", "$http_referer", ()),
    ("$log_agent", "$http_user_agent", ()),
)
"""The variables of the log that may have any bytes, which nginx writes as they are; and what is written for some.

The handshake of TLS is no text, but which port it comes to by mistake can be seen from it.
"""


def _variables_of(site: Site) -> int:
    return most_variables(site) + edge_variables(site) + access_variables(site)


def _speaks_grpc(site: Site) -> bool:
    return any(server.speaks is Speaks.GRPC for server in site.servers)


def original_of(path: str) -> str:
    """Return ``custom/DOMAIN.conf`` for its copy ``sites/DOMAIN.custom``, ``custom/DOMAIN.location.conf`` likewise.

    A written file is its own source.
    """
    if path == "snippets/http.custom":
        return "custom/http.conf"
    if path.startswith("sites/") and path.endswith(".custom"):
        return f"custom/{path.removeprefix('sites/').removesuffix('.custom')}.conf"
    if path.startswith("sites/") and path.endswith(".location"):
        return f"custom/{path.removeprefix('sites/')}.conf"
    return path


def _zone_size(stack: Stack, own_hosts: int) -> int:
    """Return the size of the zone of all upstreams, in KB."""
    servers = sum(max(1, len(site.servers)) for site in stack.sites)
    # A group without those that fail may be there beside each that is checked.
    twice = sum(len(site.servers) for site, *_ in stack.checked)
    return _power_of_two(max(256, 8 * (servers + twice + own_hosts)))


def _power_of_two(at_least: int) -> int:
    """Round up, so that one more site rarely changes a shared file."""
    return 1 << (at_least - 1).bit_length()
