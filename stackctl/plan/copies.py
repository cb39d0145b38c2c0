"""Plan the copies of certificates that a proxy reads: they come before anything that names them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from stackctl.certs.copied import copy_cause, differs, stored_pair
from stackctl.certs.held import Held, held
from stackctl.certs.shelf import Shelf
from stackctl.model.layout import DNS_PLUGIN, DNS_ZONES, HOOK, PAIRS_OF_LINEAGES, site_of_file
from stackctl.model.routing import Site
from stackctl.model.stack import Stack
from stackctl.model.values import Domain
from stackctl.observed.state import Observed
from stackctl.plan.operation import Operation, Preparation
from stackctl.proxies.sites import served_copy


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyLineage(Operation):
    """Copy a lineage of certbot's tree to where the proxy reads it."""

    preparation = Preparation.COPIES

    lineage: str

    @property
    def text(self) -> str:
        """A short description of what it does."""
        return f"copy the certificate {site_of_file(self.lineage)} for the proxy"


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyStored(Operation):
    """Copy the certificate that is stored for a site to where the proxy reads it."""

    preparation = Preparation.COPIES

    site: str
    real: bool

    @property
    def text(self) -> str:
        """A short description of what it does."""
        return f"copy the {'' if self.real else 'dummy '}certificate of {self.site} for the proxy"


@dataclass(frozen=True, slots=True, kw_only=True)
class DropCopy(Operation):
    """Delete the copy of a lineage that certbot's tree no longer has."""

    lineage: str

    @property
    def text(self) -> str:
        """A short description of what it does."""
        return f"delete the copy of the certificate {site_of_file(self.lineage)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteHook(Operation):
    """Write the files of certbot's deploy hook, which makes these copies after a renewal."""

    preparation = Preparation.HOOK

    files: Mapping[str, bytes] = field(repr=False)

    @property
    def text(self) -> str:
        """A short description of what it does."""
        return f"write certbot's deploy hook {HOOK.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteDnsPlugin(Operation):
    """Write certbot's plugin for DNS-01, and the zones that it reads."""

    preparation = Preparation.HOOK

    files: Mapping[str, bytes] = field(repr=False)

    @property
    def text(self) -> str:
        """A short description of what it does."""
        names = [path for path in self.files if path == DNS_ZONES.path]
        return f"write {names[0]}" if len(self.files) == 1 and names else f"write certbot's plugin {DNS_PLUGIN.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreCredentials(Operation):
    """Store the credentials of a DNS provider, readable only by their owner; with no content delete them."""

    preparation = Preparation.HOOK

    path: str
    content: bytes | None = field(repr=False)

    @property
    def text(self) -> str:
        """A short description of what it does."""
        return f"store the credentials {self.path}" if self.content is not None else f"delete {self.path}"


def copy_operations(stack: Stack, shelf: Shelf, *, everything: bool) -> Iterator[Operation]:
    """Yield the copies that the sites need; with ``everything`` those of lineages without a site too."""
    there = {site: held(site, shelf) for site in stack.sites}
    users_of: dict[str, list[Domain]] = {}
    for site, one in there.items():
        for name in {site.lineage, *one.lineages}:
            users_of.setdefault(name, []).append(site.name)
    for name, lineage in sorted(shelf.lineages.items()):
        cause = copy_cause(lineage, shelf.copies.get(name), shelf.now)
        users = users_of.get(name, [])
        if cause and (users or everything):
            scope = users[0] if users else f"lineage:{name}"
            yield CopyLineage(lineage=name, cause=cause, scope=scope, sharing=tuple(users[1:]))
    for site, one in there.items():
        served = {one.pair, *(part.pair for part in one.others)}
        folders = dict.fromkeys([*site.domains, *([site.imported.name] if site.imported else [])])
        for folder in [name for name in folders if stored_pair(name) in served and fits(site, one)]:
            stored = shelf.stored.get(folder)
            cause = differs(stored.version, shelf.stored_copies.get(folder)) if stored and stored.version else None
            if stored and cause:
                yield CopyStored(site=folder, real=stored.real, cause=cause, scope=site.name)


def unused_copies(stack: Stack, observed: Observed) -> Iterator[DropCopy]:
    """Yield what deletes the copies of lineages that are gone, if neither a site nor a user's directive uses them."""
    shelf = observed.shelf
    used = {name for site in stack.sites for name in (site.lineage, *held(site, shelf).lineages)}
    own = b"".join(served_copy(content) for content in observed.custom.values())
    for name, lineage in sorted(shelf.lineages.items()):
        if lineage.gone and name not in used and f"{(PAIRS_OF_LINEAGES / name).mount}/".encode() not in own:
            cause = "certbot no longer has it, and no site uses it"
            yield DropCopy(lineage=name, cause=cause, scope=f"lineage:{name}")


def fits(site: Site, held: Held) -> bool:
    """Return whether what is stored for the site is not about to be replaced by a new dummy."""
    return held.real or (held.certificate is not None and set(held.certificate.names) >= set(site.domains))


def dns_operations(observed: Observed, files: Mapping[str, bytes]) -> Iterator[WriteDnsPlugin]:
    """Yield what writes the files of the plugin that are not as they have to be."""
    changed = {path: content for path, content in files.items() if observed.dns_files.get(path) != content}
    if changed:
        cause = "the zones or the version changed" if observed.dns_files else "missing"
        yield WriteDnsPlugin(files=changed, cause=cause)


def hook_operations(observed: Observed, hook: Mapping[str, bytes]) -> Iterator[Operation]:
    """Yield what writes the deploy hook."""
    if observed.hook != hook:
        yield WriteHook(files=hook, cause="of another version" if observed.hook.keys() == hook.keys() else "missing")
