"""Translate a service as Compose prints it, resolved, to what stackctl needs of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from stackctl.adapters.docker.exposed import exposed_ports
from stackctl.model import endpoints
from stackctl.model.project import Mount, PublishedPort, Service
from stackctl.model.streams import Transport
from stackctl.model.values import ServiceName

NAMESPACES = ("network_mode", "ipc", "pid")
"""The keys by which a service uses another container."""

SERVICE, CONTAINER = "service:", "container:"


def resolved_service(name: str, body: dict[str, Any], config_hash: str, resolved: dict[str, Any]) -> Service:
    """Return the service ``name`` with ``body``; ``resolved`` is the whole project."""
    ports = tuple(
        PublishedPort(
            int(port["target"]),
            endpoints.port_binding(
                f"{_bracketed(port['host_ip'])}:{port['published']}" if port.get("host_ip") else port["published"]
            ),
            Transport(port.get("protocol", Transport.TCP)),
        )
        for port in body.get("ports", ())
        if str(port.get("published", "")).isdigit() and port.get("protocol", "tcp") in set(Transport)
    )
    deploy = body.get("deploy") or {}
    update = deploy.get("update_config") or {}
    return Service(
        name=ServiceName(name),
        image=body.get("image"),
        builds="build" in body,
        config_hash=config_hash,
        labels=body.get("labels") or {},
        ports=ports,
        networks=frozenset(body.get("networks") or ()),
        replicas=int(body.get("scale", deploy.get("replicas", 1))),
        counted="scale" in body or "replicas" in deploy,
        environment={key: value for key, value in (body.get("environment") or {}).items() if value is not None},
        mounts=(
            *(
                _mount(volume, resolved.get("volumes") or {})
                for volume in body.get("volumes") or ()
                if volume.get("type") in {"bind", "volume"}
            ),
            *_files(body, resolved, "secrets", "/run/secrets"),
            *_files(body, resolved, "configs", ""),
        ),
        hosts=_hosts(body),
        uses=_uses(body),
        follows=_follows(body),
        needs=frozenset(map(str, body.get("depends_on") or ())),
        exposed=exposed_ports(body),
        extra_hosts=tuple(_extra_hosts(body.get("extra_hosts") or ())),
        user=str(body["user"]) if body.get("user") else None,
        addresses=frozenset(
            network[key]
            for network in (body.get("networks") or {}).values()
            for key in ("ipv4_address", "ipv6_address")
            if network and network.get(key)
        ),
        container_name=body.get("container_name"),
        publishes=any(port.get("published") for port in body.get("ports") or ()),
        order=update.get("order"),
        parallelism=int(update.get("parallelism", 1)),
    )


def _uses(body: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    single = {key: (body[key],) for key in NAMESPACES if str(body.get(key, "")).startswith(SERVICE)}
    volumes = {"volumes_from": tuple(body["volumes_from"])} if body.get("volumes_from") else {}
    return {**single, **volumes}


def _follows(body: dict[str, Any]) -> frozenset[str]:
    restarting = {name for name, how in (body.get("depends_on") or {}).items() if (how or {}).get("restart")}
    volumes = {one.partition(":")[0] for one in body.get("volumes_from") or () if not one.startswith(CONTAINER)}
    return frozenset({str(name) for name in restarting} | volumes)


def _mount(volume: dict[str, Any], named: dict[str, Any]) -> Mount:
    source = volume.get("source") or ""
    if volume["type"] == "volume":
        source = (named.get(source) or {}).get("name", source)
    return Mount(volume["type"], source, volume["target"], bool(volume.get("read_only")))


def _files(body: dict[str, Any], resolved: dict[str, Any], key: str, folder: str) -> Iterator[Mount]:
    """Yield the mounts of the secrets or configs that are files of the host."""
    for one in body.get(key) or ():
        file = (resolved.get(key) or {}).get(one["source"], {}).get("file")
        target = one.get("target") or one["source"]
        if file:
            yield Mount("bind", file, target if target.startswith("/") else f"{folder}/{target}", read_only=True)


def _extra_hosts(hosts: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401  (Compose prints three forms)
    if isinstance(hosts, dict):
        for host, addresses in hosts.items():
            yield from ((host, address) for address in ([addresses] if isinstance(addresses, str) else addresses))
        return
    for host, separator, address in (re.split(r"([=:])", text, maxsplit=1) for text in hosts):
        assert separator
        yield host, address.strip("[]")


def _hosts(body: dict[str, Any]) -> frozenset[str]:
    aliases = (
        alias for network in (body.get("networks") or {}).values() for alias in (network or {}).get("aliases", ())
    )
    return frozenset(filter(None, (body.get("container_name"), body.get("hostname"), *aliases)))


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address
