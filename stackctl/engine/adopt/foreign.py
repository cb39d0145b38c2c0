"""Collect the facts of a foreign stack: its services, its proxy's configuration, its certificates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stackctl.adapters.disk.certbot_tree import CertbotTree
from stackctl.adapters.disk.files import host_errors, read_or_none
from stackctl.adapters.nginx_reader import ContainerFiles, read_configuration
from stackctl.adopt.compose_layouts import Layout, mount_of, on_host, read_layout
from stackctl.adopt.letsencrypt import contact_of
from stackctl.adopt.nginx_conf import NginxConf, read_conf
from stackctl.certs.lineage import Lineage
from stackctl.engine.context import Context
from stackctl.errors import HostError, InputError
from stackctl.model.layout import ACCOUNT_FILE, ACCOUNT_KEY, ACCOUNTS, CERTBOT_CONF, LINEAGES, RENEWALS
from stackctl.model.project import Project, Service
from stackctl.proxies.nginx.layout import NGINX

SCRIPTS = ("init-letsencrypt.sh", "init_letsencrypt.sh", "init-letsencrypt", "letsencrypt.sh")
"""Scripts that requested certificates, and contain the contact address."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """The facts of a foreign stack.

    Attributes:
        tree: certbot's tree on the host, or None.
        lineages: its lineages, by name.
        renewals: its renewal files, by lineage.
        contact: the e-mail address with which certificates were requested.
    """

    layout: Layout
    conf: NginxConf
    files: ContainerFiles
    tree: Path | None = None
    lineages: Mapping[str, Lineage] = field(default_factory=dict)
    renewals: Mapping[str, str] = field(default_factory=dict)
    contact: str | None = None
    has_account: bool = False


def inspect_foreign(context: Context, project: Project, letsencrypt: Path | None) -> Foreign:
    """Collect everything that decides how the stack is adopted, without any change.

    Raises:
        InputError: there is no proxy, or its configuration is not readable on this host.
    """
    layout = read_layout(project)
    root = context.directory.root
    files = ContainerFiles(root, layout.proxy, lambda path: _elsewhere(context, project, layout.proxy, path))
    conf = read_conf(read_configuration(files, layout.proxy.environment))
    if not conf.servers and not layout.nginx_proxy:
        raise InputError(
            f"the nginx configuration of the service {layout.proxy.name} is not on this host",
            hint=f"mount its {NGINX.mount}/nginx.conf or {NGINX.mount}/conf.d from this host, then run adopt again",
        )
    tree = letsencrypt or _tree(root, layout)
    if tree is None or not (tree / LINEAGES).exists():
        if letsencrypt is not None:
            raise InputError(f"{letsencrypt} has no directory '{LINEAGES}'", field="letsencrypt")
        return Foreign(layout, conf, files, contact=_contact(root, None))
    lineages = CertbotTree(tree, None).lineages()
    with host_errors():
        renewals = {path.stem: path.read_text() for path in sorted((tree / RENEWALS).glob("*.conf"))}
        has_account = any((tree / ACCOUNTS).rglob(ACCOUNT_KEY))
    return Foreign(layout, conf, files, tree, lineages, renewals, _contact(root, tree), has_account)


def _elsewhere(context: Context, project: Project, proxy: Service, path: str) -> bytes | None:
    """Return a text file of the running container, or of its image, that is not mounted from the host."""
    container = context.orchestrator.containers(project.name).running(proxy.name)
    if container is not None:
        done = context.containers.execute(container.id, ["cat", path])
        return done.text.encode() if done.code == 0 else None
    if mount_of(proxy.mounts, path) is not None:
        return None
    if proxy.image is None or context.images.image_id(proxy.image) is None or path.startswith(CERTBOT_CONF.mount):
        return None
    done = context.sandbox.run_once(proxy.image, ["cat", path], {})
    return done.text.encode() if done.code == 0 else None


def _tree(root: Path, layout: Layout) -> Path | None:
    """Return where certbot's tree is on the host, by the mounts of the proxy and certbot."""
    for service in (layout.proxy, layout.certbot):
        for mount in service.mounts if service else ():
            if mount.target == CERTBOT_CONF.mount and mount.kind == "volume":
                raise HostError(
                    f"the certificates are in the volume {mount.source}, which is not a directory of the stack",
                    where=str(service.name if service else ""),
                    hint=f"copy it out first: docker run --rm -v {mount.source}:/from -v $PWD/{CERTBOT_CONF.path}:/to "
                    f"IMAGE cp -a /from/. /to, mount ./{CERTBOT_CONF.path} instead, and start it once",
                )
        found = on_host(service.mounts, CERTBOT_CONF.mount) if service else None
        if found is not None:
            return root / found
    own = root / CERTBOT_CONF.path
    return own if (own / LINEAGES).exists() else None


def _contact(root: Path, tree: Path | None) -> str | None:
    with host_errors():
        accounts = [path.read_text() for path in sorted((tree / ACCOUNTS).rglob(ACCOUNT_FILE))] if tree else []
        scripts = [text.decode("utf-8", "replace") for name in SCRIPTS if (text := read_or_none(root / name))]
    return contact_of(accounts, scripts)
