"""Clients of one site that hold what they get: the proxy's memory stays small, and another site loses nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.e2e.conftest import NewStack
from tests.e2e.helpers import docker, inspect
from tests.hostile.clients import (
    MB,
    slow_read,
    stalled_readers,
    stalled_requests,
    stalled_uploads,
    upload,
)
from tests.hostile.site import LIMIT, HeldSite

pytestmark = pytest.mark.e2e

SIZE = 400 * MB


@pytest.fixture(scope="module")
def site(new_stack: NewStack) -> Iterator[HeldSite]:
    made = HeldSite.made(new_stack())
    assert inspect(made.stack.container("nginx"))["HostConfig"]["Memory"] == LIMIT, "the user's own limit is kept"
    yield made
    made.stack.remove()


@pytest.mark.parametrize("chunked", [False, True])
def test_an_upload_that_is_larger_than_the_containers_memory_passes(site: HeldSite, *, chunked: bool) -> None:
    with site.nothing_lost():
        assert upload(site.target, SIZE, chunked=chunked).endswith(str(SIZE).encode())


def test_what_a_thousand_stalled_clients_hold_is_small(site: HeldSite) -> None:
    before = site.memory()
    large = b"X-Large: " + b"x" * 30000 + b"\r\n"
    download = f"/download?size={300 * MB}"
    with site.nothing_lost(), ExitStack() as held:
        held.enter_context(stalled_uploads(site.target, 5, 60 * MB, "/stuck"))
        held.enter_context(stalled_uploads(site.target, 5, 60 * MB))
        held.enter_context(stalled_uploads(site.target, 200, 1000))
        held.enter_context(stalled_readers(site.target, 20, download))
        held.enter_context(stalled_requests(site.target, 700))
        held.enter_context(stalled_requests(site.target, 100, large * 3))
        (reader,) = held.enter_context(stalled_readers(site.target, 1, download))
        uploads: list[bytes] = []
        sender = threading.Thread(target=lambda: uploads.append(upload(site.target, 20 * MB)))
        sender.start()
        # Two megabytes a second, as the client takes them.
        assert slow_read(reader, 300 * MB, 2 * MB, 4) > 3 * MB
        sender.join(90)
        assert uploads[0].endswith(str(20 * MB).encode())
        # Less than 64 KB for each of them.
        assert before < site.memory() < before + 64 * MB


def test_a_site_that_buffers_stores_bodies_on_disk(site: HeldSite) -> None:
    site.stack.edit("body-size: 2g", "body-size: 2g\n      buffering: true")
    site.stack.ok("up", "--no-issue")
    with site.nothing_lost():
        assert upload(site.target, SIZE).endswith(str(SIZE).encode())
        with (
            stalled_uploads(site.target, 3, 60 * MB),
            stalled_readers(site.target, 1, f"/download?size={300 * MB}"),
        ):
            assert site.memory() < LIMIT / 2
    mounts = inspect(site.stack.container("nginx"))["Mounts"]
    assert [one["Type"] for one in mounts if one["Destination"] == "/var/cache/nginx"] == ["volume"]


def test_files_in_memory_have_a_size(site: HeldSite) -> None:
    mounts = docker("exec", site.stack.container("nginx"), "cat", "/proc/mounts")
    sizes = {line.split()[1]: line for line in mounts.splitlines() if line.startswith("tmpfs ")}
    for path in ("/run", "/tmp"):
        assert "size=16384k" in sizes[path]
    assert "/var/cache/nginx" not in sizes
