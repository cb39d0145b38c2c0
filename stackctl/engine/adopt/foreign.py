"""Collect the facts of a foreign stack: its services, its proxy's configuration, its certificates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from stackctl.adapters.disk.certbot_tree import CertbotTree
from stackctl.adapters.disk.files import host_errors, read_or_none
from stackctl.adapters.nginx_reader import ContainerFiles
from stackctl.adopt.compose_layouts import Layout, on_host
from stackctl.adopt.letsencrypt import contact_of
from stackctl.adopt.proposal import Handling, Remark
from stackctl.certs.lineage import Lineage
from stackctl.engine.adopt.inside import Inside
from stackctl.engine.adopt.volumes import TreeVolume, tree_volume, write_entries
from stackctl.engine.context import Context
from stackctl.errors import InputError
from stackctl.model.layout import ACCOUNT_FILE, ACCOUNT_KEY, ACCOUNTS, CERTBOT_CONF, LINEAGES, RENEWALS
from stackctl.model.project import Project

SCRIPTS = ("init-letsencrypt.sh", "init_letsencrypt.sh", "init-letsencrypt", "letsencrypt.sh")
"""Scripts that requested certificates, and contain the contact address."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """The facts of a foreign stack.

    Attributes:
        files: the files of the proxy's configuration; ``inside`` those of its container or image, None if it has
            neither here.
        tree: certbot's tree on the host, or None.
        lineages: its lineages, by name.
        renewals: its renewal files, by lineage.
        contact: the e-mail address with which certificates were requested.
        volume: the named volume that certbot's tree is in; ``tree`` is a copy of it then, while the stack is surveyed.
        remarks: how the files differ from what the running proxy loaded.
    """

    layout: Layout
    files: ContainerFiles
    inside: Inside | None = None
    tree: Path | None = None
    lineages: Mapping[str, Lineage] = field(default_factory=dict)
    renewals: Mapping[str, str] = field(default_factory=dict)
    contact: str | None = None
    has_account: bool = False
    remarks: tuple[Remark, ...] = ()
    volume: TreeVolume | None = None


def inspect_foreign(  # noqa: PLR0913  (the project, and what is already known of it)
    context: Context,
    project: Project,
    foreign: Foreign,
    letsencrypt: Path | None,
    scratch: Path,
    trees: Sequence[str],
) -> Foreign:
    """Return the facts with those of certbot's tree, which the proxy's container can have at ``trees``.

    A tree that is in a named volume is copied to ``scratch``, an empty directory, to look at it.

    Raises:
        InputError: ``letsencrypt`` has no such tree.
    """
    root, layout = context.directory.root, foreign.layout
    foreign = replace(
        foreign,
        contact=_contact(root, None),
        remarks=(*_loaded_otherwise(foreign.files, foreign.inside), *foreign.remarks),
    )
    volume = None if letsencrypt else tree_volume(context, project, layout, trees)
    if volume is not None:
        with host_errors():
            write_entries(volume.entries(context), scratch)
        return replace(_with_tree(foreign, root, scratch), volume=volume)
    tree = letsencrypt or _tree(root, layout, trees)
    if tree is None or not (tree / LINEAGES).exists():
        if letsencrypt is not None:
            raise InputError(f"{letsencrypt} has no directory '{LINEAGES}'", field="letsencrypt")
        return foreign
    return _with_tree(foreign, root, tree)


def container_addresses(context: Context, project: Project) -> dict[str, str]:
    """Return the services of the project by the addresses of their containers."""
    found = context.orchestrator.containers(project.name)
    return {address: container.service for container in found for address in container.addresses}


def _with_tree(foreign: Foreign, root: Path, tree: Path) -> Foreign:
    """Add what certbot's tree says."""
    with host_errors():
        renewals = {path.stem: _text(path) for path in sorted((tree / RENEWALS).glob("*.conf"))}
        has_account = any((tree / ACCOUNTS).rglob(ACCOUNT_KEY))
    return replace(
        foreign,
        tree=tree,
        lineages=CertbotTree(tree, None).lineages(),
        renewals=renewals,
        contact=_contact(root, tree),
        has_account=has_account,
    )


def _loaded_otherwise(files: ContainerFiles, inside: Inside | None) -> tuple[Remark, ...]:
    """Remark the files whose content on the host, or in the container, is not what the running proxy loaded."""
    if inside is None or not inside.in_force or files.is_stackctls:
        return ()
    found = [
        Remark(Handling.CHANGED, "the running container has another content, which is adopted: what it serves", shown)
        for shown in files.differing
    ]
    newer = "it was edited after the proxy last loaded it: its content now is adopted, not what is served"
    return (
        *found,
        *(Remark(Handling.CHANGED, newer, at) for at, path in files.read_inside.items() if inside.is_newer(path)),
    )


def _tree(root: Path, layout: Layout, trees: Sequence[str]) -> Path | None:
    """Return where certbot's tree is on the host, by the mounts of the proxy and certbot.

    ``trees`` are the paths that it can have in the proxy's container.
    """
    for path in trees:
        for service in (layout.proxy, layout.certbot):
            found = on_host(service.mounts, path) if service else None
            if found is not None:
                return root / found
    own = root / CERTBOT_CONF.path
    return own if (own / LINEAGES).exists() else None


def _contact(root: Path, tree: Path | None) -> str | None:
    with host_errors():
        accounts = [_text(path) for path in sorted((tree / ACCOUNTS).rglob(ACCOUNT_FILE))] if tree else []
        scripts = [text.decode("utf-8", "replace") for name in SCRIPTS if (text := read_or_none(root / name))]
    return contact_of(accounts, scripts)


def _text(path: Path) -> str:
    return (read_or_none(path) or b"").decode("utf-8", "replace")
