"""Edits by which a service gets a canary, and by which that ends: a service beside it, and a key where it is routed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stackctl.errors import InputError
from stackctl.model.backends import Server
from stackctl.model.deploying import canary_of
from stackctl.model.values import ServiceName
from stackctl.stackfile import edit, flow
from stackctl.stackfile.document import Document, Path
from stackctl.stackfile.read import read_blocks
from stackctl.stackfile.routes import TO_SERVER, Placed
from stackctl.stackfile.services import canary_block
from stackctl.templates import yaml_name, yaml_quote


@dataclass(frozen=True, slots=True)
class Share:
    """The clients that get a canary.

    Attributes:
        percent: of all clients.
        cookie: ``NAME=VALUE`` of a cookie whose clients all get it; None for no cookie.
    """

    percent: int
    cookie: str | None = None


def with_canary(doc: Document, values: Document, service: str, image: str, share: Share) -> Document:
    """Return ``doc`` with a canary of ``service`` that has ``image``, for a share of the clients of each of its routes.

    Raises:
        InputError: a route of the service has a canary, or other servers beside it.
        StackfileError: the text is laid out in a way that cannot be edited.
    """
    canary = canary_of(service)
    doc = edit.add_entry(doc, ("services",), canary_block(canary, service, image))
    for path, server in dict(_routed(values, service)).items():
        doc = flow.put_entry(doc, (*path, "canary"), _key(canary, server.endpoint.port, share))
    return doc


def _routed(values: Document, service: str) -> Iterator[tuple[Path, Server]]:
    """Yield where ``service`` is routed, each with the server that it is there."""
    for placed in _placed(values):
        servers = placed.route.servers
        own = next((one for one in servers if one.endpoint.host.lower() == service.lower()), None)
        if own is None or not _has_server(values, placed):
            continue
        if values.entry((*placed.path, "canary")) is not None:
            raise InputError(
                f"{service} has a canary already: {servers[-1]}",
                where=values.where_of((*placed.path, "canary")),
                hint=f"end it with 'stackctl promote {service}' or 'stackctl abort {service}', or change its share "
                "with 'stackctl set DOMAIN canary.percent=N'",
            )
        if len(servers) > 1:
            raise InputError(
                f"{service} shares the requests of a route with other servers, whose clients would get its canary too",
                where=placed.route.where,
                hint="give each server a route of its own, or deploy without a canary",
            )
        yield placed.path, own


def _has_server(values: Document, placed: Placed) -> bool:
    """Return whether a route names its server, and has not that of its block."""
    is_item = placed.path[-2:-1] == ("routes",) and isinstance(placed.path[-1], int)
    return not is_item or any(values.entry((*placed.path, key)) is not None for key in TO_SERVER)


def _key(canary: str, port: int, share: Share) -> str:
    cookie = "" if share.cookie is None else f"  cookie: {yaml_quote(share.cookie)}\n"
    return f"canary:\n  service: {yaml_name(canary)}\n  port: {port}\n  percent: {share.percent}\n{cookie}"


def without_canary(doc: Document, values: Document, service: str) -> Document:
    """Return ``doc`` without the canary of ``service``.

    Raises:
        StackfileError: the text is laid out in a way that cannot be edited.
    """
    canary = canary_of(service)
    for path in list(_keys(values, canary)):
        doc = flow.removed(doc, path)
    return edit.remove(doc, ("services", canary))


def _keys(values: Document, canary: ServiceName) -> Iterator[Path]:
    """Yield each key that gives ``canary`` clients."""
    for placed in _placed(values):
        path: Path = (*placed.path, "canary")
        if values.data((*path, "service")) == canary:
            yield path


def _placed(values: Document) -> Iterator[Placed]:
    return (placed for block in read_blocks(values) for placed in block.routes)
