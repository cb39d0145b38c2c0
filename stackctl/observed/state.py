"""The observed state that a plan starts from, as one frozen value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from stackctl.certs.ledger import Ledger
from stackctl.certs.lineage import Certificate
from stackctl.certs.settings import TreeSettings
from stackctl.certs.shelf import Shelf
from stackctl.model.project import Project
from stackctl.model.stack import Stack
from stackctl.model.values import Domain
from stackctl.observed.containers import Deployment
from stackctl.proxies.proxy import Files

_EPOCH = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class Observed:
    """The state of a stack at one moment.

    Attributes:
        stackfile: the Compose file on disk, or None.
        hybrid_keys: whether the proxy's TLS library has X25519MLKEM768.
        streams: what the proxy has to load for streams; None if its image has none.
        asks: whether its image has the programs that ask servers.
        ipv6: whether this host has IPv6.
        file: the name of the Compose file.
        missing: directories of the stack that do not exist.
        in_the_way: files in the place of links of stackctl's, each with a free path.
        live: the files of the live generation without its marker.
        generation: the generation that answers on the wire, or None.
        other_kind: whether a proxy of another kind answers there, which this one is to replace.
        published: the generation on disk that a start of the proxy would use, or None.
        images: image ids by reference; None for an image that is not local.
        shelf: every certificate on disk.
        custom: the user's files in the proxy's ``custom/``.
        pages: the files on disk that the proxy is to answer with, by path.
        ca_bundle: the stack's copy of the root certificates of a private CA.
        trust_bundle: the roots that services trust by the stack's bundle, or None.
        schema: the JSON Schema for editors.
        ignore_files: ``.gitignore`` and ``.dockerignore`` of the stack's directory, by name.
        hook: the files of certbot's deploy hook, by path.
        dns_files: certbot's plugin for DNS-01 with its zones, by path.
        watch_files: the program for metrics and alerts with its settings, by path.
        repository: the git work tree that the stack's directory is in, or None.
        ledger: the requests made to CAs so far.
        settings: what in certbot's tree governs renewals.
        now: the time of observing.
        restarting: the services whose container keeps restarting, though it may run at this moment.
        served: the certificate that port 443 serves for each requested app; None without a handshake.
        served_second: likewise the second certificate of each requested app that has two, where that can be seen.
    """

    stackfile: str | None
    project: Project
    version: tuple[int, ...]
    hybrid_keys: bool = False
    streams: str | None = ""
    asks: bool = True
    quic: bool = True
    ipv6: bool = True
    file: str = "docker-compose.yml"
    missing: tuple[str, ...] = ()
    in_the_way: Mapping[str, str] = field(default_factory=dict)
    live: Files = field(default_factory=dict)
    generation: str | None = None
    other_kind: bool = False
    published: str | None = None
    containers: Deployment = field(default_factory=Deployment)
    images: Mapping[str, str | None] = field(default_factory=dict)
    shelf: Shelf = field(default_factory=Shelf)
    custom: Mapping[str, bytes] = field(default_factory=dict)
    pages: Mapping[str, bytes] = field(default_factory=dict)
    ca_bundle: bytes | None = None
    trust_bundle: bytes | None = None
    schema: bytes | None = None
    ignore_files: Mapping[str, bytes] = field(default_factory=dict)
    hook: Mapping[str, bytes] = field(default_factory=dict)
    dns_files: Mapping[str, bytes] = field(default_factory=dict)
    watch_files: Mapping[str, bytes] = field(default_factory=dict)
    repository: str | None = None
    ledger: Ledger = field(default_factory=Ledger)
    settings: TreeSettings = field(default_factory=TreeSettings)
    now: datetime = _EPOCH
    restarting: frozenset[str] = frozenset()
    served: Mapping[Domain, Certificate | None] = field(default_factory=dict)
    served_second: Mapping[Domain, Certificate | None] = field(default_factory=dict)

    def before(self, path: str) -> bytes | None:
        """Return the content on disk of one of the user's own files for the proxy, or of a page, if it exists."""
        return self.pages[path] if path in self.pages else self.custom.get(path.rpartition("/")[2])

    def fitted(self, stack: Stack) -> Stack:
        """Return ``stack`` with a proxy that uses what its image and this host have."""
        return stack.fitted(
            hybrid_keys=self.hybrid_keys, ipv6=self.ipv6, streams=self.streams, asks=self.asks, quic=self.quic
        )
