"""Files and directories that kept directives refer to, and where the new proxy's container has them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from stackctl.adopt.nginx_conf import domain_or_none
from stackctl.certs.copied import lineage_pair
from stackctl.model.layout import CERTBOT_CONF, LINEAGES
from stackctl.proxies.nginx.directives import Directive
from stackctl.proxies.nginx.layout import CUSTOM, NGINX, TEMPORARY

FILES: Mapping[str, int] = {
    **dict.fromkeys(
        (
            "auth_basic_user_file",
            "auth_jwt_key_file",
            "geoip_city",
            "geoip_country",
            "geoip_org",
            "grpc_ssl_certificate",
            "grpc_ssl_certificate_key",
            "grpc_ssl_trusted_certificate",
            "modsecurity_rules_file",
            "perl_require",
            "proxy_ssl_certificate",
            "proxy_ssl_certificate_key",
            "proxy_ssl_crl",
            "proxy_ssl_password_file",
            "proxy_ssl_trusted_certificate",
            "ssl_certificate",
            "ssl_certificate_key",
            "ssl_client_certificate",
            "ssl_crl",
            "ssl_dhparam",
            "ssl_password_file",
            "ssl_session_ticket_key",
            "ssl_stapling_file",
            "ssl_trusted_certificate",
            "xslt_stylesheet",
        ),
        0,
    ),
    "js_import": -1,
}
"""Directives with a parameter that must be an existing file, and which it is."""

_LUA_FILE = re.compile(r".*_by_lua_file\Z")
_LIVE = re.compile(rf"(?P<root>/.*)/{LINEAGES}/(?P<lineage>[^/]+)/(?P<file>[^/]+\.pem)\Z")
_FOLDERS = {"root", "alias", "js_path", "perl_modules"}


def lineage_of(path: str | None) -> str | None:
    """Return the name of certbot's lineage in the path of a chain, or None."""
    match = _LIVE.match(path or "")
    return match["lineage"] if match else None


def trees_of(paths: Iterable[str | None]) -> tuple[str, ...]:
    """Return where certbot's trees are in the container, by the paths of chains; its usual place first."""
    found = (match["root"] for path in paths if (match := _LIVE.match(path or "")))
    return tuple(dict.fromkeys((CERTBOT_CONF.mount, *found)))


@dataclass(frozen=True, slots=True)
class OldFiles:
    """What is known of the files in the old proxy's container.

    Attributes:
        folder: the directory that paths of files are relative to.
        prefix: the directory that paths of static files are relative to.
        stays: returns whether the new container has a path with the same content.
        is_folder: returns whether a path is a directory of the old container.
        is_writable: returns whether the user mounts a path that nginx can write to.
        has_mounts: returns whether the user mounts something below a directory, which a copy would not follow.
    """

    folder: str = NGINX.mount
    prefix: str | None = None
    stays: Callable[[str], bool] = lambda path: not f"{path}/".startswith(f"{NGINX.mount}/")
    is_folder: Callable[[str], bool] = lambda _: True
    is_writable: Callable[[str], bool] = lambda _: False
    has_mounts: Callable[[str], bool] = lambda _: False


class KeptFiles:
    """Collects the files to copy: name in nginx/custom/ → path in the old container."""

    def __init__(self, old: OldFiles) -> None:
        self._old = old
        self.copies: dict[str, str] = {}
        self.folders: dict[str, str] = {}

    def cache(self, path: str) -> str:
        """Return where a cache can be in the new container: where it was, or below the directory of temporary files."""
        if f"{path}/".startswith(f"{TEMPORARY}/") or self._old.is_writable(path):
            return path
        return f"{TEMPORARY}/{path.strip('/').replace('/', '_')}"

    def adjusted(self, one: Directive) -> Directive | None:
        """Return a directive with the paths that the new container has; None if a path cannot be known."""
        if one.name in _FOLDERS:
            path = self._folder(one)
            return None if path is None else replace(one, args=(path, *one.args[1:]))
        index = -1 if _LUA_FILE.match(one.name) else FILES.get(one.name)
        if index is None or not one.args:
            return one
        args = list(one.args)
        if "$" in args[index] and not self._finds(args[index]):
            return None
        args[index] = self.file(args[index])
        return replace(one, args=tuple(args))

    def _finds(self, path: str) -> bool:
        """Whether the new container has the files that a path with variables can name."""
        if _LIVE.match(path):
            return True
        fixed = posixpath.join(self._old.folder, path.partition("$")[0])
        return self._old.stays(posixpath.dirname(fixed))

    def file(self, path: str) -> str:
        """Return the path in the new container for a file of the old one."""
        live = _LIVE.match(path)
        if live:
            pair = lineage_pair(live["lineage"])
            return pair.key if live["file"].startswith("privkey") else pair.chain
        if path == "off" or "$" in path or path.startswith(("data:", "engine:")):
            return path
        absolute = posixpath.normpath(posixpath.join(self._old.folder, path))
        if self._old.stays(absolute):
            return absolute
        return self._copied(absolute, self.copies)

    def _folder(self, one: Directive) -> str | None:
        path = one.arg
        if path.startswith("$"):
            return path
        if not path.startswith("/"):
            if self._old.prefix is None:
                return None
            path = posixpath.join(self._old.prefix, path)
        fixed, dollar, rest = path.partition("$")
        if not dollar and not self._old.is_folder(path.rstrip("/")):
            return path if self._old.stays(path) else self._copied(path, self.copies)
        fixed, slash, part = fixed.rpartition("/") if dollar else (path.rstrip("/"), path[len(path.rstrip("/")) :], "")
        if not fixed:
            return path if self._old.stays("/") else None
        stays = self._old.stays(fixed)
        if stays or self._old.has_mounts(fixed):
            return path if stays else None
        return f"{self._copied(fixed, self.folders)}{slash}{part}{dollar}{rest}"

    def _copied(self, path: str, into: dict[str, str]) -> str:
        name = path.rpartition("/")[2].lstrip(".") or "file"
        there = {**self.copies, **self.folders}
        while there.get(name, path) != path or (
            name.endswith(".conf") and (name == "http.conf" or domain_or_none(name.removesuffix(".conf")))
        ):
            name = f"{name}_"
        into[name] = path
        return (CUSTOM / name).mount
