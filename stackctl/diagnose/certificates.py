"""Check the certificate of an app: complete, valid, for all names, and the one that is served."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from stackctl.certs.dummy import is_dummy
from stackctl.certs.held import Held
from stackctl.certs.issuer.pair import blocks, chain_fault, parsed
from stackctl.certs.lineage import Certificate, Lineage, own_way_todo
from stackctl.certs.shelf import Source
from stackctl.diagnose.check import Check, Verdict, ok, skipped, unknown, wrong
from stackctl.diagnose.imported import ImportFacts, judge_end, judge_import
from stackctl.model.layout import CERTBOT_CONF, FULLCHAIN, lineage_file, lineage_folder, site_of_file
from stackctl.wording import day, moment

ISSUED, CHAIN, KEY, KEY_FILE = "cert-issued", "cert-chain", "cert-key", "cert-key-file"
NAMES, DAYS, WIRE = "cert-names", "cert-days", "cert-wire"
ON_DISK = (CHAIN, KEY, KEY_FILE, NAMES, DAYS, WIRE)
"""The checks of a certificate on disk; those of its renewal are in :mod:`stackctl.diagnose.renewal`."""

_OTHERS = 0o007
_GROUP_WRITES = 0o020


@dataclass(frozen=True, slots=True)
class KeyFile:
    """The file of a private key: its mode, the uid of its owner, and the uid that certbot runs as."""

    mode: int
    owner: int
    certbot: int


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """Facts about an app's certificate.

    Attributes:
        subject: the app's first name.
        names: all of its names.
        held: the certificate that the site is served with, and its own lineage.
        fullchain: content of ``fullchain.pem``, which is served.
        chain: content of ``chain.pem``: what the CA sent behind the leaf; None where it is missing.
        key_file: None where it cannot be read from here.
        served: the certificate of a handshake with the proxy; None where there was none.
        proxy_up: whether the proxy answers at all.
        imported: facts about the imported certificate that the Compose file names; None if it names none.
    """

    subject: str
    names: Sequence[str]
    held: Held
    fullchain: bytes | None
    chain: bytes | None
    key_file: KeyFile | None
    served: Certificate | None
    proxy_up: bool
    now: datetime
    imported: ImportFacts | None = None

    @property
    def lineage(self) -> Lineage | None:
        """The site's own lineage; None if no certificate was issued."""
        return self.held.own


def judge_certificate(facts: CertificateFacts) -> list[Check]:
    """Return the checks of one certificate: on disk, then as served."""
    current = facts.held.certificate
    if facts.imported is None or current is None:
        return _judged(facts)
    checks = [*judge_import(facts.subject, facts.imported, current.issuer)]
    if facts.held.source == Source.IMPORTED:
        days = judge_end(facts.subject, facts.imported, current, facts.now)
        return [*checks, _names(facts, current), days, _wire(facts, current)]
    # Another one is served: of the fallback, or in the place of one that does not exist.
    issued, *others = _judged(facts)
    return [*(checks if facts.imported.lack is not None else [issued]), *others]


def _judged(facts: CertificateFacts) -> list[Check]:
    """Return the checks of a certificate of certbot's, or of none."""
    lineage, current = facts.lineage, facts.held.certificate
    if lineage is None and facts.held.real and current is not None:
        return [_without_lineage(facts, current), _names(facts, current), _days(facts, current), _wire(facts, current)]
    issued = _issued(facts)
    copied = current if facts.held.is_own_lineage else None
    if lineage is None or lineage.gone or lineage.certificate is None:
        if copied is None:
            return [issued, *skipped(ON_DISK, "there is no certificate", facts.subject)]
        files = skipped((CHAIN, KEY, KEY_FILE), "certbot has no certificate", facts.subject)
        return [issued, *files, _names(facts, copied), _days(facts, copied), _wire(facts, copied)]
    certificate = lineage.certificate
    key = _key(facts, lineage)
    checks = [issued, _chain(facts), key, _key_file(facts), _names(facts, certificate), _days(facts, certificate)]
    if key.verdict is Verdict.WRONG and copied is None:
        return [*checks, *skipped([WIRE], "the proxy cannot load it: the key does not match", facts.subject)]
    return [*checks, _wire(facts, copied or certificate)]


def _without_lineage(facts: CertificateFacts, certificate: Certificate) -> Check:
    """Judge the certificate of a site that has no own lineage."""
    if facts.held.borrowed:
        return ok(
            ISSUED,
            f"served with the certificate {site_of_file(str(facts.held.lineage))}, which covers its names",
            facts.subject,
        )
    if facts.held.source == Source.LOCAL:
        return ok(ISSUED, f"issued by {certificate.issuer}; certbot's container renews it", facts.subject)
    text = f"issued by {certificate.issuer}, not by certbot: served until its renewal is due"
    return ok(ISSUED, text, facts.subject)


def _issued(facts: CertificateFacts) -> Check:
    lineage = facts.lineage
    if lineage is None:
        dummy = facts.served is not None and is_dummy(facts.served)
        text = "no certificate is issued yet" + (": a dummy is served, which no browser trusts" if dummy else "")
        return wrong(ISSUED, text, "run 'stackctl up'", facts.subject)
    if lineage.gone or lineage.certificate is None:
        text = f"{lineage_folder(lineage.name)}: {lineage.problem}"
        return wrong(ISSUED, text, _remedy(facts), facts.subject)
    if lineage.from_staging:
        todo = "choose the real CA with 'stackctl init --ca letsencrypt', then run 'stackctl up'"
        return unknown(ISSUED, f"issued by {lineage.certificate.issuer}, a test CA", todo, facts.subject)
    return ok(ISSUED, f"issued by {lineage.certificate.issuer}", facts.subject)


