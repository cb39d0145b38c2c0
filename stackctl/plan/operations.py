"""The operations a plan is made of: data, each with its cause, each one line of text."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from stackctl.certs.held import Held
from stackctl.certs.request import CertificateRequest
from stackctl.model.layout import CA
from stackctl.model.routing import Site
from stackctl.model.values import Domain
from stackctl.plan.operation import Operation, Preparation
from stackctl.proxies.proxy import Files
from stackctl.wording import listed, moment


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteStackfile(Operation):
    """Put the edited Compose file in the place of the old one."""

    file: str
    content: str

    @property
    def text(self) -> str:
        return f"write {self.file}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteCustom(Operation):
    """Put one of a person's own files for the proxy back as it was; with None, take it away.

    ``path`` is where it is in the stack, ``name`` what it is called there.
    """

    path: str
    content: bytes | None

    @property
    def name(self) -> str:
        """Its name in the folder."""
        return self.path.rpartition("/")[2]

    @property
    def text(self) -> str:
        return f"write {self.path}" if self.content is not None else f"remove {self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeDirectories(Operation):
    """Make directories of the stack."""

    preparation = Preparation.DIRECTORIES

    paths: tuple[str, ...]

    @property
    def text(self) -> str:
        return f"make {', '.join(self.paths)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteCaBundle(Operation):
    """Copy the file that a private CA is trusted by into the stack."""

    content: bytes

    @property
    def text(self) -> str:
        return f"copy the CA bundle to {CA.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteEabKey(Operation):
    """Keep the MAC key that the account is to be bound by."""

    key: str = field(repr=False)

    @property
    def text(self) -> str:
        return f"keep the key of the external account binding in {CA.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteSchema(Operation):
    """Put the JSON Schema where the Compose file's comment for editors points to."""

    path: str
    content: bytes

    @property
    def text(self) -> str:
        return f"write {self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeDummy(Operation):
    """Make an app's dummy certificate."""

    preparation = Preparation.DUMMIES

    site: Domain
    names: tuple[Domain, ...]

    @property
    def text(self) -> str:
        return f"make a dummy certificate for {self.site}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PullImage(Operation):
    """Fetch an image that is not local."""

    preparation = Preparation.IMAGES

    image: str

    @property
    def text(self) -> str:
        return f"pull {self.image}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StartService(Operation):
    """Make or replace a service's containers, as Compose does it."""

    service: str

    @property
    def text(self) -> str:
        return f"start service {self.service}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitService(Operation):
    """Wait until a service is healthy or, without a health check, its port answers."""

    service: str
    port: int

    @property
    def text(self) -> str:
        return f"wait until {self.service}:{self.port} answers"


@dataclass(frozen=True, slots=True, kw_only=True)
class StageFiles(Operation):
    """Stage files for the next generation, and leave others out; nothing is live yet."""

    preparation = Preparation.STAGING

    files: Files
    leave_out: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        changes = [*sorted(self.files), *(f"without {path}" for path in self.leave_out)]
        return f"stage {listed(changes)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Publish(Operation):
    """Test the staged files with the proxy that will run them, then make them live at once."""

    preparation = Preparation.PUBLISHING

    @property
    def text(self) -> str:
        return "test the staged configuration and make it live"


@dataclass(frozen=True, slots=True, kw_only=True)
class StartProxy(Operation):
    """Start the proxy, or replace it, and wait until the live generation answers."""

    service: str

    @property
    def text(self) -> str:
        return f"start the proxy {self.service}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReloadProxy(Operation):
    """Reload the proxy and wait until the live generation answers.

    With ``if_published`` it is skipped when nothing went live before it.
    """

    if_published: bool = False

    @property
    def text(self) -> str:
        return "reload the proxy"


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifySite(Operation):
    """A TLS handshake with the app's name must show the certificate on disk."""

    site: Site
    expect_real: bool

    @property
    def text(self) -> str:
        kind = "real" if self.expect_real else "dummy"
        return f"verify that {self.site.name} is served with its {kind} certificate"


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyGone(Operation):
    """A TLS handshake with the name must be refused."""

    name: Domain

    @property
    def text(self) -> str:
        return f"verify that {self.name} is served no more"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckNames(Operation):
    """Look whether names lead here: what is certain to fail at the CA is not asked of it."""

    names: tuple[Domain, ...]
    source: str

    @property
    def text(self) -> str:
        return f"check that {listed(self.names)} {'lead' if len(self.names) > 1 else 'leads'} here"


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue(Operation):
    """Request a certificate from its source; ``paced`` ones wait until the account may place their order."""

    request: CertificateRequest
    source: str
    paced: bool = True

    @property
    def text(self) -> str:
        return f"issue a certificate for {listed(self.request.names)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeferIssue(Operation):
    """Do not ask the CA for a certificate that it would refuse: always a failure, and it spends nothing."""

    request: CertificateRequest
    until: datetime

    @property
    def text(self) -> str:
        return f"hold the request for {listed(self.request.names)} back until {moment(self.until)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveContainers(Operation):
    """Stop and remove containers whose service is gone; volumes stay."""

    service: str
    ids: tuple[str, ...]

    @property
    def text(self) -> str:
        return f"stop and remove service {self.service}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteCertificate(Operation):
    """Delete a certificate with its key, and the dummy that its site has besides."""

    held: Held

    @property
    def text(self) -> str:
        kind = "certificate" if self.held.real else "dummy certificate"
        return f"delete the {kind} {self.held.lineage or self.held.site}"
