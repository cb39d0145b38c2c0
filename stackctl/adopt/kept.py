"""Directives that are kept as they are, but for what would not work in the new proxy's container."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from stackctl.adopt.known import FILES, PASSES, logs_to_file
from stackctl.adopt.nginx_conf import NginxConf, domain_or_none
from stackctl.adopt.proposal import Fate, Remark
from stackctl.model.endpoints import HTTP_PORT, HTTPS_PORT
from stackctl.model.layout import CERTBOT_CONF, LINEAGES
from stackctl.proxies.nginx.directives import Directive, first, named, text_of
from stackctl.proxies.nginx.layout import CUSTOM, NGINX

_URL = re.compile(r"(?P<scheme>https?|grpcs?)://(?P<host>[^/:$\[\]]+)(?::(?P<port>\d+))?(?P<rest>/.*)?\Z")
_PLACE = re.compile(r"(?P<host>[^/:$\[\]]+):(?P<port>\d+)\Z")
_LIVE = re.compile(rf"(?P<root>/.*)/{LINEAGES}/(?P<lineage>[^/]+)/(?P<file>[^/]+\.pem)\Z")
_CONDITIONS = {"if", "limit_except"}
_TLS_NAMES = {"https": "proxy_ssl_name", "grpcs": "grpc_ssl_name"}
_ADDED = {"proxy_set_header", "proxy_redirect", *_TLS_NAMES.values()}
"""Directives that stand beside a ``proxy_pass`` so that nothing changes for the app."""
_ADDRESS = re.compile(r"[\d.]+\Z|\[")


def lineage_of(path: str | None) -> str | None:
    """The lineage of certbot's that a chain's path names, or None."""
    match = _LIVE.match(path or "")
    return match["lineage"] if match else None


@dataclass(frozen=True, slots=True)
class Headers:
    """The ``proxy_set_header`` in force around kept directives, where nothing of stackctl's is.

    Attributes:
        kept: whether they stand in the kept text too, so that what is inside has them unless it sets others.
    """

    those: tuple[Directive, ...] = ()
    kept: bool = False

    def beside(self, default: Directive, *, same: bool) -> list[Directive]:
        """What must stand beside a ``proxy_pass``, so that the app sees the headers that it saw.

        ``default`` is nginx's own Host, which is made of the name that follows ``proxy_pass``; ``same`` is whether
        those in force stand beside it already.
        """
        lacking = [] if any(one.arg.lower() == "host" for one in self.those) else [default]
        if same or (self.kept and not lacking):
            return lacking
        return [*self.those, *lacking]


class Keeper:
    """Collects what is kept; ``resolves`` is whether the proxy can look names of an upstream up while it runs."""

    def __init__(self, conf: NginxConf, *, resolves: bool) -> None:
        self._conf = conf
        self._resolves = resolves
        around = [*conf.settings, *(one for server in conf.servers for one in server.body)]
        self.redirects_by_default = not any(one.name == "proxy_redirect" for one in around)
        self._groups: dict[str, str] = {}
        self.copies: dict[str, str] = {}
        self.remarks: list[Remark] = []
        self.serves_files = False

    def remark(self, fate: Fate, text: str, at: str) -> None:
        """Tell the owner something."""
        self.remarks.append(Remark(fate, text, at))

    def groups(self) -> str:
        """The upstream groups that kept directives need."""
        return "\n".join(self._groups.values())

    @property
    def outer_headers(self) -> Headers:
        """What is in force in a server that sets none."""
        return Headers(headers_in_force(self._conf.settings))

    def keep(
        self, directives: Iterable[Directive], headers: Headers | None = None, place: str = "/"
    ) -> list[Directive]:
        """The directives as they go into a file of nginx/custom/; ``headers`` is None where stackctl's are in force.

        ``place`` is the path of the location that they stand in.
        """
        whole = list(directives)
        own = headers_in_force(whole)
        if own and headers is not None:
            headers = Headers(own, kept=True)
        kept: dict[int, list[Directive]] = {}
        there = [one for one in whole if one.name in _ADDED]
        # Conditions last: what a location passes on by itself decides its headers.
        for index, one in sorted(enumerate(whole), key=lambda each: each[1].name in _CONDITIONS):
            new = self._one(one, headers, place, same=bool(own))
            kept[index] = [each for each in new if each is one or not _is_set(each, there)]
            there += kept[index]
        return [each for index in range(len(whole)) for each in kept[index]]

    def _one(self, one: Directive, headers: Headers | None, place: str, *, same: bool) -> Iterable[Directive]:
        if logs_to_file(one):
            self.remark(Fate.REPLACED, f"{one.head}: logs go to the container's output ('stackctl logs')", one.at)
            return []
        if one.name == "include":
            self.remark(Fate.LOST, f"{one.head}: no such file was found", one.at)
            return []
        if one.name in PASSES:
            return self._passed(one, headers, place, same=same)
        if one.name in {"root", "alias"}:
            self.serves_files = True
            if not one.arg.startswith(("/", "$")):
                self.remark(Fate.LOST, f"{one.head}: a path that is relative to the old proxy's directory", one.at)
                return []
        if one.block is not None:
            return self._inside(one, self.keep(one.block, headers, one.args[-1] if one.name == "location" else place))
        return [self._with_files(one)]

    def _inside(self, one: Directive, inner: list[Directive]) -> list[Directive]:
        if one.name not in _CONDITIONS:
            return [one.with_block(inner)]
        # nginx takes headers from the location around it alone.
        added = [each for each in inner if each.name in _ADDED]
        return [*added, one.with_block(each for each in inner if each.name not in _ADDED)]

    def _with_files(self, one: Directive) -> Directive:
        if one.name not in FILES or not one.args:
            return one
        return replace(one, args=(self.file(one.arg), *one.args[1:]))

    def file(self, path: str) -> str:
        """Where the new container sees a file of the old one."""
        live = _LIVE.match(path)
        if live:
            return f"{CERTBOT_CONF.mount}/{LINEAGES}/{live['lineage']}/{live['file']}"
        absolute = path if path.startswith("/") else f"{NGINX.mount}/{path}"
        if not absolute.startswith(f"{NGINX.mount}/"):
            return path
        name = absolute.rpartition("/")[2].lstrip(".") or "file"
        while self.copies.get(name, absolute) != absolute or (
            domain_or_none(name.removesuffix(".conf")) and name.endswith(".conf")
        ):
            name = f"{name}_"
        self.copies[name] = absolute
        return (CUSTOM / name).mount

    def _passed(self, one: Directive, headers: Headers | None, place: str, *, same: bool) -> Iterable[Directive]:
        """A directive that names another server; the name must not be needed when the proxy starts."""
        url = _URL.match(one.arg) or _PLACE.match(one.arg)
        found = url["host"] if url else one.arg
        before: list[Directive] = []
        sees_its_own_name = False
        if one.name == "proxy_pass" and headers is not None:
            default = Directive("proxy_set_header", ("Host", sent_host(url) if url else "$proxy_host"))
            before = headers.beside(default, same=same)
            sees_its_own_name = default in before
        tls_name = _TLS_NAMES.get(url.groupdict().get("scheme") or "") if url else None
        if self._conf.group(found) is not None:
            self.use(found)
            return [*before, one]
        if found == "host.docker.internal":
            self.remark(Fate.LOST, f"{one.head}: name the host by its address on Docker's bridge instead", one.at)
            return []
        if url is None or _ADDRESS.match(found) or found == "localhost":
            return [*before, one]
        if not self._resolves:
            self.remark(Fate.LOST, f"{one.head}: needs nginx 1.27.3, which can look a name up while it runs", one.at)
            return []
        port = url["port"] or (HTTPS_PORT if url.groupdict().get("scheme") in {"https", "grpcs"} else HTTP_PORT)
        group = re.sub(r"[^A-Za-z0-9_.-]", "_", f"kept_{found}_{port}")
        self._groups[group] = text_of(
            [
                Directive(
                    "upstream",
                    (group,),
                    block=(Directive("zone", (group, "64k")), Directive("server", (f"{found}:{port}", "resolve"))),
                )
            ]
        )
        if tls_name is not None:
            # Else it were the group's, to be asked for and to be verified.
            before.append(Directive(tls_name, (found,)))
        if sees_its_own_name and self.redirects_by_default:
            before.append(default_redirect(one, place if url["rest"] else "/"))
        scheme = url.groupdict().get("scheme")
        rest = (url.groupdict().get("rest") or "") if scheme else ""
        return [*before, replace(one, args=(f"{scheme}://{group}{rest}" if scheme else group, *one.args[1:]))]

    def use(self, name: str) -> None:
        """Keep an upstream group, in a form that starts without its servers."""
        group = self._conf.group(name)
        if group is None or name in self._groups:
            return
        block: list[Directive] = []
        named_hosts = False
        for one in group.inner:
            host = one.arg.rpartition(":")[0] or one.arg
            by_name = one.name == "server" and not _ADDRESS.match(one.arg) and not one.arg.startswith("unix:")
            named_hosts |= by_name and bool(host)
            block.append(replace(one, args=(*one.args, "resolve")) if by_name and "resolve" not in one.args else one)
        if named_hosts and not self._resolves:
            self.remark(
                Fate.LOST, f"upstream {name}: needs nginx 1.27.3, which can look names up while it runs", group.at
            )
            return
        if named_hosts and first(block, "zone") is None:
            block.insert(0, Directive("zone", (name, "64k")))
        self._groups[name] = f"# {group.at}\n{text_of([group.with_block(block)])}"


def _is_set(one: Directive, there: Iterable[Directive]) -> bool:
    """Whether what is to be added is there already: a header by its name."""
    is_header = one.name == "proxy_set_header"
    return one.name in _ADDED and any(
        not is_header or each.arg.lower() == one.arg.lower() for each in named(there, one.name)
    )


def sent_host(url: re.Match[str]) -> str:
    """What nginx sends as Host by itself to the place in a ``proxy_pass``: without the scheme's own port."""
    own = {"http": str(HTTP_PORT), "https": str(HTTPS_PORT)}.get(url.groupdict().get("scheme", "http"))
    return url["host"] if url["port"] in {None, own} else f"{url['host']}:{url['port']}"


def default_redirect(passed: Directive, place: str) -> Directive:
    """What nginx makes of a redirect to the place in ``proxy_pass``, by an app that sees that as its Host."""
    url = passed.arg if passed.arg.count("/") > len("//") else f"{passed.arg}/"
    return Directive("proxy_redirect", (url, place), passed.at)


def headers_in_force(*levels: Iterable[Directive]) -> tuple[Directive, ...]:
    """The ``proxy_set_header`` that count: those of the innermost level that has any."""
    for level in levels:
        found = tuple(named(level, "proxy_set_header"))
        if found:
            return found
    return ()
