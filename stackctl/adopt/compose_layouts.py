"""Identify the proxy, certbot and helper services of a foreign Compose project, and map their mounts to the host."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from stackctl.errors import InputError
from stackctl.model.endpoints import HTTP_PORT, HTTPS_PORT
from stackctl.model.layout import CERTBOT_CONF
from stackctl.model.project import Mount, Project, Service
from stackctl.model.values import ServiceName
from stackctl.proxies.nginx.layout import NGINX

DOCKER_GEN_SOCKET = "/tmp/docker.sock"  # noqa: S108  (the path that nginx-proxy uses)
_NGINX_PROXY = re.compile(r"(?:^|/)(?:nginx-proxy|docker-gen)\b")
_COMPANION = re.compile(r"acme-companion|letsencrypt-nginx-proxy-companion|docker-letsencrypt")

HAPROXY_FOLDERS = ("/usr/local/etc/haproxy", "/etc/haproxy")
"""Where HAProxy's files are in the official images, and in those of distributions."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The proxy, certbot and their helpers in a foreign Compose project.

    Attributes:
        nginx_proxy: whether the proxy generates its configuration from environment variables of the other services.
        helpers: services that stackctl replaces, such as acme-companion.
        program: what the proxy runs, as the key ``proxy`` names it.
    """

    proxy: Service
    certbot: Service | None
    nginx_proxy: bool
    helpers: tuple[Service, ...] = ()
    program: str = "nginx"

    @property
    def configuration(self) -> tuple[str, ...]:
        """The directories of the old proxy's configuration in its container, which the new one takes the place of."""
        return HAPROXY_FOLDERS if self.program == "haproxy" else (NGINX.mount,)


Runs = Callable[[Service, str], bool]
"""Answers whether a service runs a program, such as ``nginx``."""


def read_layout(project: Project, runs: Runs = lambda _service, _program: False) -> Layout:
    """Return the proxy, certbot and helper services of a project.

    ``runs`` is asked about services whose definition does not say what they run.

    Raises:
        InputError: no service, or more than one, runs nginx or HAProxy and publishes ports.
    """
    services = list(project.services.values())
    own = project.with_role("proxy")
    haproxy = own if own is not None and _is_haproxy(own) else _foreign_haproxy(project, runs)
    if haproxy is not None:
        others = [one for one in services if one is not haproxy]
        certbot = project.with_role("certbot") or _certbot(others, runs)
        return Layout(haproxy, certbot, nginx_proxy=False, program="haproxy")
    proxy = own or _only(
        [one for one in services if _is_proxy(one)]
        or [one for one in services if _publishes(one) and runs(one, "nginx")],
        [one.name for one in services if not one.networks and (_is_nginx(one) or _is_haproxy(one))],
    )
    helpers = tuple(one for one in services if one is not proxy and _is_helper(one))
    others = [one for one in services if one is not proxy and one not in helpers]
    certbot = project.with_role("certbot") or _certbot(others, runs)
    has_socket = any(mount.target == DOCKER_GEN_SOCKET for mount in proxy.mounts)
    nginx_proxy = (
        has_socket
        or bool(_NGINX_PROXY.search(_repository(proxy)))
        or any(_COMPANION.search(_repository(one)) for one in helpers)
    )
    return Layout(proxy, certbot, nginx_proxy, helpers)


def _foreign_haproxy(project: Project, runs: Runs) -> Service | None:
    """Return the service that runs HAProxy as the project's proxy; None if nginx is, or neither.

    Raises:
        InputError: both may be.
    """
    published = [one for one in project.services.values() if _publishes(one)]
    nginx, known = [one for one in published if _is_nginx(one)], [one for one in published if _is_haproxy(one)]
    if project.with_role("proxy"):
        return None
    if nginx and known:
        # One of them may be an app that is published on another port of the host.
        known = [one for one in known if _is_on_web(one)]
        _refuse_several([one for one in nginx if _is_on_web(one)] + known)
    elif nginx:
        return None
    elif not known:
        return next((one for one in published if runs(one, "haproxy")), None)
    return next(iter(known), None)


def _is_on_web(service: Service) -> bool:
    """Return whether it is published on the ports of the web on the host too."""
    return any(port.is_tcp and port.at.port in {HTTP_PORT, HTTPS_PORT} for port in service.ports)


def _refuse_several(found: list[Service]) -> None:
    if len(found) > 1:
        names = ", ".join(one.name for one in found)
        raise InputError(f"more than one service is a proxy that publishes port 80 or 443: {names}")


def _is_haproxy(service: Service) -> bool:
    by_image = _repository(service).rpartition("/")[2].startswith("haproxy")
    return by_image or any(_below(mount.target, path) for mount in service.mounts for path in HAPROXY_FOLDERS)


def _only(found: list[Service], without: list[ServiceName]) -> Service:
    if not found and without:
        raise InputError(
            f"{without[0]} is a proxy with a 'network_mode', such as the host's network, which is not supported",
            hint=f"replace 'network_mode' of {without[0]} by 'ports', and name the apps by their services",
        )
    if not found:
        raise InputError(
            "no service runs nginx or HAProxy, and publishes port 80 or 443",
            hint="for a new proxy, use 'stackctl init' and 'stackctl add-app'",
        )
    _refuse_several(found)
    return found[0]


def _is_proxy(service: Service) -> bool:
    return _publishes(service) and _is_nginx(service)


def _is_nginx(service: Service) -> bool:
    return "nginx" in _repository(service) or any(_below(mount.target, NGINX.mount) for mount in service.mounts)


def _publishes(service: Service) -> bool:
    return any(port.is_tcp and port.target in {HTTP_PORT, HTTPS_PORT} for port in service.ports)


def _is_helper(service: Service) -> bool:
    repository = _repository(service)
    return bool(_COMPANION.search(repository)) or repository.endswith("docker-gen")


def _certbot(services: Iterable[Service], runs: Runs) -> Service | None:
    """Return the service that renews certificates.

    To mount them is not enough: mail servers and others read certificates from certbot's tree.
    """
    there = [one for one in services if one.role is None]
    by_image = [one for one in there if "certbot" in (_repository(one) or one.name)]
    built = (one for one in there if one not in by_image and _has_tree(one))
    mounted = [one for one in by_image if _has_tree(one)]
    return next(iter([*mounted, *by_image]), None) or next((one for one in built if runs(one, "certbot")), None)


def _has_tree(service: Service) -> bool:
    return any(mount.target == CERTBOT_CONF.mount and not mount.read_only for mount in service.mounts)


def _repository(service: Service) -> str:
    image = (service.image or "").partition("@")[0]
    head, slash, last = image.rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"


def _below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


def on_host(mounts: Iterable[Mount], path: str) -> str | None:
    """Return the path on the host of a path in a container; None if it is not in a bind mount."""
    best = mount_of(mounts, path)
    if best is None or best.kind != "bind":
        return None
    return (best.source + path.removeprefix(best.target.rstrip("/"))).rstrip("/")


def mount_of(mounts: Iterable[Mount], path: str) -> Mount | None:
    """Return the innermost mount that contains a path."""
    found = [mount for mount in mounts if _below(path, mount.target.rstrip("/") or "/")]
    return max(found, key=lambda mount: len(mount.target), default=None)
