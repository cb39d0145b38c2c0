"""HAProxy: the files that all sites share."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from stackctl.model.backends import Backend, Canary
from stackctl.model.layout import CHALLENGES, MARKER_PATH, WEBROOT, site_file
from stackctl.model.matching import EVERY_PATH, PathKind
from stackctl.model.pages import Maintenance
from stackctl.model.routing import Site
from stackctl.model.stack import Stack, TlsPolicy, UnknownNames
from stackctl.model.tuning import Tuning
from stackctl.model.values import Domain
from stackctl.proxies.haproxy import edge, rates
from stackctl.proxies.haproxy.backends import MAINTENANCE, canary_of
from stackctl.proxies.haproxy.behind import DRAINING, NOBODY, Front
from stackctl.proxies.haproxy.layout import (
    CERTS,
    CUSTOM_FRONTEND,
    CUSTOM_SECTIONS,
    FRONTEND,
    LUA,
    MAIN,
    MAPS,
    MARKER_ROUTE,
    PAGES,
    SECTIONS,
    STATE,
    WORKER_UID,
    backend_of,
    map_key,
)
from stackctl.proxies.haproxy.log import FORMATS
from stackctl.proxies.haproxy.pages import page_answer
from stackctl.proxies.haproxy.quoting import fmt, word
from stackctl.proxies.haproxy.rules import Rules, of_site
from stackctl.proxies.haproxy.units import time
from stackctl.proxies.names import NamesOnHttp, names_on_http
from stackctl.proxies.proxy import Files, SiteTls, Version
from stackctl.proxies.removed import REMOVED
from stackctl.proxies.resolving import resolver_seconds
from stackctl.proxies.tls import CIPHERS, groups_of
from stackctl.templates import render

_LUA_BOOLEANS_SINCE = (3, 1)
_LUA_PER_THREAD_SINCE = (3, 2)
"""Earlier ones look for the file in the directory that they were started in."""

_OLDEST = {TlsPolicy.MODERN: "TLSv1.3", TlsPolicy.INTERMEDIATE: "TLSv1.2"}


def shared_files(stack: Stack, tls: Mapping[Domain, SiteTls], version: Version, custom: Mapping[str, bytes]) -> Files:
    """Return the settings of all, the frontend with its maps, and what the user wrote for all sites."""
    main = render(
        "haproxy/haproxy.cfg.j2",
        uid=WORKER_UID,
        keep_old_connections=time(stack.keep_old_connections),
        state=STATE,
        lua_booleans=version >= _LUA_BOOLEANS_SINCE,
        lua_per_thread=version >= _LUA_PER_THREAD_SINCE,
        tls={
            "policy": stack.tls.value,
            "oldest": _OLDEST[stack.tls],
            "ciphers": CIPHERS[stack.tls],
            "groups": ":".join(groups_of(stack)),
        },
        log_format=FORMATS[stack.log],
        nobody=Front(stack).nobody,
        store=NOBODY,
        counters=rates.counters(stack, custom),
        peers=rates.PEERS if rates.is_counted(stack) else "",
        compression=list(edge.compression_lines(stack, version)),
        tuning={"connect": time(Tuning().connect_timeout), "server": time(Tuning().read_timeout)},
        resolver_valid=resolver_seconds(stack),
    )
    found = {
        MAIN: main,
        LUA: render("haproxy/edge.lua.j2", challenges=CHALLENGES, webroot=WEBROOT.mount, draining=DRAINING),
        **_frontend(stack, tls, custom),
    }
    files = {path: text.encode("utf-8", "surrogateescape") for path, text in found.items()}
    files |= {f"{PAGES}/{path}": content for path, content in stack.pages.items()}
    sections = custom.get(CUSTOM_SECTIONS, b"# Nothing in haproxy/custom/sections.cfg.")
    # HAProxy refuses a file whose last line does not end.
    return {**files, SECTIONS: sections if sections.endswith(b"\n") else sections + b"\n"}


def _frontend(stack: Stack, tls: Mapping[Domain, SiteTls], custom: Mapping[str, bytes]) -> dict[str, str]:
    https, front = stack.proxy.https, Front(stack)
    names = {site.name: names_on_http(stack, site, tls[site.name]) for site in stack.sites}
    exact, prefixes = _paths(stack)
    canonical = _canonical(stack, names)
    rules = Rules()
    for site in stack.sites:
        if site.maintenance is not None:
            rules.lines += list(_maintained(rules, site, site.maintenance))
    for site in stack.sites:
        rules.add(site)
    frontend = custom.get(CUSTOM_FRONTEND)
    text = render(
        "haproxy/frontend.cfg.j2",
        listens=list(_listens(stack)),
        alt_svc=stack.http3.alternative if stack.http3 and stack.proxy.quic else "",
        challenges=CHALLENGES,
        wildcards=any("*" in name for site in stack.sites for name in site.domains),
        marker_route=MARKER_ROUTE,
        marker_path=MARKER_PATH,
        front=front,
        unknown=list(_unknown(stack.unknown)),
        blocked=list(edge.blocked_lines(stack)),
        canonical=canonical,
        kept_scheme="" if https or (stack.behind and stack.behind.redirect) else f"%[{front.scheme}]://",
        https_port=f":{https.at.port}" if https is not None and https.at.port != https.port else "",
        before=rules.lines,
        paths=bool(exact or prefixes),
        after=list(_canaries(stack)),
        custom=None if frontend is None else indented(frontend),
        answers=list(edge.hsts_lines(stack)) if "https" in canonical else [],
        removed=word(f"^(?:{'|'.join(re.escape(name.lower()) for name in (*REMOVED, 'X-Forwarded-Prefix'))})$"),
    )
    return {
        FRONTEND: text,
        CERTS: _lines(_certificates(stack, tls)),
        f"{MAPS}/sites.map": _lines(f"{name} {site_file(site.name)}" for site in stack.sites for name in site.domains),
        f"{MAPS}/https.map": _lines(f"{name} 1" for one in names.values() for name in one.to_https),
        f"{MAPS}/exact.map": _lines(exact),
        f"{MAPS}/prefixes.map": _lines(prefixes),
        **{f"{MAPS}/canonical-{scheme}.map": _lines(rows) for scheme, rows in canonical.items()},
        **edge.blocked_files(stack),
        **front.files(),
        **(edge.hsts_file(stack) if "https" in canonical else {}),
    }


def indented(custom: bytes) -> str:
    """Return the lines of a user's file, which HAProxy refuses if the last one does not end."""
    text = custom.decode("utf-8", "surrogateescape")
    return text if text.endswith("\n") or not text else f"{text}\n"


