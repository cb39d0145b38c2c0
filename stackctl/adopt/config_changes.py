"""What clients and apps see differently: the old configuration compared with the new one, site by site."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from stackctl.adopt.kept import headers_in_force
from stackctl.adopt.nginx_conf import NginxConf, ServerBlock
from stackctl.adopt.proposal import Handling, Proposal, ProposedSite, Remark
from stackctl.model.endpoints import HTTP_PORT, HTTPS_PORT
from stackctl.proxies.nginx.directives import Directive, every, first, named, seconds
from stackctl.wording import listed

Levels = Sequence[Sequence[Directive]]

REDIRECTED = "HTTP is redirected to HTTPS with"
"""How the remark about the statuses of redirects begins."""

_REWRITTEN = {"permanent": "301", "redirect": "302"}
"""The status of a redirect by ``rewrite``, by its last parameter."""

_SEVERAL = 3
"""A difference of more sites than this is reported once for all."""


@dataclass(frozen=True, slots=True)
class _Setting:
    """A setting of the route to an app: nginx's default, and what a change of it means."""

    default: str
    text: str


_SETTINGS = {
    "client_max_body_size": _Setting("1m", "the largest request body is {new}, not {old}"),
    "proxy_connect_timeout": _Setting("60s", "the app has {new} to accept a connection, not {old}"),
    "proxy_read_timeout": _Setting("60s", "the app has {new} between two parts of a response, not {old}"),
    "proxy_send_timeout": _Setting("60s", "the app has {new} between two parts of a request, not {old}"),
    "proxy_buffering": _Setting("on", "responses are passed on as they arrive, not collected first"),
    "proxy_request_buffering": _Setting("on", "requests are passed on as they arrive, not collected first"),
    "proxy_http_version": _Setting("1.0", "the app is asked over HTTP/{new}, not HTTP/{old}"),
    "gzip": _Setting("off", "compression of responses is {new}, not {old}"),
    "server_tokens": _Setting("on", "the version of nginx is not shown in responses (server_tokens {new})"),
    "keepalive_timeout": _Setting("75s", "an idle connection of a client is kept for {new}, not {old}"),
}


def config_changes(old: NginxConf, new: NginxConf, proposal: Proposal) -> tuple[Remark, ...]:
    """Return a remark for each difference, with the sites that it applies to."""
    found: dict[str, list[ProposedSite]] = {}
    for site in proposal.sites:
        for text in dict.fromkeys(_of_site(old, new, site)):
            found.setdefault(text, []).append(site)
    remarks = []
    for text, sites in found.items():
        everywhere = len(sites) == len(proposal.sites) > 1 or len(sites) > _SEVERAL
        names = f"all {len(sites)} sites" if everywhere else listed([str(site.name) for site in sites])
        remarks.append(Remark(Handling.CHANGED, f"{names}: {text}", "" if everywhere else sites[0].at))
    return tuple(remarks)


def _of_site(old: NginxConf, new: NginxConf, site: ProposedSite) -> Iterator[str]:
    port = HTTPS_PORT if site.lineage or site.imported else HTTP_PORT
    one, other = _server(old, site, port), _server(new, site, port)
    if one is None or other is None:
        return
    before, after = _levels(old, one), _levels(new, other)
    for name, setting in _SETTINGS.items():
        was, is_now = _value(before, name, setting.default), _value(after, name, setting.default)
        if was != is_now:
            yield setting.text.format(old=was, new=is_now)
    yield from _headers(before, after)
    if port == HTTPS_PORT:
        if _http2(new, other) and not _http2(old, one):
            yield "HTTP/2 is offered"
        yield from _redirects(old, new, site)


def _server(conf: NginxConf, site: ProposedSite, port: int) -> ServerBlock | None:
    return conf.named_at(site.name, port) or conf.default(port)


def _levels(conf: NginxConf, server: ServerBlock) -> Levels:
    location = next((one.inner for one in named(server.body, "location") if one.args == ("/",)), ())
    return location, server.body, conf.settings


def _value(levels: Levels, name: str, default: str) -> str:
    found = next((one for level in levels if (one := first(level, name)) is not None), None)
    if found is None:
        return default
    if name.endswith("_timeout"):
        return seconds(found.arg) or found.arg
    return found.arg.lower() if name == "client_max_body_size" else found.arg


def _headers(before: Levels, after: Levels) -> Iterator[str]:
    """Compare the request headers that the app gets, without those that are removed or empty in both."""
    was, is_now = _sent(before), _sent(after)
    if "upgrade" in is_now and "upgrade" not in was:
        yield "WebSockets pass"
    for name in ("upgrade", "connection"):
        was.pop(name, None)
        is_now.pop(name, None)
    shown = {name.lower(): name for level in (*before, *after) for name in _names(level)}
    added = [shown[name] for name, value in is_now.items() if name not in was and value]
    removed = [shown[name] for name, value in is_now.items() if name not in was and not value]
    lost = [shown[name] for name in was if name not in is_now]
    if added:
        yield f"the app also gets {listed(added)}"
    if lost:
        yield f"the app no longer gets {listed(lost)}"
    for name in was:
        if name in is_now and _plain(was[name]) != _plain(is_now[name]):
            yield f"the app gets {shown[name]} as {is_now[name] or 'nothing'}, not as {was[name] or 'nothing'}"
    if removed:
        yield f"a client's own {listed(removed)} no longer reaches the app"


def _plain(value: str) -> str:
    """Return a value in one form: with the usual ports these are the same."""
    return "$host" if value in {"$http_host", "$host$edge_port_suffix"} else value


def _names(level: Iterable[Directive]) -> Iterator[str]:
    return (one.arg for one in named(level, "proxy_set_header"))


def _sent(levels: Levels) -> dict[str, str]:
    return {one.arg.lower(): one.args[-1] for one in headers_in_force(*levels) if len(one.args) > 1}


def _http2(conf: NginxConf, server: ServerBlock) -> bool:
    found = first([*server.body, *conf.settings], "http2")
    return (found is not None and found.arg == "on") or any("http2" in one.options for one in server.listens)


def _redirects(old: NginxConf, new: NginxConf, site: ProposedSite) -> Iterator[str]:
    """Compare the statuses with which HTTP redirects to HTTPS."""
    one, other = _server(old, site, HTTP_PORT), _server(new, site, HTTP_PORT)
    was, is_now = _statuses(one), _statuses(other)
    if was and is_now and was != is_now:
        yield f"{REDIRECTED} {listed(is_now)}, by method, not with {listed(was)}"


def _statuses(server: ServerBlock | None) -> list[str]:
    found = list(every(server.body)) if server is not None else []
    returned = {one.arg for one in found if one.name == "return" and len(one.args) > 1 and one.arg.startswith("3")}
    flags = {one.args[-1] for one in found if one.name == "rewrite"}
    return sorted(returned | {status for flag, status in _REWRITTEN.items() if flag in flags})
