"""``stackctl cert import``: serves a certificate that the user brings, after everything about it was checked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from stackctl.adapters.disk.files import input_errors
from stackctl.certs.given.pair import GivenPair, make_pair, refuse_uncovered
from stackctl.certs.given.parts import LARGEST, GivenFile, Parts, Passphrase, read_parts
from stackctl.certs.trust import CLOUDFLARE, WORDS, Trust, trust_of
from stackctl.engine.context import Context
from stackctl.engine.probe.cdn import cdn_of_name
from stackctl.errors import InputError
from stackctl.model.imported import WORD, import_name
from stackctl.model.layout import site_of_file
from stackctl.model.routing import Site
from stackctl.model.values import Domain, domain
from stackctl.plan.imports import StoreImported
from stackctl.plan.intent import Intent
from stackctl.reading import read_patiently
from stackctl.stackfile.document import Document
from stackctl.stackfile.settings import Change, block_of, changed
from stackctl.usecases.converge import Loaded, converge, load, load_current
from stackctl.usecases.result import Result
from stackctl.wording import listed


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """The certificate to import, and where it is.

    Attributes:
        name: a domain of a site; or another name, under which several sites may share it.
        sites: further sites that are served with it.
    """

    name: str
    cert: Path | None = None
    key: Path | None = None
    chain: Path | None = None
    pkcs12: Path | None = None
    sites: tuple[Domain, ...] = ()


@dataclass(frozen=True, slots=True)
class ImportReport:
    """The certificate, and the sites that are served with it.

    Attributes:
        name: under which it is stored.
        names: its DNS names.
        trust: who accepts it; None if that is not known.
    """

    name: str
    names: tuple[str, ...]
    issuer: str
    serial: str
    fingerprint: str
    not_after: datetime
    days_left: int
    trust: Trust | None
    sites: tuple[Domain, ...]
    stored: bool


def read(options: ImportOptions, passphrase: Passphrase) -> Parts:
    """Return what the files hold that the options name.

    Raises:
        InputError: the options contradict each other, or a file cannot be read.
    """
    return read_parts(_files(options), passphrase)


def import_certificate(
    context: Context, options: ImportOptions, parts: Parts, *, dry_run: bool = False
) -> Result[ImportReport]:
    """Check a certificate with its key, store both, name them in the Compose file, and prove the serial on the wire.

    Raises:
        InputError: the files are not a pair that can be served for the sites; nothing was changed.
    """
    loaded = load_current(context)
    name, users = _target(loaded, options)
    pair = make_pair(parts, context.now())
    for site in users:
        refuse_uncovered(pair, site.domains, site.name)
    doc = loaded.doc
    for site in users:
        doc = _named(loaded, doc, site, name)
    after = loaded if doc is loaded.doc else load(context, doc, loaded.before)
    names = {name for site in users for name in site.domains}
    users = [site for site in after.stack.sites if names & {*site.domains}]
    focus = frozenset(site.name for site in users)
    result = converge(
        context, "cert import", after, Intent(focus=focus, imports={name: pair}, strict=True), dry_run=dry_run
    )
    trust = trust_of(pair.chain, context.network.trusted_roots())
    stored = any(isinstance(operation, StoreImported) for operation in result.plan.operations)
    notes = [*result.notes, *pair.notes, *_notes(context, after, name, pair, trust, users)]
    if not result.plan:
        notes.append(f"nothing changed: {site_of_file(name)} has this certificate already")
    one = pair.certificate
    report = ImportReport(
        name=name,
        names=one.names,
        issuer=one.issuer,
        serial=pair.serial,
        fingerprint=one.fingerprint,
        not_after=one.not_after,
        days_left=one.days_left(context.now()),
        trust=trust,
        sites=tuple(site.name for site in users),
        stored=stored,
    )
    return replace(result, notes=tuple(notes)).carrying(report)


def _files(options: ImportOptions) -> list[GivenFile]:
    """Return the files that the options name, each once."""
    if options.pkcs12 is None and options.cert is None:
        raise InputError(
            "no certificate is given",
            hint="run 'stackctl cert import' with --cert FILE and --key FILE, or with --pkcs12 FILE",
        )
    if options.pkcs12 is not None and (options.cert or options.key or options.chain):
        raise InputError(
            "a PKCS#12 file has the certificate, its key and its chain", field="pkcs12", hint="pass only one of them"
        )
    found: dict[Path, GivenFile] = {}
    for field in ("cert", "key", "chain", "pkcs12"):
        path: Path | None = getattr(options, field)
        if path is not None and path not in found:
            with input_errors(field):
                found[path] = GivenFile(str(path), read_patiently(path, LARGEST))
    return list(found.values())


def _target(loaded: Loaded, options: ImportOptions) -> tuple[str, list[Site]]:
    """Return the name under which the certificate is stored, and the sites that are served with it."""
    own = _site(loaded, options.name)
    name = import_name(options.name) if own is None else _own_name(own)
    chosen = [loaded.site(one) for one in options.sites]
    for site in chosen:
        _refuse_files(site)
    users = [site for site in loaded.stack.sites if site.imported is not None and site.imported.name == name]
    users += [site for site in (*([own] if own else []), *chosen) if site not in users]
    return name, users


def _site(loaded: Loaded, text: str) -> Site | None:
    try:
        return loaded.stack.site(domain(text))
    except InputError:
        return None


def _own_name(site: Site) -> str:
    """Return the name of the certificate that is imported for a site itself.

    Raises:
        InputError: the Compose file says that it has another one.
    """
    _refuse_files(site)
    if site.imported is not None and site.imported.name != site.name:
        raise InputError(
            f"{site.name} is served with the imported certificate {site_of_file(site.imported.name)}, as other sites "
            "may be",
            where=site.imported.where,
            hint=f"replace that one with 'stackctl cert import {site.imported.name} …'; for one of its own, write "
            "'certificate: imported' there first",
        )
    return site.name


def _refuse_files(site: Site) -> None:
    if site.imported is not None and site.imported.files is not None:
        raise InputError(
            f"the certificate of {site.name} is the file {site.imported.files.file}",
            where=site.imported.where,
            hint="replace the file and run 'stackctl up', or write 'certificate: imported' there",
        )


def _named(loaded: Loaded, doc: Document, site: Site, name: str) -> Document:
    """Return ``doc`` with the site's key ``certificate``, which says that it is imported."""
    if site.imported is not None and site.imported.name == name:
        return doc
    value = WORD if name == site.name else f'{{imported: "{site_of_file(name)}"}}'
    return changed(doc, block_of(loaded.values, site), Change("certificate", value))


