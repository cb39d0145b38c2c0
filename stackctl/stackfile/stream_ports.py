"""Publishes the ports of streams and of HTTP/3: edits the ``ports`` of the proxy's service, and nothing else of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ruamel.yaml.nodes import SequenceNode

from stackctl.errors import StackfileError
from stackctl.model.endpoints import HTTPS_PORT
from stackctl.model.http3 import Http3
from stackctl.model.project import Service
from stackctl.model.streams import Stream, Transport
from stackctl.stackfile import edit
from stackctl.stackfile.document import Document, Path
from stackctl.templates import compose_quote

NOTE = "# of x-stackctl.streams"
"""Behind the ports that stackctl wrote, which it removes again with their stream."""

NOTE_HTTP3 = "# of x-stackctl.http3"
"""Behind that of HTTP/3."""


def with_ports(doc: Document, streams: Sequence[Stream], proxy: Service, http3: Http3 | None = None) -> Document:
    """Return the document in which the proxy's service publishes the ports of ``streams`` and of ``http3``.

    A port that the user publishes stays as it is; those that stackctl wrote for streams that no longer exist, or that
    are published elsewhere by now, are removed.

    Raises:
        StackfileError: its list of ports cannot be edited.
    """
    path: Path = ("services", proxy.name, "ports")
    wanted = [
        _Port(one.published, one.at.port, one.transport, NOTE)
        for one in (stream.port for stream in streams)
        if one is not None
    ]
    if http3 is not None:
        wanted.append(_Port(http3.published, HTTPS_PORT, Transport.UDP, NOTE_HTTP3))
    published = [(port.target, port.transport) for port in proxy.ports]
    for index, item in reversed(_written(doc, path)):
        if item not in {port.published for port in wanted}:
            target = item.rpartition(":")[2].partition("/")
            published.remove((int(target[0]), Transport(target[2] or Transport.TCP)))
            doc = edit.remove(doc, (*path, index))
    missing = [port for port in wanted if (port.target, port.transport) not in published]
    for port in missing:
        doc = _published(doc, path, port)
    return doc


@dataclass(frozen=True, slots=True)
class _Port:
    """An item of the list: as it is written, and what it is in the container."""

    published: str
    target: int
    transport: Transport
    note: str


def _written(doc: Document, path: Path) -> list[tuple[int, str]]:
    """Return the items of the list of ports that stackctl wrote, each with its index."""
    found = doc.entry(path)
    if found is None or not isinstance(found[1], SequenceNode) or "# of x-stackctl." not in doc.text:
        return []
    lines = (doc.lines[doc.line_of(item.start_mark.index)] for item in found[1].value)
    return [
        (index, str(doc.data((*path, index))))
        for index, line in enumerate(lines)
        if line.rstrip().endswith((NOTE, NOTE_HTTP3))
    ]


def _published(doc: Document, path: Path, port: _Port) -> Document:
    hint = f'add "{port.published}" to the ports of {path[1]} by hand; nothing was changed'
    if doc.entry(path[:-1]) is None:
        raise StackfileError(f"port {port.published} cannot be published here: {path[1]} is in another file", hint=hint)
    try:
        return edit.add_item(doc, path, f"- {compose_quote(port.published)} {port.note}\n")
    except StackfileError as error:
        raise StackfileError(
            f"port {port.published} cannot be published: {error.message}", where=error.where, hint=hint
        ) from error
