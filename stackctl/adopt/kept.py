"""Directives that are kept, adjusted where they would not work in the new proxy's container."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from stackctl.adopt.kept_files import KeptFiles, OldFiles
from stackctl.adopt.mapping import PASSES, logs_to_file
from stackctl.adopt.nginx_conf import DEFAULT_TYPE, NginxConf
from stackctl.adopt.proposal import Handling, Remark
from stackctl.model.endpoints import HTTP_PORT, HTTPS_PORT
from stackctl.proxies.nginx.directives import Directive, every, first, named, text_of

_URL = re.compile(r"(?P<scheme>https?|grpcs?)://(?P<host>[^/:$\[\]]+)(?::(?P<port>\d+))?(?P<rest>/.*)?\Z")
_PLACE = re.compile(r"(?P<host>[^/:$\[\]]+):(?P<port>\d+)\Z")
_CONDITIONS = {"if", "limit_except"}
ANSWERS = frozenset({"root", "alias", "try_files", "return", "error_page", "index", "autoindex", "empty_gif"})
"""Directives by which nginx itself answers, with a content type of its own."""

_CACHE_PATHS = {"proxy_cache_path", "fastcgi_cache_path", "uwsgi_cache_path", "scgi_cache_path"}
_NEEDED = (
    "needs nginx 1.27.3 or newer, which resolves names at run time: 'stackctl adopt --proxy-image IMAGE' changes it"
)
_TLS_NAMES = {"https": "proxy_ssl_name", "grpcs": "grpc_ssl_name"}
_ADDED = {"proxy_set_header", "proxy_redirect", *_TLS_NAMES.values()}
"""Directives that are added next to a ``proxy_pass`` so that nothing changes for the app."""
_ADDRESS = re.compile(r"[\d.]+\Z|\[")


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

    def __init__(self, conf: NginxConf, *, resolves: bool, old: OldFiles | None = None) -> None:
        self._conf = conf
        self._resolves = resolves
        self.files = KeptFiles(old or OldFiles())
        around = [*conf.settings, *(one for server in conf.servers for one in server.body)]
        self.redirects_by_default = not any(one.name == "proxy_redirect" for one in around)
        self._groups: dict[str, str] = {}
        self.remarks: list[Remark] = []
        self.answers_itself = False

    def remark(self, handling: Handling, text: str, at: str) -> None:
        """Add a remark for the user."""
        self.remarks.append(Remark(handling, text, at))

    def groups(self) -> str:
        """The upstream groups that kept directives need."""
        return "\n".join(self._groups.values())

    @property
    def outer_headers(self) -> Headers:
        """The headers in force in a server that sets none."""
        return Headers(headers_in_force(self._conf.settings))

    def defaults(self, body: Iterable[Directive]) -> Iterator[Directive]:
        """Return the directives that a kept server needs because stackctl's ``http`` has other values."""
        whole = list(every(body))
        if first(body, "default_type") is None and self._conf.default_type != DEFAULT_TYPE:
            yield Directive("default_type", (self._conf.default_type,))
        around = [*whole, *self._conf.settings]
        if first(whole, "proxy_pass") is not None and first(around, "proxy_buffering") is None:
            yield Directive("proxy_buffering", ("on",))

    def keep(
        self, directives: Iterable[Directive], headers: Headers | None = None, place: str = "/"
    ) -> list[Directive]:
        """Return directives for a file in nginx/custom/; ``headers`` is None where stackctl's apply.

        ``place`` is the path of the location around them.
        """
        whole = _with_own_name(list(directives))
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
        done = [each for index in range(len(whole)) for each in kept[index]]
        cache = first(done, "proxy_cache")
        if cache is not None and cache.arg != "off" and first(done, "proxy_buffering") is None:
            done.append(Directive("proxy_buffering", ("on",), cache.at))  # only then nginx caches
        return done

    def _one(self, one: Directive, headers: Headers | None, place: str, *, same: bool) -> Iterable[Directive]:
        if logs_to_file(one):
            self.remark(Handling.REPLACED, f"{one.head}: logs go to the container's output ('stackctl logs')", one.at)
            return []
        if one.name == "include":
            self.remark(Handling.UNSUPPORTED, f"{one.head}: the file does not exist", one.at)
            return []
        if one.name in PASSES:
            return self._passed(one, headers, place, same=same)
        self.answers_itself |= one.name in ANSWERS
        if one.block is not None:
            return self._inside(one, self.keep(one.block, headers, one.args[-1] if one.name == "location" else place))
        return self._adjusted(one)

    def _adjusted(self, one: Directive) -> list[Directive]:
        if one.name in _CACHE_PATHS:
            return [self._cached(one)]
        adjusted = self.files.adjusted(one)
        if adjusted is None:
            self.remark(
                Handling.UNSUPPORTED, f"{one.head}: the new container does not have what the path names", one.at
            )
            return [one] if one.name == "auth_basic_user_file" else []  # without it, nginx would let everyone in
        return [adjusted]

    def _cached(self, one: Directive) -> Directive:
        """Move a cache to a directory that the new container can write to."""
        path = self.files.cache(one.arg)
        if path == one.arg:
            return one
        self.remark(Handling.CHANGED, f"{one.head}: the cache is now in {path}, and empty at first", one.at)
        return replace(one, args=(path, *one.args[1:]))

    def _inside(self, one: Directive, inner: list[Directive]) -> list[Directive]:
        if one.name not in _CONDITIONS:
            return [one.with_block(inner)]
        # nginx only uses the headers of the enclosing location.
        added = [each for each in inner if each.name in _ADDED]
        return [*added, one.with_block(each for each in inner if each.name not in _ADDED)]

    def _passed(self, one: Directive, headers: Headers | None, place: str, *, same: bool) -> Iterable[Directive]:
        """Convert a directive that names another server, so that the proxy starts without resolving the name."""
        url = _URL.match(one.arg) or _PLACE.match(one.arg)
        found = url["host"] if url else one.arg
        if "$" in one.arg:
            for name in self._conf.upstreams or {}:  # the variable may be any of them
                self.use(name)
        before: list[Directive] = []
        redirects = False
        if one.name == "proxy_pass" and headers is not None:
            default = Directive("proxy_set_header", ("Host", sent_host(url) if url else "$proxy_host"))
            before = headers.needed(default, same=same)
            redirects = default in before or gets_another_name(headers.directives)
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
                f"{one.head}: {_NEEDED}",
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
        if redirects and self.redirects_by_default:
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
                f"upstream {name}: {_NEEDED}",
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


def gets_another_name(headers: Iterable[Directive]) -> bool:
    """Whether the Host among ``headers`` is not the name that the client requested."""
    host = next((one.args[-1] for one in headers if one.arg.lower() == "host"), None)
    return host is not None and not any(name in host for name in ("$host", "$http_host", "$server_name"))


def _with_own_name(directives: list[Directive]) -> list[Directive]:
    """Return headers with the name in ``proxy_pass`` in place of the variable, which would be that of a group."""
    passed = first(directives, "proxy_pass")
    url = _URL.match(passed.arg) if passed else None
    return directives if url is None else [with_name(one, sent_host(url)) for one in directives]


def with_name(header: Directive, host: str) -> Directive:
    """Return a ``proxy_set_header`` with ``host`` in place of ``$proxy_host``; another directive as it is."""
    if header.name != "proxy_set_header":
        return header
    return replace(header, args=tuple(arg.replace("$proxy_host", host) for arg in header.args))


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
