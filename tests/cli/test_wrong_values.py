"""Wrong values of options are named with what was written, in plain words."""

from __future__ import annotations

import os
import pty
import sys
from pathlib import Path

import pytest

from stackctl.cli import interruption
from tests import forked

pytestmark = pytest.mark.slow
"""Each is a process of its own."""


def said(directory: Path, *arguments: str) -> tuple[int, str]:
    done = forked.run(arguments, directory, {**os.environ, "DOCKER_HOST": f"unix://{directory}/none.sock"})
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["add-app", "a.example.com", "--port", "abc"], "'--port': 'abc' is not a whole number"),
        (["rollback", "1.5"], "'NUMBER': '1.5' is not a whole number"),
        (["logs", "--tail", "x"], "'--tail': 'x' is not a whole number"),
        (["up", "--wait", "soon"], "'--wait': 'soon' is not a number of seconds"),
        (["up", "--wait", "nan"], "'--wait': 'nan' is not a number of seconds"),
        (["init", "--rsa-key-size", "big"], "'--rsa-key-size': 'big' is not a whole number"),
        (["init", "--ca-bundle", "gone.pem"], "--ca-bundle: file gone.pem does not exist"),
        (["init", "--ca-bundle", "/dev/null"], "--ca-bundle: /dev/null cannot be read: it is not a regular file"),
        (["init", "--ca-bundle", "."], "--ca-bundle: . cannot be read: Is a directory"),
        (["init", "--eab-kid", "k", "--eab-hmac-key-file", "gone"], "--eab-hmac-key-file: file gone does not exist"),
        (["backup", "--passphrase-file", "gone", "out"], "--passphrase-file: file gone does not exist"),
        (["restore", "gone.tar.gz"], "FILE: file gone.tar.gz does not exist"),
        (["restore", "."], "FILE: . is not a file"),
        (["explain", ""], "'' names no domain"),
        (["explain", "https://"], "'https://' names no domain"),
        (["explain", "ftp://x"], "does not serve ftp://"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_wrong_value_is_a_usage_error(tmp_path: Path, arguments: list[str], expected: str) -> None:
    code, text = said(tmp_path, *arguments)
    assert (code, "Traceback" in text) == (2, False)
    assert expected in text


@pytest.mark.parametrize("argument", [b"caf\xe9.example.com", b"\xff\xfe", b"a\x1b[31m.example.com"])
def test_arguments_that_are_not_text_are_refused(tmp_path: Path, argument: bytes) -> None:
    for command in ("add-app", "explain", "doctor", "renew"):
        code, text = said(tmp_path, command, os.fsdecode(argument))
        assert code in {1, 2}
        assert "Traceback" not in text
        assert "internal error" not in text
        assert "\x1b" not in text


def test_a_second_signal_leaves_the_cursor_visible(monkeypatch: pytest.MonkeyPatch) -> None:
    main, terminal = pty.openpty()
    child = os.fork()
    if not child:
        os.dup2(terminal, 1)
        os.dup2(terminal, 2)
        monkeypatch.setattr(sys, "__stderr__", None)
        interruption.leave()
    os.close(terminal)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == interruption.CODE
    assert os.read(main, 4096).startswith(b"\x1b[?25h")
    os.close(main)
