"""The command ``ui``: its options, and what it says without its extra. The page itself is in tests/ui."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest

from stackctl.errors import ExitCode
from tests.cli.conftest import Cli


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--listen", "0.0.0.0:8976"), "is not the loopback address"),
        (("--listen", "example.com:80"), "is not the loopback address"),
        (("--listen", ":80"), "is not the loopback address"),
        (("--listen", "127.0.0.1"), "is not an address with a port"),
        (("--listen", "127.0.0.1:x"), "is not an address with a port"),
        (("--listen", "127.0.0.1:65536"), "is not an address with a port"),
        (("--open", "--no-open"), "contradict each other"),
        (("--socket", "--listen", "127.0.0.1:0"), "a socket has no address"),
    ],
)
def test_a_wrong_place_is_refused(cli: Cli, arguments: tuple[str, ...], text: str) -> None:
    result = cli("ui", *arguments)
    assert result.exit_code == ExitCode.INPUT
    assert text in result.stderr


def test_without_a_stack_it_says_so(bare: Cli) -> None:
    result = bare("ui")
    assert result.exit_code == ExitCode.INPUT
    assert "there is no stack" in result.stderr


def test_without_the_extra_it_says_what_to_install(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("stackctl.ui.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr("stackctl.ui.serve", raising=False)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    result = cli("ui")
    assert result.exit_code == ExitCode.HOST
    assert "uvicorn" in result.stderr
    assert "'.[ui]'" in result.stderr


@pytest.mark.parametrize("arguments", [(), ("--socket", "--write")])
def test_it_prints_its_link_and_ends_with_a_signal(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """The real command; nothing is asked of the engine before the link is opened."""
    (tmp_path / "docker-compose.yml").write_text("services: {}\n")
    environ = {**os.environ, "TMPDIR": str(tmp_path), "XDG_RUNTIME_DIR": "", "SSH_CONNECTION": "a 1 192.0.2.1 22"}
    command = [sys.executable, "-m", "stackctl", "ui", "--directory", str(tmp_path), *arguments]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        link = process.stdout.readline().strip()
        assert re.fullmatch(r"http://(127\.0\.0\.1|localhost):\d+/login\?t=[\w-]{43}", link)
        if arguments:
            (socket,) = tmp_path.glob("stackctl-ui-*/ui.sock")
            assert socket.parent.stat().st_mode & 0o777 == 0o700
        else:
            with urlopen(link.replace("/login", "/static/style.css"), timeout=10) as response:
                assert response.status == 200
        process.send_signal(signal.SIGINT)
        said = process.stdout.read()
        assert process.wait(30) == 0
    assert ("@192.0.2.1" in said, "only shows" in said) == (True, not arguments)
    assert "the page has ended" in said
    assert not list(tmp_path.glob("stackctl-ui-*"))