def _notes(  # noqa: PLR0913  (the certificate, and what is known of it)
    context: Context, loaded: Loaded, name: str, pair: GivenPair, trust: Trust | None, users: Sequence[Site]
) -> Iterator[str]:
    if not users:
        covered = [one.name for one in loaded.stack.sites if all(map(pair.certificate.covers, one.domains))]
        todo = f"; it covers {listed(covered)}: 'stackctl cert import … --site DOMAIN' uses it there" if covered else ""
        yield f"no site is served with {site_of_file(name)} yet{todo}"
    if trust in WORDS:
        yield WORDS[trust]
    if trust in {Trust.UNKNOWN_CA, None} and pair.issuer is not None:
        yield f"if its issuer {pair.issuer} is an intermediate CA and no root, import that one too, as its chain"
    if trust is Trust.CLOUDFLARE:
        for site in users:
            yield proxied_note(context, site)


def proxied_note(context: Context, site: Site) -> str:
    """Return whether the record of a site's name leads to Cloudflare, for a certificate that needs that."""
    if cdn_of_name(context.network, site.name) == CLOUDFLARE:
        return f"{site.name} resolves to Cloudflare's proxy: visitors see Cloudflare's certificate"
    return f"{site.name} does not resolve to Cloudflare's proxy: set its record there to 'Proxied'"
