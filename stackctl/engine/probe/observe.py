"""Observe everything that a plan needs, once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from stackctl.adapters.git import find_repository
from stackctl.certs.held import held
from stackctl.engine.context import Context
from stackctl.engine.probe.steady import generation_and_restarts
from stackctl.errors import EngineError, HostError
from stackctl.model.project import Project
from stackctl.model.routing import Site
from stackctl.model.stack import Stack, TlsPolicy
from stackctl.observed.state import Observed
from stackctl.proxies.proxy import Proxy, ProxyLayout, Version


def observe(  # noqa: PLR0913  (the desired state and the file on disk)
    context: Context, stack: Stack, project: Project, sites: Sequence[Site], stackfile: str | None, text: str
) -> Observed:
    """Return the current state.

    ``sites`` are those whose certificates on the wire are compared; ``stackfile`` is the text of the Compose
    file on disk that the command read, and ``text`` that of which ``project`` was resolved.
    """
    directory = context.directory
    proxy = context.proxy_of(stack)
    delivery = context.delivery(proxy.layout)
    program = proxy_program(context, proxy, stack.proxy.image)
    containers = context.orchestrator.containers(project.name)
    project = context.orchestrator.attached(text, project, containers)
    proxy_service, https = stack.proxy, stack.proxy.https
    proxy_runs = containers.is_running(proxy_service.service)
    generation, restarting = generation_and_restarts(context, proxy_service, containers)
    now = context.now()
    tree = directory.certbot_tree()
    shelf = directory.shelf((site.name for site in stack.sites), now, tree)
    names = [name for site in sites for name in held(site, shelf).witnesses]
    visible = [site for site in sites if site.second_key is not None and stack.tls is not TlsPolicy.MODERN]
    both = [site.name for site in visible if held(site, shelf).second is not None]
    wanted = {image for service in project.services.values() if (image := project.image_of(service))}
    return Observed(
        stackfile=stackfile,
        file=directory.files.name,
        project=project,
        version=program.version,
        hybrid_keys=program.hybrid_keys,
        streams=program.streams,
        asks=program.asks,
        quic=program.quic,
        ipv6=context.network.has_ipv6(),
        in_the_way=delivery.in_the_way(),
        missing=(*directory.missing(proxy.layout), *delivery.missing()),
        live=delivery.live(),
        generation=generation,
        other_kind=generation is not None and generation in _published_by_others(context, proxy.layout),
        restarting=restarting,
        published=delivery.published(),
        containers=containers,
        images={image: context.images.image_id(image) for image in sorted(wanted)},
        shelf=shelf,
        custom=directory.custom(proxy.layout),
        pages=dict(_pages(context, stack)),
        ca_bundle=directory.ca_bundle(),
        trust_bundle=directory.trust_bundle(),
        schema=directory.schema(),
        ignore_files=directory.ignore_files(),
        hook=directory.hook(),
        dns_files=directory.dns_files(),
        watch_files=directory.watch_files(),
        repository=str(repository) if (repository := find_repository(directory.root)) else None,
        ledger=directory.ledger(),
        settings=tree.settings(stack.acme.directory, stack.other_cas),
        now=now,
        served=context.wire.offered(https.at, names) if https and proxy_runs and names else {},
        served_second=context.wire.served(https.at, both, rsa=True) if https and proxy_runs and both else {},
    )


def _pages(context: Context, stack: Stack) -> Iterator[tuple[str, bytes]]:
    """Yield the pages on disk; one that cannot be read is to be restored, or else it was refused before."""
    for page in stack.page_files:
        with suppress(HostError):
            yield page.path, context.directory.page(page.path)


@dataclass(frozen=True, slots=True)
class ProxyProgram:
    """The proxy in an image.

    Attributes:
        hybrid_keys: whether its TLS library has X25519MLKEM768.
        streams: what it has to load for streams, as in :attr:`~stackctl.model.stack.ProxyService.streams`.
        asks: whether the image has the programs that ask servers.
        quic: whether it can speak HTTP/3.
    """

    version: Version
    hybrid_keys: bool
    streams: str | None
    asks: bool
    quic: bool

    def fitted(self, stack: Stack, *, ipv6: bool) -> Stack:
        """Return ``stack`` with a proxy that uses what this one has; ``ipv6`` is whether the host has it."""
        return stack.fitted(
            hybrid_keys=self.hybrid_keys, ipv6=ipv6, streams=self.streams, asks=self.asks, quic=self.quic
        )


def _published_by_others(context: Context, layout: ProxyLayout) -> set[str | None]:
    """Return the live generations of other kinds of proxies, which a stack that changed its kind has."""
    others = (one.layout for one in context.proxies.values() if one.layout.directory != layout.directory)
    return {context.delivery(one).published() for one in others}


def proxy_program(context: Context, proxy: Proxy, image: str) -> ProxyProgram:
    """Return the proxy in ``image``, which is pulled first if it is not available locally."""
    image_id = context.images.image_id(image)
    if image_id is None:
        context.report.note(f"pulling {image}")
        context.images.pull(image)
        image_id = context.images.image_id(image)
    if image_id is None:
        raise EngineError(f"the image {image} was pulled, but is not available locally")
    command = proxy.version_command()
    # Another version of stackctl may ask an image for more.
    known = f"{image_id} {hashlib.sha256(repr(command).encode()).hexdigest()[:8]}"
    printed = context.directory.versions.get(known)
    if printed is None:
        printed = context.sandbox.run_once(image, command, tmpfs=proxy.layout.tmpfs).text
        context.directory.versions.put(known, printed)
    return ProxyProgram(
        proxy.parse_version(printed),
        proxy.has_hybrid_keys(printed),
        proxy.needed_for_streams(printed),
        proxy.can_ask(printed),
        proxy.speaks_http3(printed),
    )
