"""Reads the list ``streams``: what is passed on without HTTP."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from stackctl.errors import InputError, StackfileError
from stackctl.model import endpoints, match_values, values
from stackctl.model.endpoints import HTTP_PORT, HTTPS_PORT, Endpoint
from stackctl.model.routing import Site
from stackctl.model.stack import ProxyService
from stackctl.model.streams import Stream, StreamPort, Transport, stream_port
from stackctl.model.values import Domain, ServiceName
from stackctl.stackfile.document import Document, Path
from stackctl.stackfile.keys import KEY, checked
from stackctl.stackfile.schema import StackKeys
from stackctl.stackfile.stream_keys import StreamKeys
from stackctl.templates import render


def read_streams(
    doc: Document, top: StackKeys, sites: Sequence[Site], proxy: ProxyService, services: Collection[str]
) -> tuple[Stream, ...]:
    """Return the streams of the file.

    Raises:
        StackfileError: a wrong value, a port or a name that something else has.
    """
    owners = {name: site.where for site in sites for name in site.domains}
    found: dict[Domain, Stream] = {}
    for index, keys in enumerate(top.streams):
        path: Path = (KEY, "streams", index)
        stream = _stream(doc, path, keys, services)
        taken = found[stream.name].where if stream.name in found else owners.get(stream.name)
        if taken is not None:
            what = f"port {stream.name} has two streams" if stream.port else f"{stream.name} is routed twice"
            raise StackfileError(what, where=stream.where, hint=f"see {taken}")
        if stream.port is not None:
            _refuse_own(doc, (*path, "listen"), stream.port, proxy)
        if stream.upstream.host == proxy.service:
            raise StackfileError(
                f"{stream.upstream} is the proxy itself: every connection would come back to it",
                where=doc.where_of((*path, "upstream")),
                hint="pass them on to the app itself: its service or its address",
            )
        found[stream.name] = stream
    return tuple(found.values())


def _stream(doc: Document, path: Path, keys: StreamKeys, services: Collection[str]) -> Stream:
    if (keys.listen is None) == (keys.sni is None):
        raise StackfileError(
            "a stream needs either 'listen', a port of its own, or 'sni', a name on the port of the sites",
            where=doc.where_of(path),
        )
    listen: StreamPort | Domain
    if keys.sni is not None:
        listen = checked(doc, (*path, "sni"), values.domain, keys.sni)
    else:
        listen = checked(doc, (*path, "listen"), stream_port, str(keys.listen))
    upstream = checked(doc, (*path, "upstream"), stream_upstream, keys.upstream)
    allow = [keys.allow] if isinstance(keys.allow, str) else keys.allow
    service = next((ServiceName(name) for name in services if name.lower() == upstream.host), None)
    return Stream(
        # A service keeps its capital letters, as in its site.
        Endpoint(service, upstream.port) if service else upstream,
        listen,
        service,
        tuple(
            checked(
                doc,
                (*path, "allow", number) if isinstance(keys.allow, list) else (*path, "allow"),
                match_values.network,
                text,
            )
            for number, text in enumerate(allow)
        ),
        doc.where_of(path),
    )


def stream_upstream(text: str) -> Endpoint:
    """Return ``text`` as ``HOST:PORT``; there is no scheme, as nothing is known of what is spoken."""
    if "://" in text:
        raise InputError(f"{text!r} has a scheme", hint="a stream is passed on as it is: write HOST:PORT")
    return endpoints.endpoint(text)


def _refuse_own(doc: Document, path: Path, port: StreamPort, proxy: ProxyService) -> None:
    """Refuse the ports of the sites."""
    own = {listener.at.port for listener in proxy.listeners} | {HTTP_PORT, HTTPS_PORT}
    if port.transport is Transport.TCP and port.at.port in own:
        raise StackfileError(
            f"port {port.at.port} is the proxy's own, for its sites",
            where=doc.where_of(path),
            hint="choose another one; TLS for a name is passed on by 'sni' in the place of 'listen'",
        )


def stream_block(listen: str | None, sni: str | None, upstream: str, allow: Sequence[str]) -> str:
    """Return one item of the list ``streams``."""
    return render("compose/stream.yml.j2", listen=listen, sni=sni, upstream=upstream, allow=allow)
