"""Bring stackctl's own services in a Compose file up to date: an earlier version wrote them."""

from __future__ import annotations

from stackctl.engine.context import Context
from stackctl.errors import StackfileError
from stackctl.model.endpoints import HTTP_PORT, HTTPS_PORT, PortBinding
from stackctl.model.layout import CERTBOT_CONF, HOOK, RENEWED
from stackctl.model.project import WRITTEN_LABEL
from stackctl.proxies.proxy import Proxy
from stackctl.proxies.sites import served_copy
from stackctl.stackfile import edit, services
from stackctl.stackfile.document import Document
from stackctl.stackfile.keys import KEY
from stackctl.stackfile.read import read_keys, service_with_role
from stackctl.stackfile.trusting import trusting, without_trust
from stackctl.usecases.converge import Loaded, interpolated, load, open_document

_ROOT = "0"
"""The user of a proxy whose image has another one."""

_EARLIER_HOOK = f"'date +%s.%N >{RENEWED.mount}'"
"""The deploy hook of earlier versions, which only informed the proxy."""


def load_refreshed(context: Context) -> Loaded:
    """Load the Compose file on disk, with stackctl's own services as this version writes them.

    Raises:
        InputError: the directory has no Compose file.
        StackfileError: the file is not valid YAML, Compose rejects it, or x-stackctl is invalid.
    """
    doc = open_document(context)
    found = refreshed(context, doc)
    try:
        return load(context, found, doc.text)
    except StackfileError:
        if found is not doc:
            # The lines of the user's file count, which the same fault has there.
            load(context, doc, doc.text)
        raise


def refreshed(context: Context, doc: Document) -> Document:
    """Return the Compose file with stackctl's own services up to date; what the user edited in them stays."""
    proxy = context.proxies.get(read_keys(interpolated(context, doc)).proxy)
    if proxy is None:
        return doc  # an unknown one is refused later
    name = service_with_role(doc, "proxy")
    if name is not None:
        ports = PortBinding(None, HTTP_PORT), PortBinding(None, HTTPS_PORT)
        block = proxy.service(name, proxy.default_image, *ports, context.directory.base)
        doc = _of_this_proxy(context, doc, proxy, name, block)
        found = _unless_inline(context, doc, "proxy", name, block)
        doc = found if found is doc or _may_lose_certbots_tree(context, proxy, name) else doc
    name = service_with_role(doc, "certbot")
    if name is not None:
        block = services.certbot_block(
            name,
            services.DEFAULT_CERTBOT_IMAGE,
            proxy=proxy.layout.directory,
            with_bundle=doc.data((KEY, "ca-bundle")) is not None,
            with_dns=_proves_by_dns(doc),
            base=context.directory.base,
        )
        doc = _unless_inline(context, doc, "certbot", name, block)
        if _proves_by_dns(doc):
            doc = with_variable(doc, name, services.FINDS_PLUGIN)
    return doc


def _of_this_proxy(context: Context, doc: Document, proxy: Proxy, name: str, block: str) -> Document:
    """Return the document with a service that was written for another proxy as one for ``proxy``.

    Raises:
        StackfileError: the user edited it, so that it cannot be.
    """
    volumes = str(doc.data(("services", name, "volumes")))
    other = next((one for one in context.proxies.values() if f":{one.layout.mount}:" in volumes), proxy)
    if other.name == proxy.name:
        return doc
    found, edited = refreshed_service(doc, name, block, context.directory.base)
    if edited:
        raise StackfileError(
            f"the service {name} was written for {other.name} and edited since: it cannot become one for {proxy.name}",
            where=doc.where_of(("services", name)),
            hint="remove the service and run 'stackctl init', which writes it anew",
        )
    body = found.data(("services", name))
    context.report.note(f"the service {name} becomes one of {proxy.name}")
    if body["image"] == other.default_image:
        found = edit.replace(found, ("services", name, "image"), services.entry_of(block, name, "image") or "")
    user = services.entry_of(block, name, "user")
    if user is not None and "user" not in body:
        found = edit.add_entry(found, ("services", name), user)
    elif user is None and body.get("user") == _ROOT:
        found = edit.remove(found, ("services", name, "user"))
    return found


