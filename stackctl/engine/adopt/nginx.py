"""Read the configuration of a foreign nginx in its container, or in its image if it has none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from stackctl.adapters.nginx_reader import ContainerFiles, read_configuration
from stackctl.adopt.addresses import by_name
from stackctl.adopt.compose_layouts import Layout
from stackctl.adopt.kept_files import trees_of
from stackctl.adopt.nginx_conf import UNNAMED, NginxConf, ServerBlock, read_conf
from stackctl.adopt.proposal import Handling, ProposedStream, Remark
from stackctl.adopt.streams import read_streams, without_streams
from stackctl.errors import InputError
from stackctl.proxies.nginx.directives import every


@dataclass(frozen=True, slots=True)
class OldNginx:
    """What an nginx serves.

    Attributes:
        streams: what it passes on without HTTP.
        remarks: how its streams and the image's welcome page are handled.
    """

    conf: NginxConf
    streams: tuple[ProposedStream, ...]
    remarks: tuple[Remark, ...]

    @property
    def trees(self) -> tuple[str, ...]:
        """Where its container can have certbot's tree."""
        return trees_of(server.certificate for server in self.conf.servers)


def read_old_nginx(files: ContainerFiles, layout: Layout, addresses: Mapping[str, str]) -> OldNginx:
    """Return what the nginx of ``layout`` serves; ``addresses`` are those of containers, with their services.

    Raises:
        InputError: there is no configuration on this host.
    """
    directives = read_configuration(files, layout.proxy.environment)
    directives = tuple(by_name(directives, addresses))
    passed_on = read_streams(directives, layout.proxy.ports, (layout.proxy.name, *layout.proxy.hosts))
    conf = read_conf(without_streams(directives, passed_on))
    welcome = [server for server in conf.servers if _welcomes(server, files)]
    conf = replace(conf, servers=tuple(server for server in conf.servers if server not in welcome))
    if not conf.servers and not passed_on.streams and not layout.nginx_proxy:
        raise InputError(
            f"the nginx configuration of the service {layout.proxy.name} has no server",
            where=files.main,
            hint="start the stack, so that its configuration can be read in the container, then run adopt again",
        )
    return OldNginx(conf, passed_on.streams, (*map(_welcome, welcome), *passed_on.remarks))


def _welcomes(server: ServerBlock, files: ContainerFiles) -> bool:
    """Whether it only shows the image's welcome page, to requests for unknown names."""
    if server.domains or not set(server.names) <= UNNAMED:
        return False
    if any(one.name.endswith("_pass") or one.name in {"return", "rewrite", "alias"} for one in every(server.body)):
        return False
    roots = {one.arg for one in every(server.body) if one.name == "root"}
    pages = [files.read(f"{root}/index.{kind}") for root in roots for kind in ("html", "nginx-debian.html")]
    return any(page is not None and b"Welcome to nginx" in page[1] for page in pages)


def _welcome(server: ServerBlock) -> Remark:
    text = "the image's welcome page for unknown names, which are refused from now on"
    return Remark(Handling.REPLACED, text, server.at)