def _lines(rows: Iterable[str]) -> str:
    return "".join(f"{row}\n" for row in rows)


def _listens(stack: Stack) -> Iterator[str]:
    """Yield one line for each kind of port: every line with ``ssl`` has certificates of its own in memory."""
    ipv6, more = stack.proxy.ipv6, " v6only" if stack.proxy.ipv6 else ""
    http, ahead = stack.proxy.http.port, Front(stack).ahead
    if ahead:
        yield f"127.0.0.1:{http}"  # the health check of the container
    yield f"*:{http}{f',:::{http}' if ipv6 else ''}{more}{ahead}"
    if stack.proxy.https is None:
        return
    https = stack.proxy.https.port
    strict = "" if stack.answers_nobody else " strict-sni"
    tls = f"ssl crt-list {CERTS}{strict} alpn"
    yield f"*:{https}{f',:::{https}' if ipv6 else ''}{more}{ahead} {tls} h2,http/1.1"
    if stack.http3 and stack.proxy.quic:
        yield f"quic4@:{https}{f',quic6@:{https}' if ipv6 else ''}{more} {tls} h3"


def _certificates(stack: Stack, tls: Mapping[Domain, SiteTls]) -> Iterator[str]:
    if stack.proxy.https is None:
        return
    if stack.answers_nobody:
        yield f"@{NOBODY}/pair"  # the first one is for all names without one
    for site in stack.sites:
        for (store, names), part in zip(stores(site, tls[site.name]), tls[site.name].by_certificate(site), strict=True):
            # Of two with different kinds of keys, each client gets the one that it can verify.
            for alias in ("pair", "second") if part.second else ("pair",):
                yield f"@{store}/{alias} {' '.join(names)}"


