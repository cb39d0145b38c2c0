"""The page Certificates: all of them, expiring first; import by upload, renewal, deletion of what no site uses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from stackctl.certs.given.parts import GivenFile, Parts, read_parts
from stackctl.engine.context import Context
from stackctl.errors import InputError
from stackctl.ui.base import Page, Ui
from stackctl.ui.changes import Change
from stackctl.ui.forms import text_of
from stackctl.ui.views import certificates as view
from stackctl.usecases.cert_import import ImportOptions, import_certificate
from stackctl.usecases.cert_looks import list_certificates

PATH = "/certificates"


def routes(ui: Ui) -> list[BaseRoute]:
    """Return the routes of the page."""

    def seen(context: Context) -> tuple[list[view.CertificateLine], list[view.Order]]:
        rows = view.lines(list_certificates(context).payload.certificates)
        orders = [view.Order(one.at, one.names, one.issued) for one in context.directory.ledger().entries]
        return rows, view.latest(orders)

    async def show(request: Request) -> Response:
        rows, orders = await ui.look(seen)
        return ui.show(request, "certificates.html.j2", here=PATH, rows=rows, orders=orders)

    return [Route(PATH, show)]


def _import(_ui: Ui, form: FormData) -> Change:
    name, passphrase = text_of(form, "name"), text_of(form, "passphrase")
    if not name:
        raise InputError("the certificate has no name", hint="name a domain of the site that it is for")
    files = list(_files(form))
    if not files:
        raise InputError("no file was chosen", hint="choose the certificate and its key, or a PKCS#12 file")

    def asked(file: str) -> bytes:
        if not passphrase:
            raise InputError(f"{file} is encrypted", hint="send its passphrase too")
        return passphrase.encode()

    parts = read_parts(files, asked)
    options = ImportOptions(name)
    return Change(
        f"Import a certificate for {name}",
        ("cert", "import", name, *_arguments(parts)),
        lambda context, dry_run: import_certificate(context, options, parts, dry_run=dry_run),
        PATH,
    )


def _files(form: FormData) -> Iterator[GivenFile]:
    for one in form.getlist("files"):
        if isinstance(one, UploadFile) and one.filename:
            yield GivenFile(Path(one.filename).name, one.file.read())


def _arguments(parts: Parts) -> Iterator[str]:
    """Yield the options of the command for the same files."""
    certificates = list(dict.fromkeys(one.file for one in parts.certificates))
    keys = [one.file for one in parts.keys if one.file not in certificates]
    if certificates[:1] and Path(certificates[0]).suffix.lower() in {".p12", ".pfx"}:
        yield from ("--pkcs12", certificates[0])
        return
    for option, files in (("--cert", certificates[:1]), ("--key", keys[:1]), ("--chain", certificates[1:2])):
        for file in files:
            yield from (option, file)


PAGE = Page("Certificates", PATH, routes, {"cert-import": _import})
