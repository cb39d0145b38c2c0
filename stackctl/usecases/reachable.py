"""Refuses apps that the proxy cannot reach, and those whose requests would come back to it."""

from __future__ import annotations

from functools import cache

from stackctl.errors import RequestLoop, StackfileError
from stackctl.model.project import Project
from stackctl.model.stack import Stack
from stackctl.model.upstreams import loop
from stackctl.observed.network import Network
from stackctl.stackfile.document import Document


def refuse_unreachable(doc: Document, project: Project, stack: Stack) -> None:
    """Refuse an app that shares no network with the proxy: every request would end in a 502."""
    proxy = project.services[stack.proxy.service]
    streamed = [stream.service for stream in stack.streams if stream.service is not None]
    for name in dict.fromkeys([*(name for site in stack.sites for name in site.services), *streamed]):
        service = project.services.get(name)
        if service is not None and not service.networks & proxy.networks:
            if service.networks:
                key = "networks"
                hint = f"attach {service.name} to the network 'default', or {proxy.name} to a network of {service.name}"
            else:  # Compose allows no networks with a network_mode
                key = "network_mode"
                hint = "remove its network_mode, or route the site to an upstream in x-stackctl.apps"
            raise StackfileError(
                f"the service {service.name} shares no network with {proxy.name}, which cannot reach it",
                where=doc.where_of(("services", service.name, key)),
                hint=hint,
            )


def refuse_loops(project: Project, stack: Stack, network: Network) -> None:
    """Refuse a site whose requests would come back to the proxy."""
    names = project.services[stack.proxy.service].hosts
    own = cache(network.own_addresses)
    for site in stack.sites:
        for route, server in site.routed:
            why = loop(server, stack, names, own)
            if why is not None:
                hint = "route it to the app itself: its service or its address"
                raise RequestLoop(why, site=site.name, where=route.where, hint=hint)