def _chain(facts: CertificateFacts) -> Check:
    chain = facts.fullchain or b""
    fault = chain_fault(chain, facts.chain)
    if fault is not None:
        todo = _remedy(facts)
        return wrong(CHAIN, fault, todo, facts.subject)
    fault = _expired_intermediate(chain, facts.now)
    if fault is not None:
        return wrong(CHAIN, fault, f"run 'stackctl renew --force {facts.subject}'", facts.subject)
    count = len(blocks(chain))
    text = (
        "the leaf only, which has no intermediate" if count == 1 else f"{count} certificates, each signed by the next"
    )
    return ok(CHAIN, text, facts.subject)


def _remedy(facts: CertificateFacts, requests: str = "requests a new one") -> str:
    """Return what cures a fault of the lineage, as the planner decides it."""
    lineage = facts.lineage
    if lineage is not None and lineage.repair is not None:
        return "run 'stackctl up', which repairs it"
    if lineage is not None and lineage.own_way:
        return own_way_todo(lineage, facts.names)
    return f"run 'stackctl up', which {requests}"


def _expired_intermediate(chain: bytes, now: datetime) -> str | None:
    """Return which certificate behind the leaf is not valid now, or None."""
    for number, one in enumerate((parsed(chain) or [])[1:], 2):
        if not one.not_valid_before_utc <= now < one.not_valid_after_utc:
            span = f"{day(one.not_valid_before_utc)} to {day(one.not_valid_after_utc)}"
            return f"certificate {number} of {FULLCHAIN} is only valid from {span}"
    return None


def _key(facts: CertificateFacts, lineage: Lineage) -> Check:
    if lineage.problem:
        todo = _remedy(facts)
        return wrong(KEY, f"{lineage_folder(lineage.name)}: {lineage.problem}", todo, facts.subject)
    return ok(KEY, "the key matches the certificate", facts.subject)


def _key_file(facts: CertificateFacts) -> Check:
    file = facts.key_file
    if file is None:
        todo = f"run 'stackctl doctor {facts.subject}' as root"
        return unknown(KEY_FILE, "mode and owner of the key cannot be read", todo, facts.subject)
    lineage = facts.lineage.name if facts.lineage else facts.subject
    path = (CERTBOT_CONF / lineage_file(lineage, "privkey")).path
    if file.mode & (_OTHERS | _GROUP_WRITES):
        text = f"the key has mode {file.mode:04o}: users other than its owner can read or replace it"
        return wrong(KEY_FILE, text, f"chmod 600 {path}", facts.subject)
    if file.owner != file.certbot:
        text = f"the key belongs to uid {file.owner}, not to certbot's uid {file.certbot}"
        return wrong(KEY_FILE, text, f"chown {file.certbot} {path}", facts.subject)
    return ok(KEY_FILE, f"the key has mode {file.mode:04o} and belongs to certbot's uid", facts.subject)


def _names(facts: CertificateFacts, certificate: Certificate) -> Check:
    missing = [name for name in facts.names if not certificate.covers(name)]
    if missing:
        text = f"the certificate does not cover {', '.join(missing)}"
        return wrong(NAMES, text, _remedy(facts, "requests one with all names"), facts.subject)
    return ok(NAMES, f"it covers {', '.join(facts.names)}", facts.subject)


def _days(facts: CertificateFacts, certificate: Certificate) -> Check:
    left = certificate.days_left(facts.now)
    renew = "run 'stackctl renew'; 'docker compose logs certbot' says why it was not renewed"
    if certificate.not_after <= facts.now:
        return wrong(DAYS, f"it expired on {day(certificate.not_after)}", renew, facts.subject)
    if certificate.not_before > facts.now:
        text = f"it is not valid before {moment(certificate.not_before)}: this host's clock is behind"
        return wrong(DAYS, text, "set this host's clock", facts.subject)
    if certificate.overdue(facts.now):
        text = f"{left} days left: its renewal is overdue"
        return wrong(DAYS, text, renew, facts.subject)
    due = ", renewal is due: certbot's loop renews it" if certificate.due(facts.now) else ""
    return ok(DAYS, f"{left} days left{due}", facts.subject)


def _wire(facts: CertificateFacts, certificate: Certificate) -> Check:
    if not facts.proxy_up:
        return skipped([WIRE], "the proxy does not answer", facts.subject)[0]
    served = facts.served
    if served is None:
        text = "the TLS handshake is refused: the live configuration does not have the name"
        return wrong(WIRE, text, "run 'stackctl up'", facts.subject)
    if served.fingerprint == certificate.fingerprint:
        return ok(WIRE, "the proxy serves it", facts.subject)
    if is_dummy(served):
        text = "the proxy serves a dummy, although the certificate is on disk"
        return wrong(WIRE, text, "run 'stackctl up', which switches the site to the certificate", facts.subject)
    text = f"the proxy serves another certificate (expires on {day(served.not_after)}): a reload is missing"
    return wrong(WIRE, text, "run 'stackctl up', which reloads the proxy", facts.subject)
