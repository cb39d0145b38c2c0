"""Addresses in the live files that a deploy has left in the place of names: which of them are still right."""

from __future__ import annotations

from stackctl.model.stack import Stack
from stackctl.model.values import ServiceName
from stackctl.observed.containers import Deployment
from stackctl.proxies.proxy import Pins


def wrong_pins(stack: Stack, pins: Pins, containers: Deployment) -> frozenset[ServiceName]:
    """Return the services with an address that is none of their running containers' by now.

    Another container may have got it: after a reboot, or when Compose has created the containers anew.
    """
    found: set[ServiceName] = set()
    for service in _services(stack) if pins else ():
        right = _addresses(service, containers)
        if right is not None and any(pins.get(host, {}).keys() - right for host in stack.hosts_of(service)):
            found.add(service)
    return frozenset(found)


def right_pins(stack: Stack, pins: Pins, containers: Deployment) -> Pins:
    """Return ``pins`` without the addresses that are wrong; a host whose addresses are all wrong has none."""
    kept = dict(pins)
    for service in wrong_pins(stack, pins, containers):
        right = _addresses(service, containers) or frozenset()
        for host in stack.hosts_of(service) & pins.keys():
            left = {address: ports for address, ports in kept.pop(host).items() if address in right}
            kept |= {host: left} if left else {}
    return kept


def _services(stack: Stack) -> frozenset[ServiceName]:
    of_streams = (stream.server.service for stream in stack.streams)
    return frozenset(name for site in stack.sites for name in site.services).union(name for name in of_streams if name)


def _addresses(service: ServiceName, containers: Deployment) -> frozenset[str] | None:
    """Return the addresses of a service's running containers; None where the engine does not report them."""
    up = [one for one in containers.of(service) if one.running]
    if not all(one.addresses for one in up):
        return None
    return frozenset(address for one in up for address in one.addresses)
