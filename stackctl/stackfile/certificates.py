"""Reads which certificate a site has: one of certbot's by its name, or one that the user imported."""

from __future__ import annotations

from dataclasses import replace

from stackctl.errors import StackfileError
from stackctl.model import imported, values
from stackctl.model.imported import FALLBACK_DAYS, CertificateFiles, Imported
from stackctl.stackfile.document import Document, Path
from stackctl.stackfile.imported_keys import ImportedKeys
from stackctl.stackfile.keys import checked

OWN = ""
"""The name of the certificate that was imported for the site itself, until the site's name is known."""


def certificate_of(doc: Document, path: Path, written: str | ImportedKeys | None) -> str | Imported | None:
    """Return the value of the key ``certificate`` of the block at ``path``.

    Raises:
        StackfileError: it is wrong, or its keys contradict each other.
    """
    place: Path = (*path, "certificate")
    where = doc.where_of(place)
    if written == imported.WORD:
        return Imported(OWN, where=where)
    if not isinstance(written, ImportedKeys):
        return None if written is None else checked(doc, place, values.lineage, written)
    if written.days is not None and written.fallback is None:
        raise StackfileError("'days' is about a fallback", where=where, hint="add 'fallback: acme', or remove 'days'")
    if (written.imported is None) is (written.file is None):
        raise StackfileError(
            "a certificate needs 'imported' or 'file'",
            where=where,
            hint="write {imported: NAME}, or {file: certs/origin.pem, key: certs/origin.key}",
        )
    name, files = OWN, None
    if written.imported is not None:
        stray = next((key for key in ("key", "chain") if getattr(written, key) is not None), None)
        if stray is not None:
            raise StackfileError(
                f"{stray!r} is the file of a certificate that is named by 'file'",
                where=doc.where_of((*place, stray)),
                hint="remove it: what was imported has its key",
            )
        name = checked(doc, (*place, "imported"), imported.import_name, written.imported)
    else:
        files = _files(doc, place, written)
    days = None if written.fallback is None else FALLBACK_DAYS if written.days is None else written.days
    return Imported(name, days, files, where)


def _files(doc: Document, place: Path, written: ImportedKeys) -> CertificateFiles:
    file = checked(doc, (*place, "file"), imported.certificate_path, written.file or "")
    key = file if written.key is None else checked(doc, (*place, "key"), imported.certificate_path, written.key)
    chain = None
    if written.chain is not None:
        chain = checked(doc, (*place, "chain"), imported.certificate_path, written.chain)
    return CertificateFiles(file, key, chain)


def split(name: str, found: str | Imported | None) -> tuple[str | None, Imported | None]:
    """Return the lineage and the imported certificate of the site ``name``; one of both is None."""
    if not isinstance(found, Imported):
        return found, None
    return None, found if found.name != OWN else replace(found, name=name)
