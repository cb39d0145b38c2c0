"""The program that replaces settings in certbot's tree, run as the container runs it: without stackctl."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from stackctl.certs.issuer import program
from stackctl.certs.issuer.locks import CONFIG_LOCK

BEFORE = "authenticator = standalone\n"


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    (tmp_path / "renewal-hooks/pre").mkdir(parents=True)
    for name in ("stop.sh", "stop.sh~"):
        (tmp_path / "renewal-hooks/pre" / name).write_text(name)
    (tmp_path / "cli.ini").write_text(BEFORE)
    (tmp_path / "cli.ini").chmod(0o640)
    return tmp_path


def ran(conf: Path, **spec: Any) -> dict[str, str | None]:
    given = {"config_dir": str(conf), "files": [], "hooks": [], "patience": 0.3, **spec}
    text = program.text(given, program.SETTINGS)
    command = [sys.executable, "-I", "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=True, timeout=30)
    return {line["path"]: line["problem"] for line in map(json.loads, done.stdout.splitlines())}


def file(content: str = "# mine\n", before: str = BEFORE, path: str = "cli.ini") -> dict[str, str]:
    return {"path": path, "before": before, "content": content}


def test_a_file_is_replaced_with_its_mode(conf: Path) -> None:
    assert ran(conf, files=[file()]) == {"cli.ini": None}
    assert (conf / "cli.ini").read_text() == "# mine\n"
    assert (conf / "cli.ini").stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in conf.iterdir()) == ["cli.ini", "renewal-hooks"]


def test_a_hook_is_renamed_to_a_name_that_is_free(conf: Path) -> None:
    assert ran(conf, hooks=["renewal-hooks/pre/stop.sh"]) == {"renewal-hooks/pre/stop.sh": None}
    there = {path.name: path.read_text() for path in (conf / "renewal-hooks/pre").iterdir()}
    assert there == {"stop.sh~": "stop.sh~", "stop.sh~~": "stop.sh"}


def test_each_failure_is_that_of_its_file(conf: Path) -> None:
    found = ran(conf, files=[file(before="another\n"), file(path="gone.conf")], hooks=["renewal-hooks/pre/stop.sh"])
    assert found["cli.ini"] == "another process has just changed the file"
    assert "No such file" in (found["gone.conf"] or "")
    assert found["renewal-hooks/pre/stop.sh"] is None
    assert (conf / "cli.ini").read_text() == BEFORE


@pytest.mark.parametrize("noted", ["", "\n[acme_renewal_info]\nari_retry_after = 2026-11-22T08:01:07\n"])
def test_what_a_round_of_certbots_noted_meanwhile_stays(conf: Path, noted: str) -> None:
    """As the loop starts with a round at the moment that 'up' starts its container."""
    before, content = (f"version = 5.5.0\n[renewalparams]\nserver = {at}\n" for at in ("a", "b"))
    now = "[acme_renewal_info]\nari_retry_after = 2026-11-23T08:01:07\n"
    (conf / "cli.ini").write_text(before + now)
    assert ran(conf, files=[file(content + noted, before + noted)]) == {"cli.ini": None}
    assert (conf / "cli.ini").read_text() == content + now


def test_nothing_is_changed_while_a_certbot_runs(conf: Path) -> None:
    descriptor = os.open(conf / CONFIG_LOCK, os.O_CREAT | os.O_WRONLY, 0o600)
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX)
        found = ran(conf, files=[file()], hooks=["renewal-hooks/pre/stop.sh"])
    finally:
        os.close(descriptor)
    assert set(found.values()) == {"another certbot is running"}
    assert (conf / "cli.ini").read_text() == BEFORE
