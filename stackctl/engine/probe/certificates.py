"""Gathers what :mod:`stackctl.diagnose.certificates` and :mod:`stackctl.diagnose.renewal` judge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from stackctl.adapters.disk.files import host_errors, read_or_none
from stackctl.certs.held import held
from stackctl.certs.renewal import KINDS
from stackctl.diagnose.certificates import CertificateFacts, KeyFile
from stackctl.diagnose.renewal import LoopFacts, RenewalFacts
from stackctl.engine.context import Context
from stackctl.model.layout import (
    ACCOUNT_FILE,
    ACCOUNTS,
    CERTBOT_CONF,
    CHECKED,
    LINEAGES,
    archive_folder,
    lineage_file,
    lineage_files,
)
from stackctl.model.routing import Site
from stackctl.model.stack import Stack
from stackctl.observed.containers import Deployment

INTERVAL = timedelta(hours=12)
_VARIABLE = "RENEW_SECONDS"


@dataclass(frozen=True, slots=True)
class Tree:
    """certbot's tree as far as it can be seen: ``root`` is None where only its files' contents can be."""

    root: Path | None
    files: Mapping[str, bytes] = field(default_factory=dict)

    def read(self, path: str) -> bytes | None:
        """A file's content, links followed."""
        return read_or_none(self.root / path) if self.root else self.files.get(path)

    def names(self, folder: str) -> frozenset[str]:
        """What is in a folder."""
        if self.root:
            at = self.root / folder
            return frozenset(path.name for path in at.iterdir()) if at.is_dir() else frozenset()
        inside = (path.removeprefix(f"{folder}/") for path in self.files if path.startswith(f"{folder}/"))
        return frozenset(path.partition("/")[0] for path in inside)

    def accounts(self) -> frozenset[str]:
        """The accounts, as ``HOST/PATH/ID``."""
        if self.root:
            home = self.root / ACCOUNTS
            # Links are followed: certbot shares the account of a CA's old address by one.
            return frozenset(str(path.parent.relative_to(home)) for path in _marks(home))
        marks = (path.removeprefix(f"{ACCOUNTS}/") for path in self.files if path.startswith(f"{ACCOUNTS}/"))
        return frozenset(path.removesuffix(f"/{ACCOUNT_FILE}") for path in marks if path.endswith(f"/{ACCOUNT_FILE}"))


def _marks(folder: Path, depth: int = 6) -> list[Path]:
    """The account files below ``folder``; ``depth`` ends what links could make endless."""
    if not folder.is_dir() or not depth:
        return []
    found = [folder / ACCOUNT_FILE] if (folder / ACCOUNT_FILE).exists() else []
    return found + [mark for inner in folder.iterdir() if inner.is_dir() for mark in _marks(inner, depth - 1)]


def open_tree(context: Context) -> Tree:
    """The tree on the disk; through certbot's container where the disk is closed to this user."""
    root = context.directory.root / CERTBOT_CONF.path
    with host_errors():
        try:
            if (root / LINEAGES).is_dir():
                list((root / LINEAGES).iterdir())
            _marks(root / ACCOUNTS)
        except PermissionError:
            return Tree(None, context.containers.read_tree("certbot", CERTBOT_CONF.mount))
    return Tree(root)


@dataclass(frozen=True, slots=True)
class Gathered:
    """The facts of one app's certificate, and of its renewal; None for one that was never issued."""

    certificate: CertificateFacts
    renewal: RenewalFacts | None


def certificates(context: Context, stack: Stack, sites: Sequence[Site], *, proxy_up: bool) -> list[Gathered]:
    """The facts of each app's certificate, on disk and on the wire."""
    names = [site.name for site in sites]
    shown = context.wire.served(stack.proxy.https.at, names) if proxy_up and names else {}
    now = context.now()
    with host_errors():
        tree = open_tree(context)
        accounts, shelf = tree.accounts(), context.directory.shelf(names)
        found = []
        for site in sites:
            chain, _, renewal = _parts(tree, site.lineage)
            there = held(site, shelf)
            certificate = CertificateFacts(
                subject=site.name,
                names=site.domains,
                held=there,
                fullchain=chain,
                chain=tree.read(lineage_file(site.lineage, "chain")),
                key_file=_key_file(tree, site.lineage),
                shown=shown.get(site.name),
                proxy_up=proxy_up,
                now=now,
            )
            facts = _renewal(tree, site, renewal, accounts, stack.acme.directory) if there.own else None
            found.append(Gathered(certificate, facts))
    return found


def _parts(tree: Tree, name: str) -> tuple[bytes | None, bytes | None, bytes | None]:
    chain, key, renewal = map(tree.read, lineage_files(name))
    return chain, key, renewal


def _key_file(tree: Tree, name: str) -> KeyFile | None:
    if tree.root is None:
        return None
    try:
        facts = (tree.root / lineage_file(name, "privkey")).stat()
        # certbot made this folder itself, whoever it is on this host.
        owner = (tree.root / archive_folder(name)).stat().st_uid
    except OSError:
        return None
    return KeyFile(facts.st_mode & 0o7777, facts.st_uid, owner)


def _renewal(tree: Tree, site: Site, text: bytes | None, accounts: frozenset[str], directory: str) -> RenewalFacts:
    return RenewalFacts(
        subject=site.name,
        lineage=site.lineage,
        names=site.domains,
        text=None if text is None else text.decode("utf-8", "replace"),
        links=None if tree.root is None else _links(tree.root, site.lineage),
        archived=tree.names(archive_folder(site.lineage)),
        accounts=accounts,
        directory=directory,
    )


def _links(root: Path, lineage: str) -> dict[str, str | None]:
    links = {kind: root / lineage_file(lineage, kind) for kind in KINDS}
    return {kind: str(link.readlink()) if link.is_symlink() else None for kind, link in links.items()}


def loop(context: Context, stack: Stack, containers: Deployment) -> LoopFacts:
    """The facts of the loop that renews."""
    container = containers.best(stack.certbot)
    seen = context.containers.inspect(container.id) if container else None
    seconds = seen.environment.get(_VARIABLE, "") if seen else ""
    return LoopFacts(
        service=stack.certbot,
        state=seen.state if seen else None,
        started=seen.started if seen else None,
        checked=_stamp(context.directory.root / CHECKED.path),
        interval=timedelta(seconds=int(seconds)) if seconds.isdigit() else INTERVAL,
        now=context.now(),
    )


def _stamp(path: Path) -> datetime | None:
    with host_errors():
        text = (read_or_none(path) or b"").decode("ascii", "replace").strip()
    return datetime.fromtimestamp(int(text), UTC) if text.isdigit() else None
