"""``stackctl cert list`` and ``cert show``: every certificate of a stack, whatever its source is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from stackctl.certs.copied import Pair, lineage_pair, stored_pair
from stackctl.certs.held import Held, Part, held
from stackctl.certs.issuer.copies import LINEAGES, STORED
from stackctl.certs.issuer.pair import PairFiles, parsed
from stackctl.certs.lineage import Certificate, describe
from stackctl.certs.shelf import Shelf, Source
from stackctl.certs.trust import CLOUDFLARE, WORDS, Nearness, Trust, nearness, trust_of
from stackctl.engine.context import Context
from stackctl.engine.probe.cdn import cdn_of_name
from stackctl.errors import InputError
from stackctl.model.imported import import_name
from stackctl.model.layout import CERTBOT_CONF, FULLCHAIN, PRIVKEY, lineage_files, site_certs, site_of_file
from stackctl.model.routing import Site
from stackctl.model.values import Domain
from stackctl.spelling import nearest
from stackctl.usecases.converge import load_current
from stackctl.usecases.result import Result
from stackctl.wording import listed

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CertificateRow:
    """One certificate.

    Attributes:
        source: ``acme``, ``imported``, ``dummy``, ``kept``, or the name of another source.
        served: whether the proxy shows it for each name that is to be served with it; None if there is none.
        used_by: the sites that are served with it, or that have it as their own.
        paths: its files, relative to the stack's directory.
        problem: why it cannot be served, or None.
    """

    name: str
    names: tuple[str, ...]
    issuer: str | None
    source: str
    not_after: datetime | None
    days_left: int | None
    served: bool | None
    used_by: tuple[Domain, ...]
    paths: tuple[str, ...]
    problem: str | None = None

    @property
    def pair(self) -> Pair:
        """Where the proxy finds it."""
        return lineage_pair(self.name) if self.source == Source.ACME else stored_pair(self.name)

    @property
    def kind(self) -> str:
        """The kind of the copies that the proxy reads of it."""
        return LINEAGES if self.source == Source.ACME else STORED


@dataclass(frozen=True, slots=True)
class ListReport:
    """All certificates: those of certbot's tree, then those of ``data/certs``, but no dummy that is not served."""

    certificates: tuple[CertificateRow, ...]


@dataclass(frozen=True, slots=True)
class ShowReport:
    """One certificate in detail.

    Attributes:
        chain: the subjects of the certificates that are served, the leaf first.
        trust: who accepts it; None if that is not known.
        proxied: whether the name of each site resolves to Cloudflare, for a certificate that needs that.
        nearness: how near its end is.
    """

    certificate: CertificateRow
    serial: str
    fingerprint: str
    key: str
    not_before: datetime
    chain: tuple[str, ...]
    trust: Trust | None
    proxied: Mapping[Domain, bool]
    nearness: Nearness


@dataclass(frozen=True, slots=True)
class _Seen:
    """The certificates on disk, what each site is to be served with, and what is served; ``second`` to RSA clients."""

    shelf: Shelf
    sites: Sequence[Site]
    held: Mapping[Domain, Held]
    served: Mapping[Domain, Certificate | None]
    second: Mapping[Domain, Certificate | None]


def list_certificates(context: Context) -> Result[ListReport]:
    """Return every certificate of the stack."""
    return Result("cert list", ListReport(tuple(_rows(_look(context)))))


def show_certificate(context: Context, name: str) -> Result[ShowReport]:
    """Return one certificate, given by its name or by a name of the site that is served with it.

    Raises:
        InputError: there is none, or it cannot be read.
    """
    row = row_of(context, name)
    # Only the chain is read: another user than the owner of the key may look.
    pem = context.directory.pairs.chain(row.kind, row.name) or b""
    chain: list[x509.Certificate] = parsed(pem) or []
    if not chain:
        hint = "run 'stackctl up', which copies it for the proxy"
        raise InputError(
            f"the certificate {site_of_file(row.name)} cannot be read: {row.problem or 'it has no copy'}", hint=hint
        )
    leaf, now = chain[0], context.now()
    trust = None if row.source == Source.DUMMY else trust_of(pem, context.network.trusted_roots())
    origin = row.used_by if trust is Trust.CLOUDFLARE else ()
    report = ShowReport(
        certificate=row,
        serial=f"{leaf.serial_number:x}",
        fingerprint=describe(leaf).fingerprint,
        key=_key(leaf),
        not_before=leaf.not_valid_before_utc,
        chain=tuple(one.subject.rfc4514_string() or listed(describe(one).names) for one in chain),
        trust=trust,
        proxied={site: cdn_of_name(context.network, site) == CLOUDFLARE for site in origin},
        nearness=nearness(describe(leaf), now),
    )
    return Result("cert show", report, notes=(WORDS[trust],) if trust in WORDS else ())


