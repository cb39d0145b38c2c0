"""What is where a file is expected, and what is in it, is one message: never a traceback, never an endless read."""

from __future__ import annotations

import contextlib
import io
import json
import os
import socket
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stackctl import reading
from stackctl.adapters.disk.history import History
from stackctl.adapters.disk.lineage_cache import LineageCache
from stackctl.adapters.disk.lock import last_holder
from stackctl.certs.ledger import Ledger
from stackctl.engine.backup import unpack
from stackctl.engine.backup.manifest import decode
from stackctl.engine.backup.pack import HEAD
from stackctl.errors import HostError, InputError, StackctlError, StackfileError
from stackctl.proxies.nginx.reader import parse
from stackctl.stackfile.document import Document
from stackctl.stackfile.locate import locate
from stackctl.stackfile.read import read_sites
from tests.usecases.world import World, done

COMPOSE = "docker-compose.yml"


def pipe(path: Path) -> None:
    os.mkfifo(path)


def listener(path: Path) -> None:
    made = socket.socket(socket.AF_UNIX)
    made.bind(os.path.relpath(path))  # a socket's path may have 108 bytes
    made.close()


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2**31)


def folder(path: Path) -> None:
    path.mkdir()


ODD: dict[str, Callable[[Path], None]] = {
    "pipe": pipe,
    "socket": listener,
    "device": device,
    "huge": huge,
    "folder": folder,
}


@pytest.fixture(autouse=True)
def _short_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("make", ODD.values(), ids=ODD)
@pytest.mark.parametrize(
    ("path", "fatal"),
    [
        (COMPOSE, True),
        ("nginx/custom/one.example.com.conf", True),
        (".stackctl/ledger", False),
        (".env", False),
    ],
)
def test_no_file_is_read_for_ever(site: World, make: Callable[[Path], None], path: str, fatal: bool) -> None:
    at = site.root / path
    at.unlink(missing_ok=True)
    make(at)
    if not fatal:
        with contextlib.suppress(StackctlError):
            site.up()
        return
    with pytest.raises(HostError) as refused:
        site.up()
    assert path in str(refused.value)
    assert refused.value.message


@pytest.mark.parametrize("make", [pipe, listener, device, folder], ids=["pipe", "socket", "device", "folder"])
def test_a_cache_or_a_history_of_another_kind_is_no_error(site: World, make: Callable[[Path], None]) -> None:
    entry = next((site.root / ".stackctl/history").iterdir()) / "entry.json"
    entry.unlink()
    make(entry)
    done(site.up())
    assert History(site.root / ".stackctl/history").entries() is not None


@pytest.mark.parametrize("make", [pipe, device, folder], ids=["pipe", "device", "folder"])
def test_an_archive_that_is_no_file_is_a_usage_error(tmp_path: Path, make: Callable[[Path], None]) -> None:
    from stackctl.engine.backup.sealing import Keys  # noqa: PLC0415
    from stackctl.usecases.restore import open_archive  # noqa: PLC0415

    make(tmp_path / "archive")
    with pytest.raises(InputError, match="is not a file"):
        open_archive(tmp_path / "archive", Keys(None, None, None))
    with pytest.raises(InputError, match="does not exist"):
        open_archive(tmp_path / "gone", Keys(None, None, None))


def test_a_file_that_is_not_utf8_is_named_with_its_line(site: World) -> None:
    content = site.file.read_bytes()
    site.file.write_bytes(content + b"\n# caf\xe9\n")
    with pytest.raises(StackfileError, match="not UTF-8 text") as refused:
        site.up()
    lines = content.count(b"\n") + 2
    assert refused.value.where == f"{COMPOSE}:{lines}"


def test_a_custom_file_with_a_name_that_is_not_utf8_is_refused(site: World) -> None:
    name = os.fsdecode(b"caf\xe9.conf")
    (site.root / "nginx/custom" / name).write_text("")
    with pytest.raises(HostError, match="its name is not UTF-8 text") as refused:
        site.up()
    assert name in (refused.value.where or "")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: " + "[" * 3000 + "]" * 3000, 1),
        ("a: " + "{a: " * 100_000, 1),
        ("services:\n  x: " + "[" * 100_000, 2),
        ("\n".join(" " * depth + "a:" for depth in range(3000)), 101),
        ("- " * 50_000, 1),
        ("? " * 50_000, 1),
    ],
    ids=["lists", "mappings", "unclosed", "blocks", "items", "keys"],
)
def test_yaml_nested_too_deeply_is_refused_with_its_line(text: str, line: int) -> None:
    with pytest.raises(StackfileError, match="nested more than 100 levels deep") as refused:
        Document.parse(text, COMPOSE)
    assert refused.value.where == f"{COMPOSE}:{line}"