def stores(site: Site, tls: SiteTls) -> Iterator[tuple[str, tuple[Domain, ...]]]:
    """Yield the store of each certificate of a site, with the names that have it."""
    for number, part in enumerate(tls.by_certificate(site)):
        yield f"{site_file(site.name)}{f':{number + 1}' if number else ''}", part.names


def _unknown(unknown: UnknownNames) -> Iterator[str]:
    """Yield what a request gets whose name no site has."""
    if unknown.site is not None:
        yield f"set-var(txn.site) str({site_file(unknown.site)})"
    elif unknown.redirect is not None:
        yield f"redirect code {unknown.redirect.status} location {word(fmt(unknown.redirect.to))}"
    elif unknown.page is not None:
        yield f"return {page_answer(404, unknown.page, PAGES)}"
    elif unknown.status is not None:
        yield f"deny deny_status {unknown.status}"
    else:
        yield "reject"


def _canonical(stack: Stack, names: Mapping[Domain, NamesOnHttp]) -> dict[str, Sequence[str]]:
    """Return the rows of the maps of names that are redirected to the canonical one, by the scheme of the request."""
    found: dict[str, list[str]] = {}
    for site in stack.sites:
        aliases = names[site.name].aliases
        for name in aliases.plain:
            # Without a scheme, that of the visitor stays.
            to = f"{aliases.scheme}://{aliases.target}" if aliases.scheme else aliases.target
            found.setdefault("http", []).append(f"{name} {to}")
            if aliases.there:
                found.setdefault("https", []).append(f"{name} {to}")
    return dict(found)


def _maintained(rules: Rules, site: Site, maintenance: Maintenance) -> Iterator[str]:
    words = [f"http-request set-var(txn.route) str({backend_of(site.name, MAINTENANCE)}) if {of_site(site)}"]
    if maintenance.allow:
        words.append(f"!{rules.sources(maintenance.allow)}")
    if maintenance.until is not None:
        words.append(f"{{ date lt {int(maintenance.until.timestamp())} }}")
    yield " ".join(words)


def _paths(stack: Stack) -> tuple[list[str], list[str]]:
    """Return the rows of the maps of exact paths and of prefixes; a site with nothing but ``/`` has none."""
    exact: list[str] = []
    prefixes: list[str] = []
    for site in stack.sites:
        for number, route in enumerate(site.routes, start=1):
            if route.is_rule:
                continue
            name = backend_of(site.name, "" if route.is_root else number)
            for path in route.match.all_of.paths:
                key = f"{site_file(site.name)}{map_key(path.text)}"
                if path.kind is PathKind.EXACT:
                    exact.append(f"{key} {name}")
                elif path != EVERY_PATH:
                    prefixes.append(f"{key}/ {name}")
    return exact, prefixes


def _canaries(stack: Stack) -> Iterator[str]:
    """Yield the lines that send some clients to a canary: always the same ones, by their address and program."""
    found = [
        (site, backend_of(site.name, "" if route.is_root else number), route.action.canary)
        for site in stack.sites
        for number, route in enumerate(site.routes, start=1)
        if isinstance(route.action, Backend) and route.action.canary is not None
    ]
    if found:
        yield "http-request set-var(txn.agent) req.fhdr(user-agent)"
        yield "http-request set-var(txn.dice) src,concat(,txn.agent),xxh32,mod(100)"
    for _, name, canary in found:
        at = f"{{ var(txn.route) -m str {name} }}"
        for condition in _chosen(canary):
            yield f"http-request set-var(txn.route) str({canary_of(name)}) if {at} {condition}"


def _chosen(canary: Canary) -> Iterator[str]:
    if canary.cookie is not None:
        yield f"{{ req.cook({canary.cookie[0]}) -m str {word(canary.cookie[1])} }}"
    if canary.percent:
        yield f"{{ var(txn.dice) -m int lt {canary.percent} }}"
