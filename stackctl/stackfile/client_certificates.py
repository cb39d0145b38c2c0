"""Reads the key ``client-certificate``."""

from __future__ import annotations

from stackctl.model import header_values
from stackctl.model.client_certificates import ClientCertificate
from stackctl.model.own_files import own_file
from stackctl.model.pages import PageFile
from stackctl.stackfile.client_keys import ClientCertificateKeys
from stackctl.stackfile.document import Document, Path
from stackctl.stackfile.keys import checked


def client_certificate(doc: Document, path: Path, keys: ClientCertificateKeys | None) -> ClientCertificate | None:
    """Return what the key at ``path`` says.

    Raises:
        StackfileError: a value is wrong; with its place.
    """
    if keys is None:
        return None

    def file(name: str, text: str) -> PageFile:
        return PageFile(checked(doc, (*path, name), own_file, text), doc.where_of((*path, name)))

    headers = {
        checked(doc, (*path, "pass", name), header_values.identity_header, name): value
        for name, value in keys.pass_.items()
    }
    return ClientCertificate(
        file("ca", keys.ca),
        None if keys.crl is None else file("crl", keys.crl),
        required=keys.verify == "required",
        headers=tuple(headers.items()),
        where=doc.where_of(path),
    )
