"""Reads the key ``access``."""

from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import urlsplit

from stackctl.errors import InputError, StackfileError
from stackctl.model import header_values
from stackctl.model.access import PRESETS, Access, AuthService, ForwardAuth
from stackctl.model.endpoints import endpoint
from stackctl.model.match_values import network, path_prefix
from stackctl.model.matching import EVERY_PATH, Network, PathMatch
from stackctl.model.own_files import own_file
from stackctl.model.pages import PageFile
from stackctl.stackfile.access_keys import AccessBlock, AccessKeys, ForwardAuthKeys
from stackctl.stackfile.document import Document, Path
from stackctl.stackfile.keys import checked

_PATH = re.compile(r"/[A-Za-z0-9/._~-]*\Z")
_ENOUGH = 2


def access_of(doc: Document, path: Path, written: AccessBlock, around: Access) -> Access:
    """Return the rules of the block whose key ``access`` is at ``path``; a key it has not is that of ``around``.

    Raises:
        StackfileError: a value is wrong, or the rules would let everybody in; with its place.
    """
    if written == "none":
        return Access()
    assert isinstance(written, AccessKeys)
    keys = [name for name in ("allow", "deny", "users", "forward-auth", "satisfy", "skip") if doc.entry((*path, name))]
    changes: dict[str, object] = {"places": (*around.places, *((key, doc.where_of((*path, key))) for key in keys))}
    for name in ("allow", "deny"):
        texts = getattr(written, name)
        if texts is not None:
            changes[name] = _networks(doc, (*path, name), texts)
    if written.users is not None:
        place: Path = (*path, "users")
        changes["users"] = PageFile(checked(doc, place, own_file, written.users), doc.where_of(place))
    if written.forward_auth is not None:
        changes["forward"] = _forward(doc, (*path, "forward-auth"), written.forward_auth)
    if written.satisfy is not None:
        changes["satisfies_any"] = written.satisfy == "any"
    if written.skip is not None:
        changes["skip"] = _skipped(doc, (*path, "skip"), written.skip)
    found = replace(around, **changes)  # type: ignore[arg-type]
    _refuse_open(doc, path, found)
    return found


def _networks(doc: Document, path: Path, texts: list[str]) -> tuple[Network, ...]:
    if not texts:
        raise StackfileError(
            f"'{path[-1]}' is an empty list, which could mean everybody or nobody",
            where=doc.where_of(path),
            hint="list networks, or leave the key out",
        )
    found = [checked(doc, (*path, index), network, text) for index, text in enumerate(texts)]
    return tuple(dict.fromkeys(found))


def _skipped(doc: Document, path: Path, texts: list[str]) -> tuple[PathMatch, ...]:
    found = [checked(doc, (*path, index), path_prefix, text) for index, text in enumerate(texts)]
    if EVERY_PATH in found:
        raise StackfileError(
            "'skip' with / would open all of the site",
            where=doc.where_of((*path, found.index(EVERY_PATH))),
            hint="name the paths that are for everybody, or write 'access: none'",
        )
    return tuple(dict.fromkeys(found))


def _refuse_open(doc: Document, path: Path, found: Access) -> None:
    given = [
        name
        for name, value in (("allow", found.allow), ("users", found.users), ("forward-auth", found.forward))
        if value
    ]
    if found.satisfies_any and (len(given) < _ENOUGH or not found.needs):
        raise StackfileError(
            "'satisfy: any' needs two of 'allow', 'users' and 'forward-auth' to choose from"
            + (f", and there is only '{given[0]}'" if given else ""),
            where=found.where("satisfy") or doc.where_of(path),
            hint="add the other, or remove 'satisfy'",
        )
    if not found:
        raise StackfileError(
            "'access' has no rule, so everybody would get in",
            where=doc.where_of(path),
            hint="add 'allow', 'deny', 'users' or 'forward-auth'; 'access: none' is for everybody",
        )


def _forward(doc: Document, path: Path, keys: ForwardAuthKeys) -> ForwardAuth:
    service = AuthService() if keys.preset is None else PRESETS[keys.preset]
    base, rest = checked(doc, (*path, "url"), _url, keys.url)
    if keys.preset is not None and rest not in {"", "/"}:
        raise StackfileError(
            f"the preset {keys.preset} knows the path, and this URL has one",
            where=doc.where_of((*path, "url")),
            hint=f"write {base}, or leave 'preset' out",
        )
    if keys.preset is None:
        service = replace(service, path=rest or "/")
    if keys.pass_ is not None:
        names = [
            checked(doc, (*path, "pass", index), header_values.identity_header, name)
            for index, name in enumerate(keys.pass_)
        ]
        service = replace(service, identity=tuple({name.lower(): name for name in names}.values()))
    return ForwardAuth(base, service, doc.where_of(path))


def _url(text: str) -> tuple[str, str]:
    """Return ``text`` as the address of a service, and the path there."""
    hint = "write it as http://HOST:PORT/PATH; the host is the name of a service, or an address"
    try:
        parts = urlsplit(text)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise InputError(f"{text!r} is not a URL", hint=hint) from error
    if parts.scheme not in {"http", "https"} or parts.username or parts.query or parts.fragment or not parts.hostname:
        raise InputError(f"{text!r} is not the URL of a service that is asked", hint=hint)
    if parts.port == 0 or parts.netloc.endswith(":"):
        raise InputError(f"{text!r} has no port that can be asked", hint=hint)
    if parts.path and not _PATH.match(parts.path):
        raise InputError(f"{parts.path!r} is not a plain path", hint="use letters, digits and '/._~-'")
    host = parts.netloc.removesuffix(f":{port}")
    return f"{parts.scheme}://{endpoint(f'{host}:{port}')}", parts.path
