"""The protocol that a kind of proxy implements: what its files are, how it is tested, reloaded and read back."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from stackctl.model.endpoints import PortBinding
from stackctl.model.fields import Request
from stackctl.model.layout import CUSTOM_FOLDER, Place
from stackctl.model.routing import Site
from stackctl.model.stack import Stack
from stackctl.model.values import Domain
from stackctl.proxies.health import ServersHealth
from stackctl.proxies.logs import ProxyLog
from stackctl.proxies.trace import Trace

Files = Mapping[str, bytes]
"""A set of files: paths relative to the proxy's directory, and their content."""

Version = tuple[int, ...]

Pins = Mapping[str, Mapping[str, Mapping[int, int]]]
"""Services with the addresses in the place of their names, each with the ports that it has instead of the files'."""

Tracer = Callable[[Request, int], Trace | None]
"""Traces a request that arrives on a port inside the container; None where nothing listens there."""


@dataclass(frozen=True, slots=True)
class ProxyLayout:
    """Where a proxy's files are.

    Attributes:
        place: the proxy's directory in the stack, and where its container mounts it.
        entry_points: links in the directory that lead through ``live``, by which the image finds its files.
        folders: folders that each generation has, even if they are empty.
        custom_files: patterns of the names that the user's own files have.
        definitions: a pattern of the shared files that a site still needs which keeps its live files.
        custom_ends: what follows a site's name in the names of the user's own files for that site.
        draining: a file in the proxy's directory; while it is there, a load balancer leaves this host out.
        marker: the file of a generation that serves its id.
        tmpfs: folders in the container that must be writable; ``secret`` those of a generation for its owner alone.
    """

    place: Place
    entry_points: Mapping[str, str]
    folders: tuple[str, ...]
    custom_files: tuple[str, ...]
    marker: str
    tmpfs: tuple[str, ...]
    secret: tuple[str, ...] = ()
    custom_ends: tuple[str, ...] = ()
    definitions: str = ""
    draining: str = "draining"

    @property
    def directory(self) -> str:
        """The proxy's directory, in the stack."""
        return self.place.path

    @property
    def mount(self) -> str:
        """Where the proxy's container sees its directory."""
        return self.place.mount

    @property
    def custom(self) -> str:
        """The folder of the user's own files, in the stack."""
        return (self.place / CUSTOM_FOLDER).path


@dataclass(frozen=True, slots=True)
class NamesTls:
    """The certificate of some names of a site: paths inside the proxy's container."""

    names: tuple[Domain, ...]
    certificate: str
    key: str
    second: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class SiteTls:
    """The certificates of a site.

    Attributes:
        certificate: path of the chain inside the proxy's container.
        key: path of the key inside the proxy's container.
        trusted: the names of the site that a certificate covers; the others stay on HTTP.
        others: the names that have another certificate, for a while, each in one item.
        second: the paths of the chain and the key of a certificate with another kind of key, for the same names; a
            proxy shows each client the one that the client can verify.
    """

    certificate: str
    key: str
    trusted: frozenset[Domain]
    others: tuple[NamesTls, ...] = ()
    second: tuple[str, str] | None = None

    def by_certificate(self, site: Site) -> tuple[NamesTls, ...]:
        """Return all names of ``site`` by their certificate, the main one first."""
        elsewhere = {name for one in self.others for name in one.names}
        names = tuple(name for name in site.domains if name not in elsewhere)
        return (NamesTls(names, self.certificate, self.key, self.second), *self.others)


