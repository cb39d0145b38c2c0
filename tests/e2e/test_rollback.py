"""``rollback`` on the real engine: by byte on disk, by serial on the wire, and with no one disturbed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.conftest import NewStack
from tests.e2e.helpers import Secure, Stack, trusting

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def shared(new_stack: NewStack) -> Stack:
    """One app on its real certificate, with a snippet of its own."""
    made = new_stack()
    made.init()
    name = made.add("app1")
    (made.directory / f"nginx/custom/{name}.conf").write_text("add_header X-Of-The-Test one;\n")
    made.ok("up")
    return made


def _own(stack: Stack) -> dict[str, bytes]:
    """By byte: what the user wrote, and what nginx reads."""
    places = [stack.file, *(stack.directory / "nginx/custom").iterdir()]
    live = (stack.directory / "nginx/live").resolve()
    places += [path for path in live.rglob("*") if path.is_file()]
    return {str(path.relative_to(stack.directory)): path.read_bytes() for path in places}


def _entries(stack: Stack) -> list[int]:
    printed = json.loads(stack.ok("history", "--output", "json").stdout)
    return [entry["number"] for entry in printed["entries"]]


def test_back_and_forth_by_byte_and_by_serial(shared: Stack) -> None:
    first = shared.domain("app1")
    snippet = shared.directory / f"nginx/custom/{first}.conf"
    before, serial = _own(shared), shared.serial(first)
    start = _entries(shared)[-1]
    proxy = shared.container("nginx")

    second = shared.add("app2")
    snippet.write_text("add_header X-Of-The-Test two;\n")
    (shared.directory / "nginx/custom/http.conf").write_text("# of all sites\n")
    shared.edit(f"        - {first}\n      port: 8000\n", f"        - {first}\n      port: 8000\n      body-size: 1m\n")
    shared.ok("up")
    after, both = _own(shared), {name: shared.serial(name) for name in (first, second)}
    assert shared.https(first).headers["X-Of-The-Test"] == "two"
    assert [shared.trusted(first), shared.trusted(second)] == [True, True]

    shown = shared.ok("rollback", str(start), "--dry-run").stdout
    assert f"would verify that {second} is no longer served" in shown
    assert "    nginx/custom/http.conf (removed)" in shown
    assert "      -add_header X-Of-The-Test two;" in shown
    assert _own(shared) == after

    # A client of another site stays on its connection, which it opened before.
    kept = Secure(shared.address, first, trusting(shared.lab.root))
    try:
        kept.request("GET", "/")
        assert kept.getresponse().read()
        ran = shared.container("app1")
        shared.ok("rollback", str(start))
    finally:
        kept.close()
    assert shared.container("app1") == ran

    assert _own(shared) == before
    assert shared.serial(first) == serial
    assert shared.https(first).headers["X-Of-The-Test"] == "one"
    assert shared.refused(second)
    assert "app2" not in shared.containers()
    assert shared.container("nginx") == proxy
    assert not json.loads(shared.ok("plan", "--check", "--output", "json").stdout)["operations"]

    # It is a change like any other, so it can be undone like any other.
    orders = _orders(shared)
    shared.ok("rollback")
    assert _own(shared) == after
    assert {name: shared.serial(name) for name in (first, second)} == both
    assert _orders(shared) == orders, "nothing was asked of the CA"
    assert len(_entries(shared)) == len(set(_entries(shared)))


def _orders(stack: Stack) -> bytes:
    return (stack.directory / ".stackctl/ledger").read_bytes()


def test_an_edit_that_nginx_refuses_is_taken_back(shared: Stack) -> None:
    first = shared.domain("app1")
    before, serial = _own(shared), shared.serial(first)
    (shared.directory / f"nginx/custom/{first}.conf").write_text("bogus_directive on;\n")
    shared.fails(6, "up")

    done = shared.ok("rollback")

    assert "the files on disk were not recorded before: they are entry" in done.stdout
    assert _own(shared) == before
    assert shared.serial(first) == serial
    kept = [path for path in (shared.directory / ".stackctl/history").rglob(f"{first}.conf") if _is_bogus(path)]
    assert len(kept) == 1


def _is_bogus(path: Path) -> bool:
    return "bogus_directive" in path.read_text()


def test_a_certificate_that_was_deleted_is_issued_anew(shared: Stack) -> None:
    second = shared.domain("app2")
    old = shared.serial(second)
    shared.ok("remove-app", second, "--delete-cert", "--yes")
    shown = shared.ok("rollback", "--dry-run").stdout
    assert f"would issue a certificate for {second}  (its recorded certificate no longer exists)" in shown
    shared.ok("rollback")
    assert shared.trusted(second)
    assert shared.serial(second) != old
