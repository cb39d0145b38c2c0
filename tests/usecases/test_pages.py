"""Pages are files of the stack: checked, copied into the proxy's files, part of the history and of backups."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stackctl.engine.backup.selection import select
from stackctl.errors import StackctlError, StackfileError
from stackctl.model.page_values import LARGEST_PAGE
from tests.usecases.world import World, done

COPY = "snippets/pages/pages/502.html"
KEYS = '      errors:\n        "502": pages/502.html\n'


@pytest.fixture
def paged(site: World) -> World:
    """A site with a page for 502."""
    page(site).parent.mkdir()
    page(site).write_bytes(b"<p>sorry")
    site.edit("      port: 8000\n", f"      port: 8000\n{KEYS}")
    done(site.up())
    return site


def page(world: World) -> Path:
    return world.root / "pages/502.html"


def test_a_page_is_copied_into_the_generation_and_shown_by_the_proxy(paged: World) -> None:
    assert paged.live()[COPY] == b"<p>sorry"
    conf = paged.live()["sites/one.example.com.conf"].decode()
    assert "error_page 502 /.well-known/stackctl/pages/pages/502.html;" in conf
    assert "proxy_intercept_errors" not in conf
    assert not paged.up().plan
    page(paged).write_bytes(b"<p>very sorry")
    done(paged.up())
    assert paged.live()[COPY] == b"<p>very sorry"


def test_a_page_goes_back_with_the_rest(paged: World) -> None:
    page(paged).write_bytes(b"<p>very sorry")
    done(paged.up())
    done(paged.rollback())
    assert page(paged).read_bytes() == paged.live()[COPY] == b"<p>sorry"
    page(paged).unlink()
    page(paged).parent.rmdir()
    done(paged.rollback())
    assert page(paged).read_bytes() == b"<p>very sorry"


def test_a_page_that_was_edited_is_recorded_before_a_rollback_replaces_it(paged: World) -> None:
    page(paged).write_bytes(b"<p>mine")
    done(paged.rollback())
    assert page(paged).read_bytes() == b"<p>sorry"
    history = paged.host.directory.history
    assert b"<p>mine" in [history.files(entry.number).get("pages/502.html") for entry in history.entries()]


def test_a_page_is_in_a_backup(paged: World) -> None:
    assert "pages/502.html" in select(paged.host.directory.files, tuple).paths


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (str, "there is no file pages/502.html"),
        (lambda path: path.mkdir(), "pages/502.html cannot be used: Is a directory"),
        (os.mkfifo, "pages/502.html cannot be used: it is not a regular file"),
        (lambda path: path.write_bytes(b"x" * (LARGEST_PAGE + 1)), "it is larger than 1024 KiB"),
        (lambda path: path.symlink_to("/etc/passwd"), "a link to a file outside the stack's directory"),
        (lambda path: path.symlink_to("502.html"), "pages/502.html cannot be used"),
        (lambda path: path.write_bytes(b" \n"), "pages/502.html is empty"),
        (
            lambda path: path.write_bytes("<p>\nZurück".encode("latin-1")),
            "which the response declares: see its line 2",
        ),
        (lambda path: path.write_bytes("<p>".encode("utf-16")), "pages/502.html is not UTF-8"),
    ],
)
def test_a_page_that_cannot_be_used_is_refused_with_its_line(paged: World, make: object, message: str) -> None:
    page(paged).unlink()
    assert callable(make)
    make(page(paged))
    before = paged.live()
    with pytest.raises(StackctlError) as caught:
        paged.up()
    assert isinstance(caught.value, StackfileError)
    assert message in caught.value.message
    assert caught.value.where == paged.line_of('"502": pages/502.html')
    assert paged.live() == before


@pytest.mark.parametrize("key", ["502", "true", "1.5"])
def test_a_status_without_quotes_is_named_with_its_line(site: World, key: str) -> None:
    site.edit("x-stackctl:\n  email", f"x-stackctl:\n  errors:\n    {key}: pages/502.html\n  email")
    with pytest.raises(StackfileError, match="is not text") as refused:
        site.up()
    assert (
        refused.value.where == f"docker-compose.yml:{site.text[: site.text.index(f'{key}: pages')].count(chr(10)) + 1}"
    )
    assert "quotes" in (refused.value.hint or "")