@dataclass(frozen=True, slots=True)
class Rendered:
    """The files of a proxy: those that all sites share, those of each requested site, and those of every stream.

    No path occurs twice.
    """

    shared: Files = field(default_factory=dict)
    sites: Mapping[Domain, Files] = field(default_factory=dict)
    streams: Mapping[Domain, Files] = field(default_factory=dict)

    def of(self, name: Domain) -> Files:
        """Return the files of a site or of a stream."""
        return self.sites[name] if name in self.sites else self.streams[name]


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a proxy refused a configuration.

    Attributes:
        site: the site whose file it names; None for a shared file, or if it names none.
        where: ``file:line`` of the file to edit, relative to the stack, or None.
        hint: the form to use instead, where there is one.
    """

    message: str
    site: Domain | None = None
    where: str | None = None
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Reload:
    """How a running proxy loads the live configuration.

    Attributes:
        command: tests the configuration, then reloads.
        signal: reloads without a test.
        processes: how the command line of the process that gets the signal may begin.
        overlap: seconds for which old workers usually accept connections next to new ones.
        worker: how the command line of a worker begins.
        leaving: what that of an old worker contains while it takes no new clients and finishes its requests; None if it
            says nothing: then a reload ends when none of them takes clients, and the oldest process leads the others.
    """

    command: tuple[str, ...]
    signal: str
    processes: tuple[str, ...]
    overlap: float
    worker: str
    leaving: str | None


class Proxy(ProxyLog, Protocol):
    """A kind of proxy. Each is one package, registered in :mod:`stackctl.proxies.registry`."""

    @property
    def name(self) -> str:
        """The value of the key ``proxy``, and the default name of the Compose service."""

    @property
    def default_image(self) -> str:
        """The image of a new stack."""

    @property
    def layout(self) -> ProxyLayout:
        """Where its files are."""

    @property
    def reload(self) -> Reload:
        """How it loads a new configuration."""

    def service(self, name: str, image: str, http: PortBinding, https: PortBinding | None, base: str) -> str:
        """Return its Compose service as an unindented YAML block.

        It is made by :func:`~stackctl.stackfile.services.signed_block`. ``base`` is the stack's directory,
        relative to Compose's project directory. ``https`` is None for a proxy behind one that terminates TLS.
        """

    def refuses(self, key: str) -> str | None:
        """Return why the proxy cannot do what a key of ``x-stackctl`` says; None if it can."""

    def render(
        self,
        stack: Stack,
        sites: Collection[Site],
        tls: Mapping[Domain, SiteTls],
        version: Version,
        custom: Mapping[str, bytes],
    ) -> Rendered:
        """Return the shared files, and those of ``sites``.

        ``tls`` has the certificate of every site of the stack, as shared files may depend on all of them;
        ``custom`` are the user's own files, by name. A new site whose change failed is left out of ``stack``.
        """

    def site_of(self, path: str) -> Domain | None:
        """Return the site or the stream whose file ``path`` is, by its name, or None for a shared one."""

    def sites_in(self, files: Files) -> frozenset[Domain]:
        """Return the sites and streams, by name, that ``files`` serve, by own or shared ones; no parked site."""

    def parked_note(self, site: Domain, reason: str) -> Files:
        """Return a file of ``site`` that the proxy does not read: why the site was taken out of the live files."""

    def parked(self, files: Files) -> Mapping[Domain, str]:
        """Return the sites that were taken out of ``files``, each with the reason."""

    def about(self, files: Files, site: Domain) -> Files:
        """Return the part of ``files`` that is about ``site``: whole files, or the lines of shared ones."""

    def pinned(self, files: Files, pins: Pins, *, beside: bool = False) -> Files:
        """Return ``files`` in which requests for each service of ``pins`` go to these addresses only, or to none.

        They are its containers', in the place of its name. All others go by their names again. With ``beside`` the
        proxy resolves the names too, although no request goes by them.
        """

    def announced(self, live: Files, wanted: Files) -> Files:
        """Return ``live`` with the names of ``wanted`` beside those in use, so that they are resolved before."""

    def pins(self, files: Files) -> Pins:
        """Return what :meth:`pinned` put into ``files``."""

    def original_of(self, path: str) -> str:
        """Return the file that the user edits to change ``path``."""

    def marker(self, generation: str) -> bytes:
        """Return the content of the file by which a running proxy serves its generation's id."""

    def test_command(self, root: str) -> list[str]:
        """Return the command that exits with 0 if the configuration at ``root``, in its directory, would start."""

    def start_command(self) -> list[str]:
        """Return the command that runs the proxy with its live files in the foreground."""

    def version_command(self) -> list[str]:
        """Return the command that prints the proxy's version and its TLS library."""

    def has_hybrid_keys(self, output: str) -> bool:
        """Return whether its TLS library has X25519MLKEM768, by what :meth:`version_command` printed."""

    def needed_for_streams(self, output: str) -> str | None:
        """Return what streams need to be loaded, by what :meth:`version_command` printed; None if it has none."""

    def can_ask(self, output: str) -> bool:
        """Return whether it can ask servers for their health, by what :meth:`version_command` printed."""

    def speaks_http3(self, output: str) -> bool:
        """Return whether it can speak HTTP/3, by what :meth:`version_command` printed."""

    def health_command(self) -> Sequence[str]:
        """Return the command that prints, in its container, the health of the servers that it asks."""

    def servers_health(self, output: str) -> ServersHealth:
        """Return what :meth:`health_command` printed; nothing where it failed."""

    def parse_version(self, output: str) -> Version:
        """Return the version in what :meth:`version_command` printed.

        Raises:
            EngineError: the image has no such proxy, or one that is too old.
        """

    def explain(self, output: str, root: str, files: Files) -> Rejection:
        """Return what the output of a failed :meth:`test_command` of ``files`` at ``root`` says."""

    def tracer(self, files: Files, name: str) -> Tracer:
        """Return a tracer of requests for ``name`` through the live ``files``, and the user's own below ``custom/``."""

    def read_by_workers(self, custom: Mapping[str, bytes]) -> tuple[str, ...]:
        """Return the user's own files, by name, that unprivileged workers open for each request."""

    def named_in(self, custom: Mapping[str, bytes]) -> Sequence[tuple[str, str]]:
        """Return each host that a directive of the user's own files names, with ``file:line``."""
