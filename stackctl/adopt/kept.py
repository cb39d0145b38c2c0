"""Directives that are kept as they are, but for what would not work in the new proxy's container."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from stackctl.adopt.directives import Directive, first, named, text_of
from stackctl.adopt.known import FILES, PASSES, logs_to_file
from stackctl.adopt.nginx_conf import NginxConf, domain_or_none
from stackctl.adopt.proposal import Fate, Remark
from stackctl.render.sites import LIVE_MOUNT

CUSTOM = "/etc/nginx/custom"
"""Where the proxy's container sees nginx/custom."""

_URL = re.compile(r"(?P<scheme>https?|grpcs?)://(?P<host>[^/:$\[\]]+)(?::(?P<port>\d+))?(?P<rest>/.*)?\Z")
_PLACE = re.compile(r"(?P<host>[^/:$\[\]]+):(?P<port>\d+)\Z")
_LIVE = re.compile(r"(?P<root>/.*)/live/(?P<lineage>[^/]+)/(?P<file>[^/]+\.pem)\Z")
_ADDRESS = re.compile(r"[\d.]+\Z|\[")


def lineage_of(path: str | None) -> str | None:
    """The lineage of certbot's that a chain's path names, or None."""
    match = _LIVE.match(path or "")
    return match["lineage"] if match else None


class Keeper:
    """Collects what is kept; ``resolves`` is whether the proxy can look names of an upstream up while it runs."""

    def __init__(self, conf: NginxConf, *, resolves: bool) -> None:
        self._conf = conf
        self._resolves = resolves
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

    def keep(self, directives: Iterable[Directive], headers: Sequence[Directive] | None = ()) -> list[Directive]:
        """The directives as they go into a file of nginx/custom/.

        ``headers`` are the ``proxy_set_header`` in force around them that the file does not repeat;
        None where it does.
        """
        whole = list(directives)
        if any(one.name == "proxy_set_header" for one in whole):
            headers = None
        kept: list[Directive] = []
        for one in whole:
            kept += self._one(one, headers)
        return kept

    def _one(self, one: Directive, headers: Sequence[Directive] | None) -> Iterable[Directive]:
        if logs_to_file(one):
            self.remark(Fate.REPLACED, f"{one.head}: logs go to the container's output ('stackctl logs')", one.at)
            return []
        if one.name == "include":
            self.remark(Fate.LOST, f"{one.head}: no such file was found", one.at)
            return []
        if one.name in PASSES:
            return self._passed(one, headers)
        if one.name in {"root", "alias"}:
            self.serves_files = True
            if not one.arg.startswith(("/", "$")):
                self.remark(Fate.LOST, f"{one.head}: a path that is relative to the old proxy's directory", one.at)
                return []
        if one.block is not None:
            return [one.with_block(self.keep(one.block, headers))]
        return [self._with_files(one)]

    def _with_files(self, one: Directive) -> Directive:
        if one.name not in FILES or not one.args:
            return one
        return replace(one, args=(self.file(one.arg), *one.args[1:]))

    def file(self, path: str) -> str:
        """Where the new container sees a file of the old one."""
        live = _LIVE.match(path)
        if live:
            return f"{LIVE_MOUNT}/{live['lineage']}/{live['file']}"
        absolute = path if path.startswith("/") else f"/etc/nginx/{path}"
        if not absolute.startswith("/etc/nginx/"):
            return path
        name = absolute.rpartition("/")[2].lstrip(".") or "file"
        while self.copies.get(name, absolute) != absolute or (
            domain_or_none(name.removesuffix(".conf")) and name.endswith(".conf")
        ):
            name = f"{name}_"
        self.copies[name] = absolute
        return f"{CUSTOM}/{name}"

    def _passed(self, one: Directive, headers: Sequence[Directive] | None) -> Iterable[Directive]:
        """A directive that names another server; the name must not be needed when the proxy starts."""
        url = _URL.match(one.arg) or _PLACE.match(one.arg)
        found = url["host"] if url else one.arg
        before = list(headers or ())
        if url is not None and "scheme" in url.groupdict() and headers is not None and not before:
            # nginx's own default, which would otherwise be taken from stackctl's headers.
            port = f":{url['port']}" if url["port"] else ""
            before = [Directive("proxy_set_header", ("Host", f"{url['host']}{port}"))]
        if one.name != "proxy_pass":
            before = []
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
        port = url["port"] or ("443" if url.groupdict().get("scheme") in {"https", "grpcs"} else "80")
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


def headers_in_force(*levels: Iterable[Directive]) -> tuple[Directive, ...]:
    """The ``proxy_set_header`` that count: those of the innermost level that has any."""
    for level in levels:
        found = tuple(named(level, "proxy_set_header"))
        if found:
            return found
    return ()
