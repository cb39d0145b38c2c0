"""Directives that are kept, adjusted where they would not work in the new proxy's container."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from stackctl.adopt.mapping import FILES, PASSES, logs_to_file
from stackctl.adopt.nginx_conf import NginxConf, domain_or_none
from stackctl.adopt.proposal import Handling, Remark
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
"""Directives that are added next to a ``proxy_pass`` so that nothing changes for the app."""
_ADDRESS = re.compile(r"[\d.]+\Z|\[")


def lineage_of(path: str | None) -> str | None:
    """Return the name of certbot's lineage in the path of a chain, or None."""
    match = _LIVE.match(path or "")
    return match["lineage"] if match else None


@dataclass(frozen=True, slots=True)
class Headers:
    """The ``proxy_set_header`` in force around kept directives, where none of stackctl's apply.

    Attributes:
        inherited: whether the kept text has them too, so that inner blocks inherit them unless they set others.
    """

    directives: tuple[Directive, ...] = ()
    inherited: bool = False

    def needed(self, default: Directive, *, same: bool) -> list[Directive]:
        """Return the headers to add next to a ``proxy_pass``, so that the app gets the same headers as before.

        ``default`` is nginx's default Host, the name in ``proxy_pass``; ``same`` is whether the headers in force
        are already next to it.
        """
        missing = [] if any(one.arg.lower() == "host" for one in self.directives) else [default]
        if same or (self.inherited and not missing):
            return missing
        return [*self.directives, *missing]


