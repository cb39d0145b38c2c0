"""``stackctl user``: the names and passwords that a site asks for."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from stackctl.engine.context import Context
from stackctl.errors import HostError, InputError
from stackctl.model.apr1 import SALTS, hashed
from stackctl.model.pages import PageFile
from stackctl.model.routing import Site
from stackctl.model.users import read_users, with_user, without_user
from stackctl.model.values import Domain
from stackctl.plan.intent import Intent
from stackctl.stackfile.document import Document
from stackctl.stackfile.read import read_sites
from stackctl.usecases.converge import converge, interpolated, load, open_document
from stackctl.usecases.pages import pages_on_disk
from stackctl.usecases.result import Result
from stackctl.wording import listed


@dataclass(frozen=True, slots=True)
class ListedUser:
    """A user of a site; ``problem`` is why the site is not published with the hash, or None."""

    name: str
    where: str
    problem: str | None


@dataclass(frozen=True, slots=True)
class UsersReport:
    """The payload of ``user list``."""

    domain: Domain
    file: str
    users: tuple[ListedUser, ...]


def add_user(context: Context, domain: Domain, name: str, password: str, *, dry_run: bool = False) -> Result[None]:
    """Set the password of a user of a site, who may be new.

    Raises:
        InputError: no site has the domain, or it asks for no passwords.
    """
    salt = "".join(secrets.choice(SALTS) for _ in range(8))
    hash_ = hashed(password, salt)
    return _changed(context, "user add", domain, lambda content: with_user(content, name, hash_), dry_run=dry_run)


def remove_user(context: Context, domain: Domain, name: str, *, dry_run: bool = False) -> Result[None]:
    """Remove a user of a site.

    Raises:
        InputError: there is no such user, or no other: then nobody could log in.
    """

    def change(content: bytes) -> bytes:
        left = without_user(content, name)
        if left is None:
            known = [row.name for row in read_users(content)]
            hint = f"the users are {listed(known)}" if known else None
            raise InputError(f"{domain} has no user {name}", where="NAME", hint=hint)
        if not read_users(left):
            raise InputError(
                f"{name} is the last user of {domain}: nobody could log in",
                where="NAME",
                hint="add another one first; or remove 'users' from 'access', which opens the site",
            )
        return left

    return _changed(context, "user remove", domain, change, dry_run=dry_run)


def list_users(context: Context, domain: Domain) -> Result[UsersReport]:
    """Return the users of a site.

    Raises:
        InputError: no site has the domain, or it asks for no passwords.
    """
    page = _file(interpolated(context, open_document(context)), domain)
    rows = read_users(_content(context, page.path))
    users = tuple(ListedUser(row.name, f"{page.path}:{row.line}", row.problem or None) for row in rows)
    return Result("user list", UsersReport(domain, page.path, users))


def _changed(
    context: Context, command: str, domain: Domain, change: Callable[[bytes], bytes], *, dry_run: bool
) -> Result[None]:
    doc = open_document(context)
    page = _file(interpolated(context, doc), domain)
    pages = {**pages_on_disk(context, doc.text), page.path: change(_content(context, page.path))}
    loaded = load(context, doc, doc.text, pages)
    sites = frozenset(site.name for site in loaded.stack.sites if page in _files(site))
    intent = Intent(focus=sites, issue=False, pages={page.path: pages[page.path]}, pages_cause="its users change")
    return converge(context, command, loaded, intent, dry_run=dry_run)


def _file(doc: Document, domain: Domain) -> PageFile:
    """Return the file with the users of a site."""
    site = next((site for site in read_sites(doc) if domain in site.domains), None)
    if site is None:
        raise InputError(f"{domain} is not routed", where="DOMAIN", hint=f"add it with 'stackctl add-app {domain}'")
    found = _files(site)
    if not found:
        raise InputError(
            f"{domain} asks for no passwords",
            where=site.where,
            hint=f"add to its block: access: {{users: secrets/{site.name.removeprefix('*.')}.htpasswd}}",
        )
    if len(found) > 1:
        raise InputError(
            f"the routes of {domain} have different files with users: {listed([one.path for one in found])}",
            where=found[1].where,
            hint="use one file for all of them; or edit the files, and run 'stackctl up'",
        )
    return found[0]


def _files(site: Site) -> list[PageFile]:
    return list(dict.fromkeys(one.access.users for one in site.tunings if one.access.users is not None))


def _content(context: Context, path: str) -> bytes:
    if not (context.directory.root / path).exists():
        return b""
    try:
        return context.directory.page(path)
    except HostError as error:
        error.where = error.where or path
        raise
