"""The certificates of a stack on disk: certbot's lineages, what is stored for sites, and the copies for the proxy."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from stackctl.adapters.disk.certbot_tree import CertbotTree, TreeReader
from stackctl.adapters.disk.files import host_errors, make_folder, read_or_none, write_whole
from stackctl.adapters.disk.pairs import Pairs
from stackctl.certs.copied import Copy
from stackctl.certs.issuer.copies import LINEAGES as OF_LINEAGES
from stackctl.certs.issuer.copies import STORED as OF_STORED
from stackctl.certs.issuer.local import ORGANIZATION
from stackctl.certs.issuer.pair import PairFiles, pair_problem
from stackctl.certs.lineage import Lineage, read_certificate
from stackctl.certs.local_ca import LocalCa, read_ca
from stackctl.certs.shelf import Shelf, Source, Stored
from stackctl.model.layout import (
    CERTBOT_CONF,
    CERTS,
    FULLCHAIN,
    LOCAL_CA,
    LOCAL_ISSUER,
    LOCAL_ROOT,
    PAIRS,
    PRIVKEY,
    REFUSED,
    SOURCE,
    TRUST,
    TRUST_BUNDLE,
    site_certs,
    site_file,
    site_of_file,
)

_RECORDED = {Source.KEPT, Source.IMPORTED, Source.LOCAL}
"""What is recorded in a folder that need not be that of a site."""


class CertificateFiles:
    """The certificates below a stack's directory; every method raises :class:`HostError` on a file system error."""

    def __init__(self, root: Path, read_tree: TreeReader | None, lineages_cache: Path | None) -> None:
        self.root = root
        self._read_tree = read_tree
        self._lineages_cache = lineages_cache

    def certbot_tree(self) -> CertbotTree:
        """Return certbot's current tree."""
        return CertbotTree(self.root / CERTBOT_CONF.path, self._read_tree, self._lineages_cache)

    def lineages(self) -> dict[str, Lineage]:
        """Return certbot's lineages, by name."""
        return self.certbot_tree().lineages()

    def lineage(self, name: str) -> Lineage:
        """Return one lineage."""
        return self.certbot_tree().lineage(name)

    @property
    def pairs(self) -> Pairs:
        """The verified copies that a proxy reads."""
        return Pairs(self.root / PAIRS.path)

    def shelf(self, sites: Iterable[str], now: datetime, tree: CertbotTree | None = None) -> Shelf:
        """Return all that ``sites``, given by their own names, and their aliases may be served with at ``now``.

        ``tree`` is certbot's, if it is read for something else too: it can cost a copy out of a container.
        """
        lineages = (tree or self.certbot_tree()).lineages()
        copies = self.pairs.copies(OF_LINEAGES, {one.version: one.certificate for one in lineages.values()})
        stored_copies = self.pairs.copies(OF_STORED, {})
        gone = {
            name: Lineage(name, copy.certificate, "certbot's tree no longer has it", gone=True)
            for name, copy in copies.items()
        }
        stored_copies = {**stored_copies, **{site_of_file(name): copy for name, copy in stored_copies.items()}}
        sources = self._sources()
        stored = {}
        for name in dict.fromkeys([*sites, *_recorded_names(sources)]):
            one = self._stored(name, stored_copies.get(name), sources.get(site_file(name)))
            if one is not None:
                stored[name] = one
        return Shelf({**gone, **lineages}, stored, now, copies, stored_copies, self.local_ca(now))

    def _sources(self) -> dict[str, str]:
        """Return where the certificates below ``data/certs`` come from, as far as it is recorded, by folder."""
        with host_errors():
            files = {one.parent.name: read_or_none(one) or b"" for one in (self.root / CERTS).glob(f"*/{SOURCE}")}
        return {name: content.decode("utf-8", "replace").strip() for name, content in files.items()}

    def _stored(self, site: str, copy: Copy | None, source: str | None) -> Stored | None:
        """Return the certificate below ``data/certs`` for a site, or of a broken one its last good copy; or None."""
        files = self.stored_files(site)
        if copy is not None and (copy.version == files.version or (source == Source.LOCAL and _is_local(copy))):
            # The loop in the certbot container renews the copy of a certificate of the local CA, and sees no other.
            return Stored.of(copy.certificate, source, copy.version)
        if files.fullchain is not None and pair_problem(files.fullchain, files.privkey) is None:
            return Stored.of(read_certificate(files.fullchain), source, files.version)
        return None if copy is None else Stored.of(copy.certificate, source)

    def local_ca(self, now: datetime) -> LocalCa | None:
        """Return the stack's own CA, if there is one; without the right to read its key it is taken for whole."""
        with host_errors():
            root = read_or_none(self.root / LOCAL_ROOT.path)
            try:
                issuer = read_or_none(self.root / LOCAL_ISSUER.path)
            except PermissionError:
                found = read_ca(root, b"", now)
                return found and replace(found, problem=None)
        return read_ca(root, issuer, now)

    def local_root(self) -> bytes | None:
        """Return the root of the stack's own CA."""
        with host_errors():
            return read_or_none(self.root / LOCAL_ROOT.path)

    def trust_bundle(self) -> bytes | None:
        """Return the roots that services trust by the stack's bundle."""
        with host_errors():
            return read_or_none(self.root / TRUST_BUNDLE.path)

    def write_trust_bundle(self, roots: bytes) -> None:
        """Write that bundle: ``roots``, and that of the stack's own CA."""
        with host_errors():
            make_folder(self.root / TRUST.path)
            write_whole(self.root / TRUST_BUNDLE.path, roots.rstrip(b"\n") + b"\n" + (self.local_root() or b""))

    def local_issuer(self) -> bytes:
        """Return the certificate and the key by which the stack's own CA issues."""
        with host_errors():
            return (self.root / LOCAL_ISSUER.path).read_bytes()

    def write_local_ca(self, root: bytes, issuer: bytes) -> None:
        """Replace the stack's own CA; only the owner can read its key."""
        with host_errors():
            make_folder(self.root / LOCAL_CA.path)
            write_whole(self.root / LOCAL_ROOT.path, root)
            write_whole(self.root / LOCAL_ISSUER.path, issuer, 0o600)

    def copy_lineage(self, name: str, now: datetime) -> None:
        """Copy a lineage of certbot's tree to where the proxy reads it.

        Raises:
            HostError: it cannot be served, so that the last good copy stays.
        """
        self.pairs.copy(OF_LINEAGES, name, self.certbot_tree().pair(name), now)

    def copy_stored(self, site: str, now: datetime) -> None:
        """Copy the certificate stored for a site to where the proxy reads it.

        Raises:
            HostError: it cannot be served, so that the last good copy stays.
        """
        self.pairs.copy(OF_STORED, site_file(site), self.stored_files(site), now)

    def stored_problem(self, site: str) -> str | None:
        """Return why the certificate stored for a site cannot be served, or None."""
        files = self.stored_files(site)
        return pair_problem(files.fullchain, files.privkey)

    def stored_files(self, site: str) -> PairFiles:
        """Return the content of what is stored for a site, or imported under a name; what is missing is None."""
        folder = self.root / site_certs(site)
        with host_errors():
            return PairFiles(read_or_none(folder / FULLCHAIN), read_or_none(folder / PRIVKEY))

    def refused_copies(self) -> dict[str, str]:
        """Return why certbot's deploy hook did not copy lineages when it last tried, by name."""
        with host_errors():
            text = (read_or_none(self.root / REFUSED.path) or b"").decode("utf-8", "replace")
        return dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)

    def store_pair(self, site: str, chain: bytes, key: bytes, source: str | None = None) -> None:
        """Store a site's certificate that is not certbot's, and copy it for the proxy; only the owner can read the key.

        ``source`` is where it comes from; None for a dummy, and for what ``adopt`` takes over until it is due.
        """
        folder = self.root / site_certs(site)
        with host_errors():
            make_folder(folder)
            with suppress(FileNotFoundError):  # the user can have put a key there that others can read
                (folder / PRIVKEY).chmod(0o600)
            write_whole(folder / PRIVKEY, key, 0o600)
            write_whole(folder / FULLCHAIN, chain)
            if source is not None:
                write_whole(folder / SOURCE, f"{source}\n".encode())
            else:
                (folder / SOURCE).unlink(missing_ok=True)
        self.pairs.replace(OF_STORED, site_file(site), PairFiles(chain, key))

    def remove_pair(self, site: str) -> None:
        """Remove the certificate stored for a site, with its key and its copy."""
        folder = self.root / site_certs(site)
        with host_errors():
            if folder.is_dir():
                shutil.rmtree(folder)
        self.pairs.remove(OF_STORED, site_file(site))

    def remove_import(self, name: str) -> None:
        """Remove an imported certificate, unless a dummy has taken its place."""
        there = self._stored(name, None, self._sources().get(site_file(name)))
        if there is None or there.source == Source.IMPORTED:
            self.remove_pair(name)

    def remove_copy(self, lineage: str) -> None:
        """Remove the copy of a lineage."""
        self.pairs.remove(OF_LINEAGES, lineage)


def _recorded_names(sources: Mapping[str, str]) -> list[str]:
    """Return the names of what is imported, of what the local CA issued, and of copies of others that are kept."""
    # An import has the name of its folder; what is kept or issued has that of the site.
    found = ((name, source) for name, source in sources.items() if source in _RECORDED)
    return sorted(name if source == Source.IMPORTED else site_of_file(name) for name, source in found)


def _is_local(copy: Copy) -> bool:
    """Return whether a copy is of a certificate of the stack's own CA."""
    return copy.certificate.issuer.startswith(ORGANIZATION)
