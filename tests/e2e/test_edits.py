"""Edits by hand, of docker-compose.yml and of nginx/custom, followed by ``up``."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

import pytest

from tests.e2e.conftest import NewStack
from tests.e2e.helpers import APP_IMAGE, Stack, docker, trusting, wait_until

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def shared(new_stack: NewStack) -> Stack:
    """Two apps on their dummies: no certificate is what these tests are about."""
    made = new_stack()
    made.init()
    for label in ("app1", "app2"):
        made.ok("add-app", made.domain(label), "--image", APP_IMAGE, "--no-issue")
    return made


@pytest.fixture
def edited(shared: Stack) -> Iterator[Stack]:
    """The shared stack, whose files are put back after the test."""
    before = shared.file.read_bytes()
    custom = shared.directory / "nginx/custom"
    yield shared
    shared.file.write_bytes(before)
    for path in custom.iterdir():
        path.unlink()
    shared.ok("up", "--no-issue")


def _upload(stack: Stack, name: str, size: int) -> int:
    return stack.https(name, "/upload", method="POST", body=bytes(size), trust=False).status


def _route(stack: Stack, label: str) -> str:
    return f"        - {stack.domain(label)}\n      port: 8000\n"


def test_body_size_port_and_tls(edited: Stack) -> None:
    first, second = edited.domain("app1"), edited.domain("app2")
    assert _upload(edited, first, 2 << 20) == 200
    untouched = edited.container("app1")
    edited.edit(_route(edited, "app1"), f"{_route(edited, 'app1')}      body-size: 1m\n")
    edited.edit(_route(edited, "app2"), _route(edited, "app2").replace("8000", "8123"))
    edited.edit("  app2:\n", '  app2:\n    environment:\n      PORT: "8123"\n')
    edited.edit("agree-tos: true\n", "agree-tos: true\n  tls: modern\n")

    edited.ok("up", "--no-issue")

    assert _upload(edited, first, 2 << 20) == 413
    assert _upload(edited, second, 2 << 20) == 200
    assert edited.http(second).json()["app"] == edited.container("app2")[:12]
    assert edited.container("app1") == untouched
    assert _version(edited, first, ssl.TLSVersion.TLSv1_3) == "TLSv1.3"
    assert _version(edited, first, ssl.TLSVersion.TLSv1_2) is None


def _version(stack: Stack, name: str, version: ssl.TLSVersion) -> str | None:
    context = trusting(None)
    context.minimum_version = context.maximum_version = version
    with socket.create_connection((stack.address, 443), 10) as plain:
        try:
            with context.wrap_socket(plain, server_hostname=name) as secure:
                return secure.version()
        except ssl.SSLError:
            return None


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("      body-sise: 5m\n", "body-sise"),
        ("      body-size: 5 elephants\n", "elephants"),
    ],
)
def test_a_wrong_key_or_value_is_named_by_line_and_changes_nothing(edited: Stack, wrong: str, said: str) -> None:
    edited.edit(_route(edited, "app1"), f"{_route(edited, 'app1')}{wrong}")
    line = edited.file.read_text().splitlines().index(wrong.rstrip("\n")) + 1
    before = edited.state()

    done = edited.fails(3, "up", "--no-issue")

    assert f"docker-compose.yml:{line}:" in done.stderr
    assert said in done.stderr
    assert edited.state() == before


def test_a_file_that_is_not_yaml_changes_nothing(edited: Stack) -> None:
    edited.file.write_text(edited.file.read_text() + "services: [\n")
    before = edited.state()
    for command in ("up", "init", "status", "renew"):
        done = edited.fails(3, command)
        assert "docker-compose.yml:" in done.stderr
    assert edited.state() == before


def test_a_snippet_of_a_site_goes_live(edited: Stack) -> None:
    first, second = edited.domain("app1"), edited.domain("app2")
    snippet = edited.directory / f"nginx/custom/{first}.conf"
    snippet.write_text("add_header X-Of-The-Test one;\n")
    edited.ok("up", "--no-issue")
    assert edited.https(first, trust=False).headers["X-Of-The-Test"] == "one"
    assert edited.https(second, trust=False).headers["X-Of-The-Test"] is None
    snippet.write_text("add_header X-Of-The-Test two;\n")
    edited.ok("up", "--no-issue")
    assert edited.https(first, trust=False).headers["X-Of-The-Test"] == "two"
    snippet.unlink()
    edited.ok("up", "--no-issue")
    assert edited.https(first, trust=False).headers["X-Of-The-Test"] is None


@pytest.mark.parametrize("shared_by_all", [False, True])
def test_a_bad_snippet_is_named_and_never_live(edited: Stack, shared_by_all: bool) -> None:
    first, second = edited.domain("app1"), edited.domain("app2")
    name = "http.conf" if shared_by_all else f"{first}.conf"
    snippet = edited.directory / "nginx/custom" / name
    snippet.write_text("# a comment\nbogus_directive on;\n")
    live = (edited.directory / "nginx/live").readlink()

    done = edited.fails(6, "up", "--no-issue")

    assert f"nginx/custom/{name}:2:" in done.stderr
    assert "bogus_directive" in done.stderr
    assert (edited.directory / "nginx/live").readlink() == live
    assert edited.http(first).status == edited.http(second).status == 200

    # What is on disk would start, too.
    docker("restart", "--time", "5", edited.container("nginx"))
    wait_until(lambda: edited.http(first).status == edited.http(second).status == 200, 15, "the proxy starts again")

    # Another site's change is not held up by it, unless the snippet is of all sites.
    edited.edit(_route(edited, "app2"), f"{_route(edited, 'app2')}      body-size: 1k\n")
    edited.fails(6, "up", "--no-issue")
    assert _upload(edited, second, 2000) == (200 if shared_by_all else 413)
    assert edited.http(first).status == 200

    snippet.write_text("add_header X-Of-The-Test mended;\n")
    edited.ok("up", "--no-issue")
    assert edited.https(first, trust=False).headers["X-Of-The-Test"] == "mended"
    assert _upload(edited, second, 2000) == 413


def test_an_edit_through_the_editor(edited: Stack) -> None:
    first = edited.domain("app1")
    line = edited.file.read_text().splitlines().index(f"        - {first}") + 2
    editor = {"VISUAL": f"sed -i '{line}s/.*/&\\n      body-size: 1k/'"}
    done = edited.fails(0, "edit", "--yes", "--no-issue", environment=editor)
    assert "      +      body-size: 1k" in done.stdout
    assert _upload(edited, first, 2000) == 413
    shown = edited.ok("config", first).stdout
    assert "client_max_body_size 1k;" in shown
    assert "not what is live" not in shown

    before = edited.state()
    wrong = {"VISUAL": f"sed -i '{line}s/8000/99999/'"}
    done = edited.fails(3, "edit", "--yes", "--no-issue", environment=wrong)
    assert f"docker-compose.yml:{line}:" in done.stderr
    (draft,) = edited.directory.glob(".docker-compose.*.yml")
    assert str(draft) in done.stdout
    draft.unlink()
    assert edited.state() == before


@pytest.mark.parametrize("name", ["http.conf", "{app}.conf"])
def test_a_refused_snippet_reloads_nothing(edited: Stack, name: str) -> None:
    (edited.directory / "nginx/custom" / name.format(app=edited.domain("app1"))).write_text("bogus_directive on;\n")
    workers = edited.workers()
    edited.fails(6, "up", "--no-issue")
    assert edited.workers() == workers
