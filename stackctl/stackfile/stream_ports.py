"""Publishes the ports of streams: edits the ``ports`` of the proxy's service, and nothing else of it."""

from __future__ import annotations

from collections.abc import Sequence

from ruamel.yaml.nodes import SequenceNode

from stackctl.errors import StackfileError
from stackctl.model.project import Service
from stackctl.model.streams import Stream, StreamPort, Transport
from stackctl.stackfile import edit
from stackctl.stackfile.document import Document, Path
from stackctl.templates import compose_quote

NOTE = "# of x-stackctl.streams"
"""Behind the ports that stackctl wrote, which it removes again with their stream."""


def with_ports(doc: Document, streams: Sequence[Stream], proxy: Service) -> Document:
    """Return the document in which the proxy's service publishes the ports of ``streams``.

    A port that the user publishes stays as it is; those that stackctl wrote for streams that no longer exist, or that
    are published elsewhere by now, are removed.

    Raises:
        StackfileError: its list of ports cannot be edited.
    """
    path: Path = ("services", proxy.name, "ports")
    wanted = [stream.port for stream in streams if stream.port is not None]
    published = [(port.target, port.transport) for port in proxy.ports]
    for index, item in reversed(_written(doc, path)):
        if item not in {port.published for port in wanted}:
            target = item.rpartition(":")[2].partition("/")
            published.remove((int(target[0]), Transport(target[2] or Transport.TCP)))
            doc = edit.remove(doc, (*path, index))
    missing = [port for port in wanted if (port.at.port, port.transport) not in published]
    for port in missing:
        doc = _published(doc, path, port)
    return doc


def _written(doc: Document, path: Path) -> list[tuple[int, str]]:
    """Return the items of the list of ports that stackctl wrote, each with its index."""
    found = doc.entry(path)
    if found is None or not isinstance(found[1], SequenceNode) or NOTE not in doc.text:
        return []
    lines = (doc.lines[doc.line_of(item.start_mark.index)] for item in found[1].value)
    return [(index, str(doc.data((*path, index)))) for index, line in enumerate(lines) if line.rstrip().endswith(NOTE)]


def _published(doc: Document, path: Path, port: StreamPort) -> Document:
    hint = f'add "{port.published}" to the ports of {path[1]} by hand; nothing was changed'
    if doc.entry(path[:-1]) is None:
        raise StackfileError(f"port {port} cannot be published here: {path[1]} is in another file", hint=hint)
    try:
        return edit.add_item(doc, path, f"- {compose_quote(port.published)} {NOTE}\n")
    except StackfileError as error:
        raise StackfileError(
            f"port {port} cannot be published: {error.message}", where=error.where, hint=hint
        ) from error
