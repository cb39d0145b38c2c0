"""Edit the Compose file of an adopted stack; only lines that must change do."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from stackctl.adopt.compose_layouts import Layout
from stackctl.adopt.proposal import Proposal, ProposedSite, ProposedStream
from stackctl.errors import InputError
from stackctl.model.backends import Server
from stackctl.model.endpoints import HTTP_PORT, HTTPS_PORT, PortBinding
from stackctl.model.layout import CERTBOT_CONF
from stackctl.model.matching import EVERY_PATH, PathMatch
from stackctl.model.project import ROLE_LABEL, WRITTEN_LABEL, Service
from stackctl.model.streams import StreamPort, Transport
from stackctl.model.values import Domain
from stackctl.proxies.proxy import Proxy
from stackctl.stackfile import edit, services
from stackctl.stackfile.document import Document, Path
from stackctl.stackfile.flow import put_entry
from stackctl.stackfile.keys import KEY
from stackctl.stackfile.stream_ports import NOTE
from stackctl.stackfile.streams import stream_block

_DROPPED = ("command", "user", "working_dir")


def adopted(  # noqa: PLR0913  (one for each part of the new text)
    doc: Document,
    proxy: Proxy,
    layout: Layout,
    proposal: Proposal,
    settings: Mapping[str, services.Value],
    images: Mapping[str, str],
    base: str = services.HERE,
) -> Document:
    """Return ``doc`` with stackctl's proxy and certbot services, a route for each site, and the top-level ``settings``.

    ``images`` are the images to replace, by role; ``base`` is the stack's directory, relative to Compose's
    project directory.
    """
    for key, value in {**settings, **proposal.tuning}.items():
        if key not in (doc.data((KEY,)) or {}):
            doc = edit.add_entry(doc, (KEY,), services.render_entry(key, value))
    doc = _as_proxy(doc, proxy, layout, images.get("proxy"), base)
    doc = _as_certbot(doc, proxy, layout.certbot, images.get("certbot"), base)
    for helper in layout.helpers:
        doc = edit.remove(doc, ("services", helper.name))
    for site in proposal.sites:
        doc = _routed(doc, site)
    for one in proposal.redirects:
        block = services.redirect_block(one.names, one.to, one.status, keep_path=one.keep_path)
        if one.lineage not in {None, one.names[0]}:
            block += f"  certificate: {services.render_value(one.lineage or '')}\n"
        doc = edit.add_item(doc, (KEY, "redirects"), block)
    for route in proposal.routes:
        doc = _with_route(doc, route.domains, route.server, path=route.path, strip=route.strip)
    for stream in proposal.streams:
        doc = _passed_on(doc, stream, ("services", str(layout.proxy.name), "ports"))
    return doc


def _as_proxy(doc: Document, proxy: Proxy, layout: Layout, image: str | None, base: str) -> Document:
    service = layout.proxy
    name = str(service.name)
    at = {port.target: port.at for port in service.ports if port.is_tcp}
    http = at.get(HTTP_PORT) or PortBinding(at[HTTPS_PORT].address, HTTP_PORT)
    https = at.get(HTTPS_PORT) or PortBinding(http.address, HTTPS_PORT)
    block = proxy.service(name, image or service.image or "", http, https, base)
    for target, place in ((HTTP_PORT, http), (HTTPS_PORT, https)):
        if target not in at:
            doc = _in_lines(doc, ("services", name, "ports"))
            doc = edit.add_item(doc, ("services", name, "ports"), f'- "{place}:{target}"\n')
    doc = _without_configs(doc, ("services", name, "configs"), layout.configuration)
    return _with_role(doc, name, "proxy", block, image, layout.configuration)


def _without_configs(doc: Document, path: Path, gone: Sequence[str]) -> Document:
    """Remove the ``configs`` below ``gone``: they would be mounted over stackctl's files."""
    there = doc.data(path)
    found = [number for number, one in enumerate(there or ()) if isinstance(one, dict) and _is_below(one, gone)]
    if there and len(found) == len(there):
        return edit.remove(doc, path)
    for number in reversed(found):
        doc = edit.remove(doc, (*path, number))
    return doc


def _is_below(config: Any, gone: Sequence[str]) -> bool:  # noqa: ANN401  (YAML holds anything)
    return any(f"{config.get('target', '')}/".startswith(f"{folder}/") for folder in gone)


