"""The files of a stack that the proxy answers with: read from its directory, or from the history."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

from stackctl.certs.given.clients import end_of
from stackctl.engine.context import Context
from stackctl.errors import HostError, InputError, StackctlError, StackfileError
from stackctl.model.blocked import networks_in
from stackctl.model.own_files import own_file
from stackctl.model.pages import PageFile
from stackctl.model.stack import Stack
from stackctl.model.users import read_users
from stackctl.stackfile.document import Document
from stackctl.stackfile.siblings import pages


def with_pages(context: Context, stack: Stack, recorded: Mapping[str, bytes] | None = None) -> Stack:
    """Return ``stack`` with the contents of its pages, which are those that are ``recorded``, or those on disk.

    Raises:
        StackfileError: one cannot be read; with the line that names it.
    """
    found: dict[str, bytes] = {}
    lists, users, clients = map(frozenset, (stack.lists, stack.users_files, stack.client_files))
    for page in stack.page_files:
        try:
            found[page.path] = context.directory.page(page.path) if recorded is None else recorded[page.path]
        except (HostError, KeyError) as error:
            problem = error.message if isinstance(error, HostError) else f"the entry has no file {page.path}"
            hint = "put the file there, or correct the path, which is relative to the stack's directory"
            if page in users:
                hint = "add a user with 'stackctl user add DOMAIN NAME', or correct the path"
            raise StackfileError(problem, where=page.where, hint=hint) from error
        if page in users:
            _refuse_unusable(page, found[page.path])
        elif page in clients:
            _refuse_no_pem(page, found[page.path])
        elif recorded is None:
            _refuse_unreadable(page, found[page.path])
            if page in lists:
                _refuse_no_list(page, found[page.path])
    return replace(stack, pages=found) if found else stack


def _refuse_unreadable(page: PageFile, content: bytes) -> None:
    """Refuse a page of which visitors would see nothing, or strange characters."""
    if not content.strip():
        raise StackfileError(f"{page.path} is empty: visitors would see a blank page", where=page.where)
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        problem = f"{page.path} is not UTF-8, which the response declares: see its line {line}"
        raise StackfileError(problem, where=page.where, hint="save it as UTF-8") from error


def _refuse_no_list(page: PageFile, content: bytes) -> None:
    """Refuse a list with a line that is no network."""
    try:
        for _ in networks_in(content, page.path):
            pass
    except InputError as error:
        raise StackfileError(error.message, where=error.where, hint=error.hint) from error


def _refuse_unusable(page: PageFile, content: bytes) -> None:
    """Refuse a file with users that nobody could log in by, or that would stop a worker at each request."""
    rows = read_users(content)
    for row in rows:
        if row.problem:
            raise StackfileError(f"{page.path}, line {row.line}: {row.problem}", where=page.where, hint=row.hint)
    if not rows:
        raise StackfileError(
            f"{page.path} has no user, so nobody could log in",
            where=page.where,
            hint="add one with 'stackctl user add DOMAIN NAME'",
        )


def _refuse_no_pem(page: PageFile, content: bytes) -> None:
    """Refuse a file that is neither certificates nor a list of revoked ones."""
    try:
        end_of(content)
    except ValueError as error:
        raise StackfileError(
            f"{page.path} has no certificate, and is no list of revoked ones, in PEM", where=page.where
        ) from error


def pages_on_disk(context: Context, text: str) -> dict[str, bytes]:
    """Return the pages that the text of a Compose file names, valid or not, by path; only those that can be read."""
    found: dict[str, bytes] = {}
    with suppress(StackctlError):
        for path in pages(Document.parse(text, context.directory.files.main.name).data()):
            with suppress(InputError, HostError):
                found[own_file(path)] = context.directory.page(own_file(path))
    return found