def _may_lose_certbots_tree(context: Context, proxy: Proxy, name: str) -> bool:
    """Return whether no directive of the user's names a file of certbot's tree that is not copied for the proxy."""
    for file, content in context.directory.custom(proxy.layout).items():
        if CERTBOT_CONF.mount.encode() in served_copy(content):
            context.report.note(
                f"{proxy.layout.custom}/{file} names a file below {CERTBOT_CONF.mount}, so the service {name} is left"
                f" as an earlier version wrote it: copy that file to {proxy.layout.custom}, and name it there"
            )
            return False
    return True


def _unless_inline(context: Context, doc: Document, role: str, name: str, block: str) -> Document:
    """Return the document with the service up to date, or as it is where its lines cannot be edited."""
    try:
        found, edited = refreshed_service(doc, name, block, context.directory.base)
    except StackfileError as error:
        context.report.note(f"{error}: the service {name} is left as an earlier version wrote it")
        return doc
    return _with_hook(found) if edited and role == "certbot" else found


def _with_hook(doc: Document) -> Document:
    """Return the document with the current hook in a certbot service that the user edited elsewhere."""
    if doc.text.count(_EARLIER_HOOK) != 1:
        return doc
    return Document.parse(doc.text.replace(_EARLIER_HOOK, f"'sh {HOOK.mount}'"), doc.name)


def refreshed_service(doc: Document, name: str, block: str, base: str) -> tuple[Document, bool]:
    """Return the document with the keys that stackctl owns in a service as in ``block``, and whether they stay.

    They stay if the user edited them; what ``stackctl trust --service`` added is no edit, and stays in any case.
    ``base`` is the stack's directory, relative to Compose's project directory.
    """
    bare = without_trust(doc, name)
    found, edited = _refreshed(bare, name, block)
    if edited or found is bare:
        return doc, edited
    return (found if bare is doc else trusting(found, name, base)), False


def _refreshed(doc: Document, name: str, block: str) -> tuple[Document, bool]:
    body = doc.data(("services", name))
    wanted = Document.parse(block, "block").data((name,))
    if services.owned_digest(wanted) == services.owned_digest(body):
        return doc, False
    labels = body.get("labels")
    if not isinstance(labels, dict) or labels.get(WRITTEN_LABEL) != services.owned_digest(body):
        return doc, True
    for key in services.OWNED_KEYS:
        there, new = doc.entry(("services", name, key)) is not None, services.entry_of(block, name, key)
        if there and new is not None and body[key] != wanted[key]:
            doc = edit.replace(doc, ("services", name, key), new)
        elif there and new is None:
            doc = edit.remove(doc, ("services", name, key))
        elif not there and new is not None:
            doc = edit.add_entry(doc, ("services", name), new)
    label = f'{WRITTEN_LABEL}: "{services.owned_digest(wanted)}"\n'
    return edit.replace(doc, ("services", name, "labels", WRITTEN_LABEL), label), False


def _proves_by_dns(doc: Document) -> bool:
    return bool(doc.data((KEY, "dns")))


def with_variable(doc: Document, certbot: str, variable: tuple[str, str]) -> Document:
    """Give certbot's environment a variable, unless the user set it."""
    key, value = variable
    path = ("services", certbot, "environment")
    environment = doc.data(path) or {}
    if key in environment or any(str(item).startswith(f"{key}=") for item in environment):
        return doc
    if isinstance(environment, list):
        return edit.add_item(doc, path, f"- {services.render_value(f'{key}={value}')}\n")
    return edit.add_entry(doc, path, f"{key}: {services.render_value(value)}\n")