def _as_certbot(doc: Document, proxy: Proxy, service: Service | None, image: str | None, base: str) -> Document:
    directory = proxy.layout.directory
    if service is None:
        name = "certbot" if doc.entry(("services", "certbot")) is None else "stackctl-certbot"
        used = image or services.DEFAULT_CERTBOT_IMAGE
        block = services.certbot_block(name, used, proxy=directory, with_bundle=False, base=base)
        return edit.add_entry(doc, ("services",), block)
    name = str(service.name)
    block = services.certbot_block(name, image or service.image or "", proxy=directory, with_bundle=False, base=base)
    return _with_role(doc, name, "certbot", block, image)


def _with_role(  # noqa: C901, PLR0913  (one branch for each kind of key)
    doc: Document, name: str, role: str, block: str, image: str | None, gone: Sequence[str] = ()
) -> Document:
    """Set the keys that stackctl owns in a service; all others are kept, but for volumes below ``gone``."""
    path = ("services", name)
    body = doc.data(path)
    wanted = Document.parse(block, "block").data((name,))
    if image is not None and body.get("image") != image:
        doc = _put(doc, (*path, "image"), services.entry_of(block, name, "image"))
        if "build" in body:
            doc = edit.remove(doc, (*path, "build"))
    elif "image" not in body:  # the image that its 'build' makes, which stackctl looks up by its name
        doc = _put(doc, (*path, "image"), services.entry_of(block, name, "image"))
    for key in _DROPPED:
        if key in wanted and body.get(key) != wanted[key]:
            doc = _put(doc, (*path, key), services.entry_of(block, name, key))
        elif key in body and key not in wanted:
            doc = edit.remove(doc, (*path, key))
    for key in services.OWNED_KEYS:
        new = services.entry_of(block, name, key)
        if key == "volumes":
            in_memory = [str(one).partition(":")[0] for one in wanted["tmpfs"]]
            doc = _mounted(doc, (*path, key), wanted[key], in_memory, gone)
            continue
        if new is None and key in body:
            doc = edit.remove(doc, (*path, key))
        elif new is not None and body.get(key) != Document.parse(new, "block").data((key,)):
            doc = _put(doc, (*path, key), new)
    digest = services.owned_digest(wanted)
    return _labelled(doc, path, {ROLE_LABEL: role, WRITTEN_LABEL: digest})


def _put(doc: Document, path: Path, block: str | None) -> Document:
    assert block is not None  # the template has the key
    return edit.replace(doc, path, block) if doc.entry(path) is not None else edit.add_entry(doc, path[:-1], block)


def _mounted(
    doc: Document, path: Path, wanted: Sequence[str], in_memory: Sequence[str], gone: Sequence[str]
) -> Document:
    """Set stackctl's volumes; the user's volumes with other targets are kept as written.

    ``in_memory`` are the targets of ``tmpfs``, where Compose accepts no volume; below ``gone`` nothing reads one.
    """
    doc = _in_lines(doc, path)
    there = doc.data(path) or []
    if not there:
        return _put(doc, path, _listed("volumes", wanted))
    # A volume without a source only has to be there: the user's own may be larger, or keep a cache.
    wanted = [text for text in wanted if ":" in text or not any(_target(volume) == text for volume in there)]
    # The proxy reads copies of the certificates; certbot's tree has the keys of its accounts too.
    targets = {*map(_target, wanted), CERTBOT_CONF.mount, *gone}
    # Add before removing, so that the list is never empty.
    for text in wanted:
        if text not in there:
            doc = edit.add_item(doc, path, f"- {text}\n")
    replaced = [
        index
        for index, volume in enumerate(there)
        if volume not in wanted and (_is_replaced(volume, targets) or _target(volume).rstrip("/") in in_memory)
    ]
    for index in reversed(replaced):
        doc = edit.remove(doc, (*path, index))
    return doc


def _in_lines(doc: Document, path: Path) -> Document:
    """Rewrite a flow list of texts as a block list, with a line for each."""
    found, there = doc.entry(path), doc.data(path)
    if found is None or not getattr(found[1], "flow_style", False) or not all(isinstance(one, str) for one in there):
        return doc
    return edit.replace(doc, path, _listed(str(path[-1]), [services.render_value(text) for text in there]))


def _listed(key: str, items: Sequence[str]) -> str:
    return f"{key}:\n" + "".join(f"  - {item}\n" for item in items)


