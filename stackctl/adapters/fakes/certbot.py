"""certbot and a CA, as the fake engine imitates them: real certificates, written as certbot writes them."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from stackctl.certs.issuer.accounts import FILES
from stackctl.certs.issuer.merge import HOME, ConfigDir
from stackctl.certs.issuer.repair import remove_all, repair_all
from stackctl.certs.lineage import read_certificate
from stackctl.certs.watch.settings import read
from stackctl.model.alerts import APPRISE
from stackctl.model.layout import (
    ACCOUNTS,
    CERTBOT_CONF,
    WEBROOT,
    archive_folder,
    lineage_file,
    lineage_folder,
    renewal_file,
)
from stackctl.observed.containers import Output

_KINDS = ("cert", "chain", "fullchain", "privkey")


@cache
def _rsa_keys(bits: int) -> Iterator[rsa.RSAPrivateKey]:
    """Return two keys in turn: each that is made takes a tenth of a second or longer."""
    return itertools.cycle([rsa.generate_private_key(65537, bits) for _ in range(2)])


class FakeCa:
    """Issues leaves of ``lifetime`` with one CA key."""

    def __init__(self, lifetime: timedelta = timedelta(days=90)) -> None:
        self.lifetime = lifetime
        self.issued: list[tuple[str, ...]] = []
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Fake CA")])

    def issue(self, domains: Sequence[str], now: datetime, bits: int | None = None) -> tuple[bytes, bytes]:
        """Return a chain of one certificate, and its key; an RSA key if ``bits`` are given."""
        self.issued.append(tuple(domains))
        key = next(_rsa_keys(bits)) if bits else ec.generate_private_key(ec.SECP256R1())
        builder = x509.CertificateBuilder(issuer_name=self._name, subject_name=x509.Name([]))
        builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + self.lifetime)
        alternatives = x509.SubjectAlternativeName([x509.DNSName(name) for name in domains])
        leaf = builder.add_extension(alternatives, critical=True).sign(self._key, hashes.SHA256())
        pem = serialization.Encoding.PEM
        private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return leaf.public_bytes(pem), private


def try_receivers(file: Path, refused: Mapping[str, str]) -> Output:
    """Return what the program for alerts prints; ``refused`` has why some receivers take no message."""
    settings = read(file)
    labels = [one.label for one in settings.receivers if one.kind != APPRISE] if settings is not None else []
    return Output(0, json.dumps([[label, refused.get(label)] for label in labels]) + "\n")


class FakeCertbot:
    """certbot on the tree ``conf``; ``refusals`` has the ACME problem types of refused names and lineages."""

    def __init__(
        self,
        conf: Path,
        ca: FakeCa,
        now: Callable[[], datetime],
        refusals: Mapping[str, str],
        reachable: Callable[[], bool],
    ) -> None:
        self._conf, self._ca, self._now, self._refusals, self._reachable = conf, ca, now, refusals, reachable

    def run(self, lineage: str, argv: Sequence[str]) -> Iterator[str]:
        """Yield the issuer's events for one job; certbot renews a certificate in its last third."""
        domains = [argv[i + 1] for i, word in enumerate(argv) if word == "--domain"]
        refused = next((name for name in (*domains, lineage) if name in self._refusals), None)
        yield event("queued", lineage)
        yield event("started", lineage)
        conf = self._conf
        newest = conf / archive_folder(lineage) / f"fullchain{self._newest(lineage)}.pem"
        there = read_certificate(newest.read_bytes()) if newest.is_file() else None
        renewal = conf / renewal_file(lineage)
        own = renewal.read_text() if argv[0] == "renew" else None
        if own is not None and there is not None:
            domains = list(there.names)
        keep = there and set(there.names) == set(domains) and not there.due(self._now())
        if keep and "--force-renewal" not in argv:
            whole = all((conf / lineage_file(lineage, kind)).exists() for kind in _KINDS)
            self._link(lineage)
            yield event("unchanged" if whole else "issued", lineage)
        elif refused or not self._reachable():
            problem = self._refusals[refused] if refused else "connection"
            detail = f"{refused or domains[0]}: refused by the fake CA"
            yield event("failed", lineage, f"urn:ietf:params:acme:error:{problem}", detail)
        else:
            sizes = [int(argv[i + 1]) for i, word in enumerate(argv) if word == "--rsa-key-size"]
            self._store(lineage, *self._ca.issue(domains, self._now(), *sizes), argv)
            if own is not None:
                renewal.write_text(own)
            yield event("issued", lineage)

    def check_records(self, spec: Mapping[str, Any], refused: Mapping[str, str]) -> Iterator[str]:
        """Yield the findings of the check of DNS records; ``refused`` has what is wrong with some names."""
        records = {name.removeprefix("*."): name for name in reversed(spec["names"])}
        for base, name in records.items():
            finding = {"name": name, "step": "zone", "verdict": "ok", "text": f"{base} is in a zone", "todo": ""}
            if base in refused:
                finding |= {"step": "write", "verdict": "wrong", "text": refused[base], "todo": "correct it"}
            yield json.dumps(finding)

    def mend(self, repairs: list[dict[str, Any]], removals: list[dict[str, Any]]) -> Iterator[str]:
        """Yield the events of mending and removing lineages, which is done for real."""
        lines: list[str] = []

        def emit(kind: str, lineage: str, detail: str | None = None) -> None:
            lines.append(event(kind, lineage, None, detail))

        if repairs or removals:
            (self._conf / HOME).mkdir(parents=True, exist_ok=True)
            shared = ConfigDir(self._conf)
            repair_all(shared, repairs, 0.0, emit, lambda text: emit("note", "", text))
            remove_all(shared, removals, 0.0, emit)
        yield from lines

    def _newest(self, lineage: str) -> int:
        names = (path.stem for path in (self._conf / archive_folder(lineage)).glob("*.pem"))
        return max((int(name.lstrip("abcdefghijklmnopqrstuvwxyz")) for name in names), default=0)

    def _link(self, lineage: str) -> None:
        number = self._newest(lineage)
        for kind in _KINDS:
            link = self._conf / lineage_file(lineage, kind)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.unlink(missing_ok=True)
            link.symlink_to(f"../../{archive_folder(lineage)}/{kind}{number}.pem")

    def _store(self, lineage: str, chain: bytes, key: bytes, argv: Sequence[str]) -> None:
        conf, number = self._conf, self._newest(lineage) + 1
        archive, renewal = conf / archive_folder(lineage), conf / renewal_file(lineage)
        for folder in (archive, renewal.parent):
            folder.mkdir(parents=True, exist_ok=True)
        for kind, content in zip(_KINDS, (chain, b"", chain, key), strict=True):
            (archive / f"{kind}{number}.pem").write_bytes(content)
        (archive / f"privkey{number}.pem").chmod(0o600)
        self._link(lineage)
        renewal.write_text(self._renewal(lineage, argv))

    def _renewal(self, lineage: str, argv: Sequence[str]) -> str:
        """Write a renewal file, and the account that it names if there is none."""
        given = dict(itertools.pairwise(argv))
        server = given["--server"]
        account = self._conf / ACCOUNTS / server.partition("://")[2] / given.get("--account", "fake")
        account.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            (account / name).write_text("{}")
            (account / name).chmod(0o600)
        paths = "".join(f"{kind} = {(CERTBOT_CONF / lineage_file(lineage, kind)).mount}\n" for kind in _KINDS)
        webroot = f"authenticator = webroot\nwebroot_path = {WEBROOT.mount},\n"
        webroot = f"authenticator = {given['--authenticator']}\n" if "--authenticator" in given else webroot
        own = f"account = {account.name}\nserver = {server}\nkey_type = {given.get('--key-type', 'ecdsa')}\n"
        options = {"rsa_key_size": "--rsa-key-size", "preferred_profile": "--preferred-profile"}
        own += "".join(f"{key} = {given[option]}\n" for key, option in options.items() if option in given)
        parameters = f"[renewalparams]\n{own}{webroot}"
        return f"archive_dir = {(CERTBOT_CONF / archive_folder(lineage)).mount}\n{paths}{parameters}"

    def change_settings(self, spec: Mapping[str, Any]) -> Iterator[str]:
        """Yield the results of the program that replaces settings."""
        for file in spec.get("files", ()):
            path = self._conf / file["path"]
            same = path.read_bytes().decode() == file["before"]
            if same:
                path.write_text(file["content"])
            yield json.dumps({"path": file["path"], "problem": None if same else "it has changed"})
        for hook in spec.get("hooks", ()):
            (self._conf / hook).rename(self._conf / f"{hook}~")
            yield json.dumps({"path": hook, "problem": None})

    def delete(self, lineage: str) -> Output:
        """Delete a lineage, as ``certbot delete`` does."""
        conf = self._conf
        if not (conf / renewal_file(lineage)).is_file():
            return Output(1, f"No certificate found with name {lineage}.\n")
        (conf / renewal_file(lineage)).unlink()
        for folder in (lineage_folder(lineage), archive_folder(lineage)):
            shutil.rmtree(conf / folder, ignore_errors=True)
        return Output(0, f"Deleted all files relating to certificate {lineage}.\n")


def event(event: str, lineage: str, problem: str | None = None, detail: str | None = None) -> str:
    """Return a line of the issuer's output."""
    return json.dumps({"event": event, "lineage": lineage, "type": problem, "detail": detail, "retry_after": None})
