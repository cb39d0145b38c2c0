"""What any proxy answers: which files, which commands, what an error of its means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from stackctl.model.stack import Site, Stack
from stackctl.model.values import Domain
from stackctl.proxies.trace import LoggedError

Files = Mapping[str, bytes]
"""A set of files: paths relative to the proxy's directory, and their content."""


@dataclass(frozen=True, slots=True)
class SiteTls:
    """The certificate a site is served with.

    Attributes:
        certificate: path of the chain inside the proxy's container.
        key: path of the key inside the proxy's container.
        trusted: the site's names that the certificate is really for; the others stay on HTTP.
    """

    certificate: str
    key: str
    trusted: frozenset[Domain]


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a proxy refused a configuration.

    Attributes:
        path: the file, relative to the configuration, where the proxy names one.
    """

    message: str
    path: str | None = None
    line: int | None = None


class Proxy(Protocol):
    """A kind of proxy. nginx is the first."""

    name: str
    default_image: str

    def shared(self, stack: Stack, version: tuple[int, ...], *, custom: bytes | None) -> Files:
        """The files that are no single site's; ``custom`` is a person's own part of them."""

    def site(  # noqa: PLR0913  (a site, and a person's two files for it)
        self,
        stack: Stack,
        site: Site,
        tls: SiteTls,
        version: tuple[int, ...],
        *,
        custom: bytes | None,
        location: bytes | None = None,
    ) -> Files:
        """The files of one site, under paths no other site has; ``location`` goes where it meets its app."""

    def site_of(self, path: str) -> str | None:
        """The app whose file ``path`` is, or None for a shared one."""

    def source_of(self, path: str) -> str:
        """The file a person edits to change ``path``."""

    def marker(self, generation: str) -> Files:
        """The file by which a running proxy tells its generation."""

    def test_command(self, root: str) -> list[str]:
        """Command that exits 0 when the configuration at ``root`` would start."""

    def reload_command(self) -> list[str]:
        """Command that tests the live configuration and makes a running proxy take it up."""

    def reload_signal(self) -> tuple[str, str]:
        """The signal that makes a running proxy take the live configuration up, untested.

        With it, how the command line of the process begins that has to get it.
        """

    def version_command(self) -> list[str]:
        """Command that prints the proxy's version."""

    def parse_version(self, output: str) -> tuple[int, ...]:
        """The version in what :meth:`version_command` printed."""

    def explain(self, output: str, root: str) -> Rejection:
        """What the output of a failed :meth:`test_command` says."""

    def logged_errors(self, log: str) -> list[LoggedError]:
        """The errors in its log that are about requests, oldest first."""