def row_of(context: Context, name: str) -> CertificateRow:
    """Return the certificate that the site ``name`` is served with, or else the one that is called so.

    Of two with the same name it is the one that a site uses.

    Raises:
        InputError: there is none.
    """
    seen = _look(context)
    rows = list(_rows(seen))
    try:
        wanted = {name, import_name(name)}
    except InputError:
        wanted = {name}
    site = next((site for site in seen.sites if name in site.domains), None)
    pair = seen.held[site.name].pair if site else None
    found = [row for row in rows if row.pair == pair]
    named = [row for row in rows if row.name in wanted]
    found += sorted(named, key=lambda row: (bool(row.used_by), row.source != Source.DUMMY), reverse=True)
    if not found:
        near = nearest(name, [site_of_file(row.name) for row in rows])
        hint = f"did you mean {near}?" if near else "see 'stackctl cert list'"
        raise InputError(f"there is no certificate {name}", hint=hint)
    return found[0]


def pair_of(context: Context, row: CertificateRow) -> PairFiles:
    """Return the files of a certificate, as the proxy has them; without a copy, as they are stored."""
    pair = context.directory.pairs.read(row.kind, row.name)
    if pair.fullchain is None and row.kind == STORED:
        return context.directory.stored_files(row.name)
    return pair


def _look(context: Context) -> _Seen:
    stack = load_current(context).stack
    shelf = context.directory.shelf((site.name for site in stack.sites), context.now())
    there = {site.name: held(site, shelf) for site in stack.sites}
    names = list(dict.fromkeys(name for one in there.values() for name in one.witnesses))
    https = stack.proxy.https
    served = context.wire.offered(https.at, names) if https and names else {}
    both = [name for name, one in there.items() if one.second]
    second = context.wire.served(https.at, both, rsa=True) if https and both else {}
    return _Seen(shelf, stack.sites, there, served, second)


def _rows(seen: _Seen) -> Iterator[CertificateRow]:
    of_lineages = _users(seen, lambda there: there.lineages)
    of_pairs = _users(seen, _pairs)
    for name, lineage in sorted(seen.shelf.lineages.items()):
        one = lineage.certificate or lineage.repaired
        paths = tuple((CERTBOT_CONF / path).path for path in lineage_files(name)[:2])
        yield _row(seen, name, one, Source.ACME, of_lineages.get(name, ()), paths, lineage.problem)
    for name, stored in sorted(seen.shelf.stored.items()):
        folder = site_certs(name)
        users = of_pairs.get(stored_pair(name), ())
        if not stored.real and not users:
            continue
        paths = (f"{folder}/{FULLCHAIN}", f"{folder}/{PRIVKEY}")
        problem = None if stored.version else "its files are damaged: its last good copy is served"
        yield _row(seen, name, stored.certificate, stored.source, users, paths, problem)


def _users(seen: _Seen, uses: Callable[[Held], Collection[T]]) -> Mapping[T, Sequence[Domain]]:
    """Return the sites that use each of what ``uses`` returns for a site."""
    found: dict[T, list[Domain]] = {}
    for site, there in seen.held.items():
        for one in uses(there):
            found.setdefault(one, []).append(site)
    return found


def _row(  # noqa: PLR0913  (what is known of a certificate)
    seen: _Seen,
    name: str,
    one: Certificate | None,
    source: str,
    users: Sequence[Domain],
    paths: tuple[str, ...],
    problem: str | None,
) -> CertificateRow:
    row = CertificateRow(
        name=name,
        names=one.names if one else (),
        issuer=one.issuer if one else None,
        source=source,
        not_after=one.not_after if one else None,
        days_left=one.days_left(seen.shelf.now) if one else None,
        served=None,
        used_by=tuple(users),
        paths=paths,
        problem=problem,
    )
    shown = [seen.served.get(witness) for site in users for witness in _witnesses(seen.held[site], row.pair)]
    beside = [site for site in users if any(part.pair == row.pair for part in _second(seen.held[site]))]
    shown += [seen.second.get(site) for site in beside]
    served = all(one is not None and found is not None and found.fingerprint == one.fingerprint for found in shown)
    return replace(row, served=served if shown else None)


def _pairs(there: Held) -> set[Pair]:
    return {there.pair, *(part.pair for part in (*there.others, *_second(there)))} if there.certificate else set()


def _second(there: Held) -> tuple[Part, ...]:
    return (there.second,) if there.second else ()


def _witnesses(there: Held, pair: Pair) -> Iterator[Domain]:
    """Yield one name of a site that is to be served with the pair."""
    if there.pair == pair:
        yield there.site
    yield from (part.names[0] for part in there.others if part.pair == pair)


def _key(leaf: x509.Certificate) -> str:
    match leaf.public_key():
        case rsa.RSAPublicKey() as key:
            return f"RSA {key.key_size}"
        case ec.EllipticCurvePublicKey() as key:
            return f"ECDSA {key.curve.name}"
        case key:
            return type(key).__name__.removesuffix("PublicKey").strip("_")