@pytest.mark.parametrize(
    ("content", "where"),
    [
        (b"a {\n" * 3000 + b"}" * 3000, "a.conf:101"),
        (b"a {" * 100_000, "a.conf:1"),
        (b'set $x "never closed', "a.conf:1"),
        (b"\n\nset $x 'never closed", "a.conf:3"),
        (b"http {\n", "a.conf:2"),
        (b"}", "a.conf:1"),
    ],
    ids=["deep", "deep and unclosed", "quote", "quote on line 3", "unclosed", "closed"],
)
def test_nginx_files_that_cannot_be_parsed_are_named_with_their_line(content: bytes, where: str) -> None:
    with pytest.raises(StackctlError, match="not nginx's syntax") as refused:
        parse(content, "a.conf")
    assert (refused.value.where or "").startswith("a.conf:")
    assert "None" not in str(refused.value)
    if "deep" in refused.value.message:
        assert refused.value.where == where


def test_braces_in_quotes_and_comments_do_not_nest() -> None:
    text = b"# {{{\n" * 200 + b'set $a "{{{{{{";\n' * 100
    assert len(parse(text, "a.conf")) == 300


def test_the_name_of_a_parsed_file_is_text() -> None:
    (one,) = parse(b"a b;", os.fsdecode(b"caf\xe9.conf"))
    assert one.at.encode() == b"caf\\xe9.conf:1"


def test_an_archive_with_endless_headers_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack, "LARGEST", 10_000)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", format=tarfile.PAX_FORMAT) as tar:
        info = tarfile.TarInfo("manifest.json")
        info.pax_headers = {"comment": "x" * 10_000_000}
        tar.addfile(info)
    content = packed.getvalue()
    bomb = io.BytesIO(HEAD + content[len(HEAD) :])
    with pytest.raises(InputError, match="truncated or altered"):
        unpack.verify(bomb)


def test_what_is_given_may_be_a_pipe_but_not_endless() -> None:
    with pytest.raises(OSError, match="larger than 1 KiB"):
        reading.read_given(Path("/dev/zero"), 1024)
    assert reading.read_given(Path("/dev/null")) == b""


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
).map(lambda value: json.dumps(value).encode())
KNOWN = st.sampled_from(
    [b'{"pid": 1e999}', b'{"pid": -1, "command": 1, "since": "x"}', b'{"at": "9999-12-31T23:59:59+00:00"}', b"[" * 9999]
)
CONTENT = st.binary(max_size=200) | JSON | KNOWN | st.just(b'{"a":' * 9999)
FUZZ = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@FUZZ
@given(CONTENT)
def test_readers_of_state_take_any_content(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "state"
    file.write_bytes(content)
    last_holder(file, World(tmp_path).clock())
    LineageCache(file)
    Ledger.parse(content.decode("utf-8", "replace"))
    (tmp_path / "history/0001").mkdir(parents=True, exist_ok=True)
    (tmp_path / "history/0001/entry.json").write_bytes(content)
    assert History(tmp_path / "history").entries() is not None
    for read in (lambda: decode(content), lambda: unpack.verify(io.BytesIO(HEAD + content))):
        with pytest.raises(InputError):
            read()


def _refusal(read: Callable[[], object]) -> str:
    try:
        read()
    except StackctlError as error:
        return error.where or ""
    return ""


TEXT = st.text(max_size=60) | st.text("{}[]:-&*!|>'\"#%@,?\n ax", max_size=80)


@FUZZ
@given(TEXT)
def test_readers_of_the_users_files_take_any_text(tmp_path: Path, text: str) -> None:
    content = text.encode("utf-8", "surrogatepass")
    (tmp_path / ".env").write_bytes(b"COMPOSE_FILE=" + content)
    for read in (
        lambda: read_sites(Document.parse(text, COMPOSE)),
        lambda: read_sites(Document.parse(f"x-stackctl: {text}", COMPOSE)),
        lambda: parse(content, "a.conf"),
        lambda: locate(tmp_path, {}),
    ):
        assert "None" not in _refusal(read)