class KeptDirectives:
    """Collects kept directives; ``resolves`` is whether the proxy can resolve names of upstreams at run time."""

    def __init__(self, conf: NginxConf, *, resolves: bool) -> None:
        self._conf = conf
        self._resolves = resolves
        around = [*conf.settings, *(one for server in conf.servers for one in server.body)]
        self.redirects_by_default = not any(one.name == "proxy_redirect" for one in around)
        self._groups: dict[str, str] = {}
        self.copies: dict[str, str] = {}
        self.remarks: list[Remark] = []
        self.serves_files = False

    def remark(self, handling: Handling, text: str, at: str) -> None:
        """Tell the owner something."""
        self.remarks.append(Remark(handling, text, at))

    def groups(self) -> str:
        """The upstream groups that kept directives need."""
        return "\n".join(self._groups.values())

    @property
    def outer_headers(self) -> Headers:
        """The headers in force in a server that sets none."""
        return Headers(headers_in_force(self._conf.settings))

    def keep(
        self, directives: Iterable[Directive], headers: Headers | None = None, place: str = "/"
    ) -> list[Directive]:
        """Return directives for a file in nginx/custom/; ``headers`` is None where stackctl's apply.

        ``place`` is the path of the location around them.
        """
        whole = list(directives)
        own = headers_in_force(whole)
        if own and headers is not None:
            headers = Headers(own, inherited=True)
        kept: dict[int, list[Directive]] = {}
        there = [one for one in whole if one.name in _ADDED]
        # Conditions last: the location's own proxy_pass decides its headers.
        for index, one in sorted(enumerate(whole), key=lambda each: each[1].name in _CONDITIONS):
            new = self._one(one, headers, place, same=bool(own))
            kept[index] = [each for each in new if each is one or not _is_set(each, there)]
            there += kept[index]
        return [each for index in range(len(whole)) for each in kept[index]]

    def _one(self, one: Directive, headers: Headers | None, place: str, *, same: bool) -> Iterable[Directive]:
        if logs_to_file(one):
            self.remark(Handling.REPLACED, f"{one.head}: logs go to the container's output ('stackctl logs')", one.at)
            return []
        if one.name == "include":
            self.remark(Handling.UNSUPPORTED, f"{one.head}: the file does not exist", one.at)
            return []
        if one.name in PASSES:
            return self._passed(one, headers, place, same=same)
        if one.name in {"root", "alias"}:
            self.serves_files = True
            if not one.arg.startswith(("/", "$")):
                self.remark(
                    Handling.UNSUPPORTED, f"{one.head}: the path is relative to the old proxy's directory", one.at
                )
                return []
        if one.block is not None:
            return self._inside(one, self.keep(one.block, headers, one.args[-1] if one.name == "location" else place))
        return [self._with_files(one)]

    def _inside(self, one: Directive, inner: list[Directive]) -> list[Directive]:
        if one.name not in _CONDITIONS:
            return [one.with_block(inner)]
        # nginx only uses the headers of the enclosing location.
        added = [each for each in inner if each.name in _ADDED]
        return [*added, one.with_block(each for each in inner if each.name not in _ADDED)]

    def _with_files(self, one: Directive) -> Directive:
        if one.name not in FILES or not one.args:
            return one
        return replace(one, args=(self.file(one.arg), *one.args[1:]))

    def file(self, path: str) -> str:
        """Return the path in the new container for a file of the old one."""
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
        """Convert a directive that names another server, so that the proxy starts without resolving the name."""
        url = _URL.match(one.arg) or _PLACE.match(one.arg)
        found = url["host"] if url else one.arg
        before: list[Directive] = []
        gets_own_name = False
        if one.name == "proxy_pass" and headers is not None:
            default = Directive("proxy_set_header", ("Host", sent_host(url) if url else "$proxy_host"))
            before = headers.needed(default, same=same)
            gets_own_name = default in before
        tls_name = _TLS_NAMES.get(url.groupdict().get("scheme") or "") if url else None
        if self._conf.group(found) is not None:
            self.use(found)
            return [*before, one]
        if found == "host.docker.internal":
            self.remark(Handling.UNSUPPORTED, f"{one.head}: use the host's address on Docker's bridge instead", one.at)
            return []
        if url is None or _ADDRESS.match(found) or found == "localhost":
            return [*before, one]
        if not self._resolves:
            self.remark(
                Handling.UNSUPPORTED,
                f"{one.head}: needs nginx 1.27.3 or newer, which resolves names at run time",
                one.at,
            )
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
            # Otherwise nginx uses the name of the upstream group for SNI and verification.
            before.append(Directive(tls_name, (found,)))
        if gets_own_name and self.redirects_by_default:
            before.append(default_redirect(one, place if url["rest"] else "/"))
        scheme = url.groupdict().get("scheme")
        rest = (url.groupdict().get("rest") or "") if scheme else ""
        return [*before, replace(one, args=(f"{scheme}://{group}{rest}" if scheme else group, *one.args[1:]))]

    def use(self, name: str) -> None:
        """Keep an upstream group in a form with which nginx starts without its servers."""
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
                Handling.UNSUPPORTED,
                f"upstream {name}: needs nginx 1.27.3 or newer, which resolves names at run time",
                group.at,
            )
            return
        if named_hosts and first(block, "zone") is None:
            block.insert(0, Directive("zone", (name, "64k")))
        self._groups[name] = f"# {group.at}\n{text_of([group.with_block(block)])}"


def _is_set(one: Directive, there: Iterable[Directive]) -> bool:
    """Whether a directive to add is already set; a header is compared by its name."""
    is_header = one.name == "proxy_set_header"
    return one.name in _ADDED and any(
        not is_header or each.arg.lower() == one.arg.lower() for each in named(there, one.name)
    )


def sent_host(url: re.Match[str]) -> str:
    """Return the Host that nginx sends by default to the URL in a ``proxy_pass``: without the scheme's default port."""
    own = {"http": str(HTTP_PORT), "https": str(HTTPS_PORT)}.get(url.groupdict().get("scheme", "http"))
    return url["host"] if url["port"] in {None, own} else f"{url['host']}:{url['port']}"


def default_redirect(passed: Directive, place: str) -> Directive:
    """Return nginx's default ``proxy_redirect`` for an app that gets the name in ``proxy_pass`` as its Host."""
    url = passed.arg if passed.arg.count("/") > len("//") else f"{passed.arg}/"
    return Directive("proxy_redirect", (url, place), passed.at)


def headers_in_force(*levels: Iterable[Directive]) -> tuple[Directive, ...]:
    """Return the ``proxy_set_header`` in force: those of the innermost level that has any."""
    for level in levels:
        found = tuple(named(level, "proxy_set_header"))
        if found:
            return found
    return ()
