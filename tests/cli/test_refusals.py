"""Every wrong input: one message that says what, where and what to do, its exit code, and nothing changed."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stackctl.adapters.fakes.engine import FakeEngine
from tests.cli.conftest import Cli, on
from tests.usecases.world import World

NOT_DOMAINS = {
    "space": "one example.com",
    "quote": 'one".example.com',
    "single quote": "one'.example.com",
    "semicolon": "one.example.com;",
    "brace": "one{.example.com",
    "dollar": "$host.example.com",
    "newline": "one.example.com\nlisten 81",
    "carriage return": "one.example.com\r",
    "nul": "one\0.example.com",
    "dots": "one..example.com",
    "parent": "../etc/passwd",
    "slash": "one/example.com",
    "scheme": "ftp://one.example.com",
    "port": "one.example.com:443",
    "trailing hyphen": "one-.example.com",
    "underscore": "a_b.example.com",
    "long label": f"{'a' * 64}.example.com",
    "long name": ".".join(["a" * 60] * 5),
    "IPv4": "10.0.0.5",
    "IPv6": "[::1]",
    "numeric end": "example.10",
    "one label": "localhost",
    "empty": "",
}


@pytest.mark.parametrize("text", NOT_DOMAINS.values(), ids=NOT_DOMAINS)
def test_what_is_no_domain_is_no_app(cli: Cli, text: str) -> None:
    error = cli.refused(2, "add-app", text)
    assert repr(text.partition("/")[0]) in error["message"]


@pytest.mark.parametrize("path", ["/a?b=c", "/a#b", "//a", "/a//b", "/../a", "/a/.", "/%61", "/a\nb", f"/{'a' * 500}"])
@pytest.mark.parametrize("command", ["add-app", "remove-app"])
def test_what_is_no_path_is_refused(cli: Cli, command: str, path: str) -> None:
    error = cli.refused(2, command, f"one.example.com{path}")
    assert repr(path)[:20] in error["message"]


@pytest.mark.parametrize("text", ["one example.com", "*.*.example.com", "10.0.0.5"])
@pytest.mark.parametrize("arguments", [("remove-app",), ("renew", "--force"), ("add-app", "ok.example.com", "--alias")])
def test_what_is_no_domain_is_refused_everywhere(cli: Cli, arguments: tuple[str, ...], text: str) -> None:
    error = cli.refused(2, *arguments, text)
    assert repr(text) in error["message"]


def test_a_leading_dash_is_refused(cli: Cli) -> None:
    error = cli.refused(2, "add-app", "--", "-one.example.com")
    assert "'-one.example.com'" in error["message"]
    result = cli("add-app", "-one.example.com")
    assert result.exit_code == 2
    assert "Traceback" not in result.stderr


def line(world: World, text: str) -> str:
    return f"docker-compose.yml:{world.text.splitlines().index(text) + 1}"


def test_a_domain_that_is_routed_with_other_options(cli: Cli) -> None:
    error = cli.refused(2, "add-app", "one.example.com", "--port", "9000")
    assert error["where"] == line(cli.world, "    x-stackctl:")
    assert error["hint"]


@pytest.mark.parametrize("arguments", [["www.example.com"], ["two.example.com", "--alias", "www.example.com"]])
def test_an_alias_of_another_app(cli: Cli, arguments: list[str]) -> None:
    error = cli.refused(2, "add-app", *arguments)
    assert "one.example.com" in error["message"]
    assert error["where"] == line(cli.world, "    x-stackctl:")


def test_a_service_that_is_not_there_cannot_be_had_without_an_image(cli: Cli) -> None:
    error = cli.refused(4, "add-app", "shop.example.com", "--service", "nobody")
    assert "nobody:latest" in error["message"]


WRONG_OPTIONS = [
    (["add-app", "a.example.com", "--port", "0"], "--port"),
    (["add-app", "a.example.com", "--port", "65536"], "--port"),
    (["add-app", "a.example.com", "--port", "-1"], "--port"),
    (["add-app", "a.example.com", "--service", "a b"], "--service"),
    (["add-app", "a.example.com", "--service", "../x"], "--service"),
    (["add-app", "a.example.com", "--image", "Not An Image"], "--image"),
    (["add-app", "a.example.com", "--upstream", "nowhere"], "--upstream"),
    (["add-app", "a.example.com", "--upstream", "10.0.0.5:99999"], "--upstream"),
    (["add-app", "a.example.com", "--upstream", "a;b:80"], "--upstream"),
    (["add-app", "a.example.com", "--upstream", "10.0.0.5:80", "--service", "one"], "--service"),
    (["add-app", "a.example.com", "--alias", "a.example.com"], "--alias"),
    (
        ["add-app", "one.example.org", "--env-file", "/nowhere/one.env", "--service", "new", "--image", "one:latest"],
        "--env-file",
    ),
    (["init", "--email", "nobody"], "--email"),
    (["init", "--email", "a b@example.com"], "--email"),
    (["init", "--email", "ops@example.com\nx: 1"], "--email"),
    (["init", "--http", "127.0.0.1:0"], "--http"),
    (["init", "--https", "host:443"], "--https"),
    (["init", "--proxy-image", "a b"], "--proxy-image"),
    (["init", "--rsa-key-size", "1024"], "--rsa-key-size"),
    (["init", "--staging", "--ca", "https://ca.example/dir"], "--staging"),
    (["init", "--ca-bundle", "/nowhere/ca.pem"], "--ca-bundle"),
    (["init", "--eab-kid", "kid-1"], "--eab-kid"),
    (["init", "--eab-kid", "a b", "--eab-hmac-key-file", "key"], "--eab-kid"),
    (["init", "--eab-kid", "a\nserver = x", "--eab-hmac-key-file", "key"], "--eab-kid"),
    (["init", "--eab-hmac-key-file", "key"], "--eab-hmac-key-file"),
    (["init", "--ca", "http://plain.example/dir"], None),
    (["renew", "--force", "none.example.com"], "--force"),
    (["remove-app", "www.example.com"], None),
    (["remove-app", "one.example.com", "--delete-cert"], None),
]


@pytest.mark.parametrize(("arguments", "where"), WRONG_OPTIONS, ids=[" ".join(args[:4]) for args, _ in WRONG_OPTIONS])
def test_a_wrong_option_is_named(cli: Cli, arguments: list[str], where: str | None) -> None:
    error = cli.refused(2, *arguments)
    assert where is None or error["where"] == where


@pytest.mark.parametrize(
    "arguments",
    [
        ["--email", "nobody"],
        ["--http", "70000"],
        ["--ca", "nonsense"],
        ["--rsa-key-size", "1"],
        ["--staging", "--ca", "x"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_wrong_option_of_init_leaves_an_empty_directory_empty(bare: Cli, arguments: list[str]) -> None:
    error = bare.refused(2, "init", *arguments)
    assert error["message"]
    assert list(bare.world.root.iterdir()) == []


def test_a_wrong_option_of_init_makes_no_directory(bare: Cli) -> None:
    root = bare.world.root / "new"
    assert bare("init", "--email", "nobody", directory=root).exit_code == 2
    assert not root.exists()


@pytest.mark.parametrize(
    "arguments",
    [["up"], ["status"], ["add-app", "a.example.com"], ["renew"], ["down"], ["remove-app", "a.example.com"]],
    ids=lambda a: a[0],
)
def test_where_no_stack_is(bare: Cli, arguments: list[str]) -> None:
    error = bare.refused(2, *arguments)
    assert "no stack" in error["message"]
    assert "stackctl init" in error["hint"]
    assert list(bare.world.root.iterdir()) == []


def test_where_no_directory_is(bare: Cli) -> None:
    result = bare("status", directory=bare.world.root / "none")
    assert result.exit_code == 2
    assert "--directory" in result.stderr


BROKEN = {
    "not YAML": ("    restart: always\n    expose:\n", "    restart: [\n    expose:\n", None),
    "a tab": ("    expose:\n", "\texpose:\n", None),
    "an unknown key": ("      port: 8000\n", "      prot: 8000\n", "      prot: 8000"),
    "a port out of range": ("      port: 8000\n", "      port: 70000\n", "      port: 70000"),
    "no domain": ("        - one.example.com\n", "        - one;example\n", "        - one;example"),
    "a setting": ("agree-tos: true\n", "agree-tos: maybe\n", "  agree-tos: maybe"),
    "a name twice": ("        - www.example.com\n", "        - one.example.com\n", None),
}


@pytest.mark.parametrize("what", BROKEN)
@pytest.mark.parametrize("command", ["up", "status", "renew"])
def test_a_broken_file_is_named_with_its_line(cli: Cli, what: str, command: str) -> None:
    old, new, at = BROKEN[what]
    cli.world.edit(old, new)
    error = cli.refused(3, command)
    file, _, number = error["where"].partition(":")
    assert file == "docker-compose.yml"
    assert number.isdecimal()
    assert at is None or error["where"] == line(cli.world, at)


def test_bytes_that_are_no_text(cli: Cli) -> None:
    cli.world.file.write_bytes(b"\xff\xfe\x00")
    assert cli.refused(3, "up")["where"] == "docker-compose.yml:1"


def test_a_service_with_our_name(bare: Cli) -> None:
    (bare.world.root / "compose.yaml").write_text("services:\n  nginx:\n    image: mine:1\n")
    error = bare.refused(2, "init")
    assert error["where"] == "compose.yaml:2"
    assert error["hint"]


@pytest.mark.parametrize(
    "arguments",
    [["up"], ["status"], ["down"], ["add-app", "a.example.com"], ["renew", "--force", "one.example.com"]],
    ids=lambda a: a[0],
)
def test_without_an_engine(cli: Cli, arguments: list[str]) -> None:
    cli.world.fake.faults.away = True
    error = cli.refused(4, *arguments)
    assert "Docker Engine does not answer" in error["message"]
    assert error["hint"]


def test_with_the_real_client_and_no_engine(cli: Cli) -> None:
    environment = {**os.environ, "DOCKER_HOST": "unix:///nowhere/docker.sock"}
    command = [sys.executable, "-m", "stackctl", "status", "--directory", str(cli.world.root)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert ended.returncode == 4, ended.stderr
    assert ended.stderr.count("error: ") == 1
    assert "the Docker Engine does not answer" in ended.stderr
    assert "DOCKER_HOST" in ended.stderr
    assert "Traceback" not in ended.stderr


def fail_writes(monkeypatch: pytest.MonkeyPatch, root: Path, code: int) -> None:
    """As on a disk that takes nothing more: below ``root`` nothing is opened for writing."""
    real = os.open

    def refuse(path: Any, flags: int, *more: Any, **named: Any) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) and Path(str(path)).is_relative_to(root):
            raise OSError(code, os.strerror(code), str(path))
        return real(path, flags, *more, **named)

    monkeypatch.setattr(os, "open", refuse)


@pytest.mark.parametrize(
    ("code", "words"),
    [(errno.EROFS, "read-only"), (errno.EACCES, "permission denied"), (errno.ENOSPC, "full"), (errno.EIO, "")],
    ids=["EROFS", "EACCES", "ENOSPC", "EIO"],
)
@pytest.mark.parametrize("arguments", [["up"], ["add-app", "two.example.com"]], ids=lambda arguments: arguments[0])
def test_a_directory_that_cannot_be_written(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, words: str
) -> None:
    fail_writes(monkeypatch, cli.world.root, code)
    error = cli.refused(5, *arguments)
    assert words in error["message"]
    assert error["where"]


def test_a_directory_that_cannot_be_written_can_be_looked_at(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_writes(monkeypatch, cli.world.root, errno.EROFS)
    assert cli("status").exit_code == 0
    assert cli("add-app", "two.example.com", "--dry-run").exit_code == 0


@pytest.mark.slow
def test_a_disk_that_is_full_from_any_write_on(cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Wherever it happens: one message, no half file, everybody served; and with some space it goes on."""
    for allowed in range(40):
        world = cli.world.copy(tmp_path / str(allowed) / "stack")
        left = [allowed]

        def write_through(_descriptor: int, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with monkeypatch.context() as patch:
            command = on(world, patch)
            patch.setattr(os, "fsync", write_through)
            result = command("add-app", "two.example.com")
            assert world.fake.loaded.keys() >= {"one.example.com", "www.example.com"}
            assert list(world.root.rglob("*.tmp")) == []
            assert world.fake.proxy_test("live").code == 0
            if left[0] >= 0:
                assert result.exit_code == 0
                assert allowed > 5
                return
            if result.exit_code == 0:  # all but the history, and that is said
                assert "this change is not recorded in the history" in result.stdout
                continue
            assert result.exit_code == 5, f"{allowed}: {result.stderr}"
            assert "the disk is full" in result.stderr
            assert "Traceback" not in result.stderr
            left[0] = 1000
            assert Cli(world)("add-app", "two.example.com").exit_code == 0
        assert world.served() == {"one.example.com": "real", "two.example.com": "real"}
    pytest.fail("it never had enough")


HOLDER = """
import fcntl, json, os, sys
file = open(sys.argv[1], "w")
fcntl.flock(file, fcntl.LOCK_EX)
json.dump({"pid": os.getpid(), "command": "up", "since": "2026-08-01T10:00:00+00:00"}, file)
file.flush()
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(cli: Cli) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock, as 'stackctl up' does."""
    lock = cli.world.root / ".stackctl" / "lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_another_stackctl_at_work_is_named(cli: Cli, holder: subprocess.Popen[str]) -> None:
    error = cli.refused(8, "add-app", "two.example.com", "--wait", "0")
    assert f"'stackctl up' (pid {holder.pid}, since 2026-08-01 10:00 UTC)" in error["message"]
    assert "--wait" in error["hint"]


def test_looking_needs_no_lock(cli: Cli, holder: subprocess.Popen[str]) -> None:
    assert holder.poll() is None
    for arguments in (["status"], ["up", "--dry-run"], ["renew", "--dry-run"], ["logs"]):
        assert cli(*arguments).exit_code == 0


def test_a_killed_holder_blocks_no_command_and_is_reported(cli: Cli, holder: subprocess.Popen[str]) -> None:
    holder.kill()
    holder.wait()
    result = cli("up", "--wait", "0")
    assert result.exit_code == 0
    assert f"pid {holder.pid}, no longer running" in result.stdout
    assert "no longer running" not in cli("up").stdout, "once is enough"


def interrupt(*_arguments: object) -> None:
    raise KeyboardInterrupt


def test_an_interrupt_ends_with_130_and_the_next_run_goes_on(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(FakeEngine, "up", interrupt)
        result = cli("add-app", "two.example.com")
    assert result.exit_code == 130
    assert result.stderr.count("error: ") == 1
    assert "run the same command again" in result.stderr
    assert cli("add-app", "two.example.com").exit_code == 0
    assert cli.world.served()["two.example.com"] == "real"


def test_an_interrupt_in_json(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeEngine, "up", interrupt)
    code, printed = cli.json("add-app", "two.example.com")
    assert code == 130
    assert printed["errors"][0]["code"] == 130


def test_a_fault_of_our_own_is_one_message_too(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def fault(*_arguments: object) -> None:
        raise RuntimeError("oops")

    monkeypatch.setattr(FakeEngine, "containers", fault)
    result = cli("up")
    assert result.exit_code == 1
    assert "internal error: RuntimeError: oops" in result.stderr
    assert "Traceback" not in result.stderr
    assert "Traceback" in cli("up", "--verbose").stderr