def _target(volume: Any) -> str:  # noqa: ANN401  (YAML holds anything)
    """Return where an entry of ``volumes`` is in the container."""
    if isinstance(volume, dict):
        return str(volume.get("target", ""))
    return (str(volume).split(":")[1:2] or [str(volume)])[0]


def _is_replaced(volume: Any, targets: set[str]) -> bool:  # noqa: ANN401  (YAML holds anything)
    """Whether stackctl's volumes replace it; stackctl's proxy never mounts the engine's socket."""
    target = _target(volume)
    return target.endswith("docker.sock") or any(target == one or target.startswith(f"{one}/") for one in targets)


def _labelled(doc: Document, path: Path, labels: Mapping[str, str]) -> Document:
    there = doc.data((*path, "labels"))
    for key, value in labels.items():
        if isinstance(there, list):
            old = next((index for index, item in enumerate(there) if str(item).startswith(f"{key}=")), None)
            if old is not None:
                doc = edit.remove(doc, (*path, "labels", old))
            doc = edit.add_item(doc, (*path, "labels"), f"- {services.render_value(f'{key}={value}')}\n")
            there = doc.data((*path, "labels"))
        elif (there or {}).get(key) != value:
            shown = value if key == ROLE_LABEL else services.render_value(value)
            doc = _put(doc, (*path, "labels", key), f"{key}: {shown}\n")
    return doc


def _passed_on(doc: Document, stream: ProposedStream, ports: Path) -> Document:
    """Add a stream; a port that is another one inside the old container is published as it is on the host."""
    port = stream.listen if isinstance(stream.listen, StreamPort) else None
    if port is not None and stream.inside != port.at.port:
        doc = _in_lines(doc, ports)
        index = next(
            (number for number, item in enumerate(doc.data(ports)) if _is_port(item, stream.inside, port)), None
        )
        if index is None:
            raise InputError(
                f"port {port} of {ports[1]} is published in a form that cannot be edited: in a range, or by a variable",
                where=doc.where_of(ports),
                hint=f"write it in a line of its own: {port.at}:{stream.inside}",
            )
        doc = edit.add_item(doc, ports, f"- {services.render_value(port.published)}  {NOTE}\n")
        doc = edit.remove(doc, (*ports, index))
    listen, sni = (str(port), None) if port else (None, str(stream.listen))
    return edit.add_item(doc, (KEY, "streams"), stream_block(listen, sni, str(stream.upstream), stream.allow))


def _is_port(item: Any, inside: int | None, port: StreamPort) -> bool:  # noqa: ANN401  (YAML holds anything)
    """Whether an item of ``ports`` publishes the port ``inside`` of the container as ``port``."""
    if isinstance(item, dict):
        found = (str(item.get("target")), str(item.get("published")), str(item.get("protocol", Transport.TCP)))
    else:
        text, _, transport = str(item).partition("/")
        outside, _, target = text.rpartition(":")
        found = (target, outside.rpartition(":")[2], transport or Transport.TCP)
    return found == (str(inside), str(port.at.port), port.transport)


def _routed(doc: Document, site: ProposedSite) -> Document:
    """Add the route of a site: to its service if that has none yet, else to the list of apps."""
    extra = dict(site.tuning)
    if site.lineage is not None and site.lineage != site.name:
        extra = {"certificate": site.lineage, **extra}
    lines = f"  certificate: {site.certificate}\n" if site.certificate else ""
    entries = "".join(services.render_entry(key, value) for key, value in extra.items())
    lines += textwrap.indent(entries, "  ")
    return _with_route(doc, site.domains, site.server, lines)


def _with_route(  # noqa: PLR0913  (one for each key)
    doc: Document,
    domains: Sequence[Domain],
    server: Server | None,
    lines: str = "",
    *,
    path: PathMatch = EVERY_PATH,
    strip: bool = False,
) -> Document:
    service, port = (server.service, server.endpoint.port) if server else (None, 0)
    if service is not None and doc.entry(("services", service, KEY)) is None:
        block = services.route_block(domains, port, path, strip=strip)
        return put_entry(doc, ("services", service, KEY), block + lines)
    block = services.outside_block(
        domains,
        upstream=str(server) if server and not service else None,
        service=service,
        port=port if service else None,
        path=path,
        strip=strip,
    )
    return edit.add_item(doc, (KEY, "apps"), block + lines)
