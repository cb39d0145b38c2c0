"""The stack directory: a file that someone else changed in the meantime is never overwritten."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackctl.adapters.disk.directory import StackDirectory
from stackctl.errors import HostError
from stackctl.proxies.nginx.proxy import Nginx
from stackctl.stackfile.locate import locate

LAYOUT = Nginx.layout
CHANGED = "another process has just changed the file"


@pytest.fixture
def directory(tmp_path: Path) -> StackDirectory:
    made = StackDirectory(locate(tmp_path, {}))
    made.make_directories(made.missing(LAYOUT), LAYOUT)
    return made


def refused(error: HostError) -> tuple[str, str | None, str | None]:
    return error.message, error.where, error.hint


@pytest.mark.parametrize(
    ("there", "read"),
    [("edited\n", "read\n"), ("appeared\n", None), (None, "read\n"), ("read", "read\n"), ("", None)],
)
def test_a_compose_file_that_is_not_the_one_that_was_read_is_kept(
    directory: StackDirectory, there: str | None, read: str | None
) -> None:
    if there is not None:
        directory.files.main.write_text(there)
    with pytest.raises(HostError) as caught:
        directory.write_stackfile("new\n", read)
    assert refused(caught.value) == (CHANGED, "docker-compose.yml", "run the command again")
    assert directory.stackfile() == there


@pytest.mark.parametrize("before", [None, "", "read\n"])
def test_a_compose_file_that_is_as_it_was_read_is_replaced(directory: StackDirectory, before: str | None) -> None:
    if before is not None:
        directory.files.main.write_text(before)
    directory.write_stackfile("new\n", before)
    assert directory.stackfile() == "new\n"


@pytest.mark.parametrize("content", [b"new\n", None])
@pytest.mark.parametrize(
    ("there", "read"), [(b"edited\n", b"read\n"), (b"appeared\n", None), (None, b"read\n"), (b"", None)]
)
def test_an_own_file_that_is_not_the_one_that_was_read_is_kept(
    directory: StackDirectory, there: bytes | None, read: bytes | None, content: bytes | None
) -> None:
    if there is not None:
        (directory.root / "nginx/custom/http.conf").write_bytes(there)
    with pytest.raises(HostError) as caught:
        directory.write_custom("nginx/custom/http.conf", content, read)
    assert refused(caught.value) == (CHANGED, "nginx/custom/http.conf", "run the command again")
    assert directory.custom(LAYOUT) == ({} if there is None else {"http.conf": there})


@pytest.mark.parametrize("content", [b"new\n", None])
@pytest.mark.parametrize("before", [None, b"read\n"])
def test_an_own_file_that_is_as_it_was_read_is_replaced_or_removed(
    directory: StackDirectory, before: bytes | None, content: bytes | None
) -> None:
    if before is not None:
        (directory.root / "nginx/custom/http.conf").write_bytes(before)
    directory.write_custom("nginx/custom/http.conf", content, before)
    assert directory.custom(LAYOUT) == ({} if content is None else {"http.conf": content})
