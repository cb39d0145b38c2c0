"""Lets a service trust the stack's own CA: edits its ``volumes`` and ``environment``, and nothing else of it."""

from __future__ import annotations

from stackctl.errors import StackfileError
from stackctl.model.layout import LOCAL_ROOT, TRUST, TRUST_BUNDLE
from stackctl.stackfile import edit
from stackctl.stackfile.document import Document, Path
from stackctl.templates import compose_quote, yaml_name

VARIABLES = ("SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE")
"""Read by OpenSSL, Go and most programs; by Node.js; by Python's requests."""


def trusting(doc: Document, service: str, base: str) -> Document:
    """Return the document in which a service trusts the roots in the stack's bundle.

    Raises:
        StackfileError: it has one of the variables with another value, or its lines cannot be edited.
    """
    mounts: Path = ("services", service, "volumes")
    if _mount(doc, mounts) is None:
        doc = edit.add_item(doc, mounts, f"- {compose_quote(f'{base}/{TRUST.path}:{TRUST.mount}:ro')}\n")
    place: Path = ("services", service, "environment")
    for name in VARIABLES:
        there = _variables(doc, place).get(name)
        if there is None and isinstance(doc.data(place), list):
            doc = edit.add_item(doc, place, f"- {name}={TRUST_BUNDLE.mount}\n")
        elif there is None:
            doc = edit.add_entry(doc, place, f"{yaml_name(name)}: {TRUST_BUNDLE.mount}\n")
        elif there != TRUST_BUNDLE.mount:
            hint = f"add {LOCAL_ROOT.path} to {there} yourself, or remove the variable and run the command again"
            raise StackfileError(f"{service} has {name} already: {there}", where=doc.where_of(place), hint=hint)
    return doc


def without_trust(doc: Document, service: str) -> Document:
    """Return the document without what :func:`trusting` wrote."""
    place: Path = ("services", service, "environment")
    for name in VARIABLES:
        if _variables(doc, place).get(name) != TRUST_BUNDLE.mount:
            continue
        found = doc.data(place)
        key = name if isinstance(found, dict) else found.index(f"{name}={TRUST_BUNDLE.mount}")
        doc = edit.remove(doc, (*place, key))
    mounts: Path = ("services", service, "volumes")
    index = _mount(doc, mounts)
    return doc if index is None else edit.remove(doc, (*mounts, index))


def _mount(doc: Document, path: Path) -> int | None:
    """Return the index of the mount of the bundle, or None."""
    items = enumerate(doc.data(path) or [])
    end = f"{TRUST.path}:{TRUST.mount}:ro"
    return next((index for index, item in items if isinstance(item, str) and item.endswith(end)), None)


def _variables(doc: Document, path: Path) -> dict[str, str]:
    found = doc.data(path)
    if isinstance(found, dict):
        return {str(name): str(value) for name, value in found.items()}
    pairs = (str(item).partition("=") for item in found or [])
    return {name: value for name, _, value in pairs}
