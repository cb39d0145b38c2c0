"""``stackctl add-stream`` and ``remove-stream``: what is passed on without HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from stackctl.engine.context import Context
from stackctl.errors import InputError, StackfileError
from stackctl.model.endpoints import Endpoint
from stackctl.model.matching import Network
from stackctl.model.streams import StreamPort, Transport, is_port, stream_named
from stackctl.model.values import Domain
from stackctl.plan.intent import Intent
from stackctl.stackfile import edit
from stackctl.stackfile.keys import KEY
from stackctl.stackfile.streams import stream_block
from stackctl.usecases.converge import Loaded, converge, load, load_current
from stackctl.usecases.result import Result


def _intent(loaded: Loaded, name: Domain) -> Intent:
    """Return what a change of the stream requests: with a name, all sites listen elsewhere, and are verified."""
    sites = () if is_port(name) else loaded.stack.sites
    return Intent(focus=frozenset(site.name for site in sites), services=frozenset(), issue=False, check=False)


@dataclass(frozen=True, slots=True)
class AddStream:
    """What is passed on, from a port or for a name, and where to."""

    listen: StreamPort | Domain
    upstream: Endpoint
    allow: tuple[Network, ...] = ()

    @property
    def name(self) -> Domain:
        """What the stream is called."""
        return self.listen.scope if isinstance(self.listen, StreamPort) else self.listen


def add_stream(context: Context, wanted: AddStream, *, dry_run: bool = False) -> Result[None]:
    """Pass connections on: write the stream, publish its port and load it.

    Raises:
        InputError: the port or the name has another use; nothing was written.
        StackfileError: the list of ports cannot be edited; nothing was written.
    """
    loaded = load_current(context)
    there = loaded.stack.stream(wanted.name)
    if there is None:
        loaded = _added(context, loaded, wanted)
    elif (there.listen, str(there.upstream), there.allow) != (wanted.listen, str(wanted.upstream), wanted.allow):
        to = f"{there.name} is passed on to {there.upstream} already"
        if there.upstream == wanted.upstream:
            to = f"{there.name} is passed on to {there.upstream} already, with other settings"
        hint = f"edit it there and run 'stackctl up', or remove it with 'stackctl remove-stream {there.name}'"
        raise InputError(to, where=there.where, hint=hint)
    result = converge(context, "add-stream", loaded, _intent(loaded, wanted.name), dry_run=dry_run)
    return replace(result, notes=(*result.notes, *_unreachable(context, loaded, wanted.name)))


def _unreachable(context: Context, loaded: Loaded, name: Domain) -> Iterator[str]:
    """Yield a note of a stream that leads outside the stack, to what does not answer; UDP does not tell."""
    stream = loaded.stack.stream(name)
    if stream is None or stream.transport is not Transport.TCP or loaded.project.named(stream.server).service:
        return
    if not context.wire.answers(stream.upstream):
        yield (
            f"{stream.upstream} is no service of the Compose file, and does not answer this host:"
            " connections end at once until the proxy reaches it"
        )


def _added(context: Context, loaded: Loaded, wanted: AddStream) -> Loaded:
    """Load the file with the stream; an error in its lines names the argument, as they were never written."""
    listen, sni = (str(wanted.listen), None) if isinstance(wanted.listen, StreamPort) else (None, wanted.listen)
    block = stream_block(listen, sni, str(wanted.upstream), tuple(map(str, wanted.allow)))
    site = loaded.stack.site(sni) if sni else None
    if site is not None:
        hint = f"remove the site with 'stackctl remove-app {site.name}', or choose another name"
        raise InputError(f"{sni} is a site of this stack", where=site.where, hint=hint)
    path = (KEY, "streams")
    edited = edit.add_item(loaded.doc, path, block)
    try:
        return load(context, edited, loaded.before)
    except StackfileError as error:
        last = len(edited.data(path)) - 1
        places = {
            edited.where_of((*path, last)): "LISTEN",
            edited.where_of((*path, last, "listen")): "LISTEN",
            edited.where_of((*path, last, "upstream")): "UPSTREAM",
        }
        if error.where not in places:
            raise
        raise InputError(error.message, where=places[error.where], hint=error.hint) from error


def remove_stream(context: Context, text: str, *, dry_run: bool = False) -> Result[None]:
    """Remove the stream that ``text`` means, and with it the port that was published for it.

    Raises:
        InputError: it is neither a port nor a name, or it means several streams.
    """
    loaded = load_current(context)
    name, stream = stream_named(loaded.stack.streams, text)
    if stream is None:
        # What an interrupted run left behind is cleaned up.
        result = converge(context, "remove-stream", loaded, _intent(loaded, name), dry_run=dry_run)
        return replace(result, notes=(*result.notes, f"{name} is no stream of this stack"))
    doc = edit.remove(loaded.doc, (KEY, "streams", loaded.stack.streams.index(stream)))
    after = load(context, doc, loaded.before)
    return converge(context, "remove-stream", after, _intent(after, name), dry_run=dry_run)
