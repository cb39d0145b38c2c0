"""Reads what the proxy answers itself: redirects, pages for errors, maintenance, and unknown names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from stackctl.errors import StackfileError
from stackctl.model import action_values, match_values, page_values, values
from stackctl.model.acme import CA_NAMES, LOCAL, KeyType, OwnIssuance
from stackctl.model.circles import circles
from stackctl.model.matching import Match
from stackctl.model.pages import ErrorPages, Maintenance, PageFile
from stackctl.model.routing import Redirect, Route, Site
from stackctl.model.stack import ProxyService, UnknownNames
from stackctl.model.tuning import Tuning
from stackctl.model.values import Domain
from stackctl.stackfile.answer_keys import MaintenanceKeys, UnknownKeys
from stackctl.stackfile.blocked import read_blocked
from stackctl.stackfile.certificates import certificate_of, split
from stackctl.stackfile.client_certificates import client_certificate
from stackctl.stackfile.dns_keys import DNS
from stackctl.stackfile.document import Document, Path
from stackctl.stackfile.key_types import first_key, second_key
from stackctl.stackfile.keys import KEY, checked, decode
from stackctl.stackfile.schema import AppKeys, ServiceKeys, StackKeys

_OF_CERTIFICATE = ("ca", "key-type", "rsa-key-size", "profile")
_OF_SITE = (
    "challenge",
    "canonical",
    "errors",
    "intercept-errors",
    "maintenance",
    "client-certificate",
    "block",
    *_OF_CERTIFICATE,
)
"""Keys of a whole site, which its block has."""


def with_answers(doc: Document, top: StackKeys, sites: Sequence[Site], defaults: Tuning) -> tuple[Site, ...]:
    """Return ``sites`` with what the proxy answers for them, and those of the list ``redirects``.

    Raises:
        StackfileError: a value is wrong, or a redirected name belongs to a site.
    """
    shared = _errors(doc, (KEY,), top.errors, ErrorPages(intercept=top.intercept_errors or False))
    own = {site: replace(site, errors=shared) for site in sites} if shared != ErrorPages() else {}
    for path in _blocks(doc, top):
        site = _site_at(doc, path, sites)
        own[site] = _with_keys(doc, path, own.get(site, site), shared)
    found = [own.get(site, site) for site in sites]
    return (*found, *_redirected(doc, top, found, defaults))


def _blocks(doc: Document, top: StackKeys) -> Iterator[Path]:
    """Yield the place of each block with one of the keys."""
    for service in doc.names(("services",)):
        path: Path = ("services", service, KEY)
        if any(doc.entry((*path, key)) for key in _OF_SITE):
            yield path
    for index in range(len(top.apps)):
        path = (KEY, "apps", index)
        if any(doc.entry((*path, key)) for key in _OF_SITE):
            yield path


def _site_at(doc: Document, path: Path, sites: Sequence[Site]) -> Site:
    """Return the site of a block, whose keys these are.

    Raises:
        StackfileError: the site has another block, for its path ``/``.
    """
    names = (doc.data(path) or {}).get("domains") or ()
    site = next(site for site in sites if any(values.site_domain(str(name)) in site.domains for name in names))
    if site.where != doc.where_of(path):
        key = next(key for key in _OF_SITE if doc.entry((*path, key)))
        raise StackfileError(
            f"{key!r} is a key of the whole site {site.name}",
            where=doc.where_of((*path, key)),
            hint=f"write it at {site.where}",
        )
    return site


def _with_keys(doc: Document, path: Path, site: Site, shared: ErrorPages) -> Site:
    keys = decode(doc, path, AppKeys) if path[0] == KEY else decode(doc, path, ServiceKeys)
    canonical = keys.canonical
    if canonical is not None:
        canonical = checked(doc, (*path, "canonical"), values.domain, canonical)
        if canonical not in site.domains:
            raise StackfileError(
                f"{canonical} is not a name of this site",
                where=doc.where_of((*path, "canonical")),
                hint=f"write one of its domains: {', '.join(site.domains)}",
            )
    intercept = shared.intercept if keys.intercept_errors is None else keys.intercept_errors
    return replace(
        site,
        canonical=canonical,
        errors=_errors(doc, path, keys.errors, replace(shared, intercept=intercept)),
        clients=client_certificate(doc, (*path, "client-certificate"), keys.client_certificate),
        maintenance=None if keys.maintenance is None else _maintenance(doc, path, keys.maintenance),
        blocked=read_blocked(doc, path, keys.block),
        issuance=_issuance(doc, path, keys),
        second_key=second_key(doc, path, keys.key_type),
        dns=keys.challenge == DNS,
    )


def _issuance(doc: Document, path: Path, keys: AppKeys | ServiceKeys) -> OwnIssuance:
    ca = keys.ca
    if ca is not None and ca != LOCAL:
        ca = checked(doc, (*path, "ca"), values.ca_directory, CA_NAMES.get(ca, ca))
    kind = None if keys.key_type is None else first_key(keys.key_type)
    if kind is KeyType.ECDSA and keys.rsa_key_size is not None:
        raise StackfileError(
            "'rsa-key-size' is for RSA keys", where=doc.where_of((*path, "rsa-key-size")), hint="write 'key-type: rsa'"
        )
    return OwnIssuance(ca, kind, keys.rsa_key_size, keys.profile)


def _errors(doc: Document, path: Path, keys: Mapping[str, str], shared: ErrorPages) -> ErrorPages:
    """Return the pages of a block, and those of ``shared`` for other errors."""
    pages = dict(shared.pages)
    for status, text in keys.items():
        place: Path = (*path, "errors", status)
        number = checked(doc, place, page_values.error_status, status)
        pages[number] = _page(doc, place, text)
    return replace(shared, pages=tuple(sorted(pages.items())))


def _page(doc: Document, place: Path, text: str) -> PageFile:
    return PageFile(checked(doc, place, page_values.page_path, text), doc.where_of(place))


def _maintenance(doc: Document, path: Path, keys: MaintenanceKeys) -> Maintenance:
    place: Path = (*path, "maintenance")
    if keys.page is not None and keys.message is not None:
        raise StackfileError(
            "'message' is not shown where there is a 'page'", where=doc.where_of(place), hint="keep one of them"
        )
    allow = [
        checked(doc, (*place, "allow", index), match_values.network, text) for index, text in enumerate(keys.allow)
    ]
    return Maintenance(
        message="" if keys.message is None else checked(doc, (*place, "message"), page_values.message, keys.message),
        page=None if keys.page is None else _page(doc, (*place, "page"), keys.page),
        until=None if keys.until is None else checked(doc, (*place, "until"), page_values.moment, keys.until),
        allow=tuple(allow),
    )


# Redirects


def _redirected(doc: Document, top: StackKeys, sites: Sequence[Site], defaults: Tuning) -> Iterator[Site]:
    """Yield a site for each item of ``redirects``: it has a certificate like any other."""
    owners = {name: site.where for site in sites for name in site.domains}
    for index, keys in enumerate(top.redirects):
        path: Path = (KEY, "redirects", index)
        where = doc.where_of(path)
        names: list[Domain] = []
        written = [keys.from_] if isinstance(keys.from_, str) else keys.from_
        if not written:
            raise StackfileError("'from' names nothing to redirect", where=where)
        for number, text in enumerate(written):
            place: Path = (*path, "from") if isinstance(keys.from_, str) else (*path, "from", number)
            name = checked(doc, place, values.site_domain, text)
            if name in owners:
                raise StackfileError(f"{name} is routed twice", where=doc.where_of(place), hint=f"see {owners[name]}")
            owners[name] = doc.where_of(place)
            names.append(name)
        lineage, imported = split(names[0], certificate_of(doc, path, keys.certificate))
        action = _redirect(doc, (*path, "to"), keys.to, keys.code, keep_path=keys.keep_path)
        route = Route(Match(), action, where=where)
        yield Site(tuple(names), (route,), defaults, where, lineage, imported=imported, dns=keys.challenge == DNS)


def _redirect(doc: Document, place: Path, text: str, code: int, *, keep_path: bool) -> Redirect:
    target = checked(doc, place, action_values.followed_target if keep_path else action_values.redirect_target, text)
    if target.startswith("/"):
        raise StackfileError(
            f"{text!r} is a path, which would lead back to the same name",
            where=doc.where_of(place),
            hint="write a URL, such as https://new.example.com",
        )
    return Redirect(target, code, keep_path)


def refuse_circles(sites: Sequence[Site], proxy: ProxyService) -> None:
    """Refuse redirects that lead back to where they began.

    Raises:
        StackfileError: with the lines of all of them.
    """
    for circle in circles(sites, {listener.scheme: listener.at.port for listener in proxy.listeners}):
        first, *others = circle
        way = " -> ".join(map(str, (*circle, first)))
        lines = ", ".join(dict.fromkeys(one.where for one in others))
        raise StackfileError(
            f"the redirects of {way} lead in a circle" if others else f"{first} is redirected to itself",
            where=first.where,
            hint=f"see {lines}; let one of them lead elsewhere" if others else "let it lead to another name",
        )


# Unknown names


def unknown_names(doc: Document, top: StackKeys, sites: Sequence[Site]) -> UnknownNames:
    """Return what the key ``default`` says.

    Raises:
        StackfileError: a value is wrong, or no site has the name.
    """
    keys, path = top.default, (KEY, "default")
    if not isinstance(keys, UnknownKeys):
        return UnknownNames(status=None if keys == "close" else keys)
    given = [key for key in ("redirect", "page", "app") if getattr(keys, key) is not None]
    if len(given) != 1:
        raise StackfileError(
            "'default' needs one of: redirect, page, app",
            where=doc.where_of((*path, *given[1:2])),
            hint=f"keep one of {' and '.join(given)}" if given else "or write 'close' or 404",
        )
    if keys.redirect is not None:
        return UnknownNames(redirect=_redirect(doc, (*path, "redirect"), keys.redirect, 302, keep_path=False))
    if keys.page is not None:
        return UnknownNames(page=_page(doc, (*path, "page"), keys.page))
    name = checked(doc, (*path, "app"), values.site_domain, keys.app or "")
    site = next((site for site in sites if name in site.domains), None)
    if site is None:
        raise StackfileError(f"no site has the name {name}", where=doc.where_of((*path, "app")))
    return UnknownNames(site=site.name)
