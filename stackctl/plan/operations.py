"""The operations of a plan: data, each with its cause and one line of text."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from stackctl.model.layout import CA
from stackctl.model.routing import Site
from stackctl.model.values import Domain
from stackctl.plan.operation import Operation, Preparation
from stackctl.proxies.proxy import Files
from stackctl.wording import listed

SharedWithout = Callable[[Collection[Domain], Files], Files]
"""Returns the files that all sites share where the changes of some sites failed, given the live files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteStackfile(Operation):
    """Replace the Compose file with the edited text."""

    file: str
    content: str

    @property
    def text(self) -> str:
        return f"write {self.file}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteCustom(Operation):
    """Restore one of the user's own files for the proxy to an earlier content, or remove it if that is None.

    ``path`` is its path in the stack, ``name`` its file name; only its owner reads a new one that is ``secret``.
    """

    path: str
    content: bytes | None
    secret: bool = False

    @property
    def name(self) -> str:
        """Its file name."""
        return self.path.rpartition("/")[2]

    @property
    def text(self) -> str:
        return f"write {self.path}" if self.content is not None else f"remove {self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeDirectories(Operation):
    """Create directories of the stack."""

    preparation = Preparation.DIRECTORIES

    paths: tuple[str, ...]

    @property
    def text(self) -> str:
        return f"create {', '.join(self.paths)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveAside(Operation):
    """Rename what is in the place of a link of stackctl's."""

    preparation = Preparation.DIRECTORIES

    moves: Mapping[str, str]

    @property
    def text(self) -> str:
        return f"move {', '.join(f'{path} to {free}' for path, free in self.moves.items())}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteCaBundle(Operation):
    """Copy the trust anchors of a private CA into the stack."""

    content: bytes

    @property
    def text(self) -> str:
        return f"copy the CA bundle to {CA.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteEabKey(Operation):
    """Store the MAC key of the external account binding."""

    key: str = field(repr=False)

    @property
    def text(self) -> str:
        return f"store the key of the external account binding in {CA.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteSchema(Operation):
    """Write the JSON Schema to the path that the Compose file's comment for editors names."""

    path: str
    content: bytes

    @property
    def text(self) -> str:
        return f"write {self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkSite(Operation):
    """Take a live site that the proxy rejects by now out of its configuration, so that all others are served.

    No plan has it: only the test of the configuration shows that it is necessary.
    """

    site: Domain

    @property
    def text(self) -> str:
        return f"keep {self.site} in the live configuration"


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeDummy(Operation):
    """Create an app's dummy certificate."""

    preparation = Preparation.DUMMIES

    site: Domain
    names: tuple[Domain, ...]

    @property
    def text(self) -> str:
        return f"create a dummy certificate for {self.site}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PullImage(Operation):
    """Pull an image that is not available locally."""

    preparation = Preparation.IMAGES

    image: str

    @property
    def text(self) -> str:
        return f"pull {self.image}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StartService(Operation):
    """Create or replace a service's containers with Compose."""

    service: str

    @property
    def text(self) -> str:
        return f"start service {self.service}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitService(Operation):
    """Wait until a service is healthy or, without a health check, its port answers.

    With ``displaces`` it would take requests of its site that something else answers now.
    """

    service: str
    port: int
    displaces: bool = False

    @property
    def text(self) -> str:
        return f"wait until {self.service}:{self.port} answers"


@dataclass(frozen=True, slots=True, kw_only=True)
class StageFiles(Operation):
    """Stage files for the next generation, and leave others out of it; nothing is live yet.

    ``without`` renders all files that sites share again, for the case that some sites failed; None for other files.
    """

    preparation = Preparation.STAGING

    files: Files
    leave_out: tuple[str, ...] = ()
    without: SharedWithout | None = field(default=None, compare=False, repr=False)

    @property
    def text(self) -> str:
        written = [listed(sorted(self.files))] if self.files else []
        removed = [f"removal of {listed(self.leave_out)}"] if self.leave_out else []
        return f"stage {', '.join([*written, *removed])}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Publish(Operation):
    """Test the staged files with the proxy that will run them, then make them live in one step."""

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

    With ``if_published`` it is skipped if nothing went live before it.
    """

    if_published: bool = False

    @property
    def text(self) -> str:
        return "reload the proxy"


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifySite(Operation):
    """Verify that a TLS handshake with the app's name shows the certificate on disk, or one of those in ``planned``.

    A name that has another certificate is verified too.
    """

    site: Site
    expect_real: bool
    planned: frozenset[str] = frozenset()
    """Fingerprints."""

    @property
    def text(self) -> str:
        kind = "real" if self.expect_real else "dummy"
        return f"verify that {self.site.name} is served with its {kind} certificate"


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyGone(Operation):
    """Verify that a TLS handshake with the name is refused."""

    name: Domain

    @property
    def text(self) -> str:
        return f"verify that {self.name} is no longer served"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveContainers(Operation):
    """Stop and remove containers whose service no longer exists; volumes stay."""

    service: str
    ids: tuple[str, ...]

    @property
    def text(self) -> str:
        return f"stop and remove service {self.service}"
