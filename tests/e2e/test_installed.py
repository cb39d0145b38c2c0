"""Every command that docs/how-to/install.md shows, run by the real installers, and what they install."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyrage
import pytest

from tests.dist.__main__ import build
from tests.docs.pages import Page
from tests.e2e.helpers import BIN, ROOT, Stack

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

PAGE = Page(ROOT / "docs/how-to/install.md")
SHOWN = [line for block in PAGE.blocks("sh") for line in block.splitlines()]
TOOLS = {"pipx": "pipx", "uv": "uv tool"}
INSTALL = {
    ("pipx", "user"): r"pipx install \.",
    ("uv", "user"): r"uv tool install \.",
    ("pipx", "root"): r"sudo env .* pipx install \.",
    ("uv", "root"): r"sudo env .* tool install \.",
}
"""How the commands look that install it, by installer and by whom it is for."""

SYSTEM = ("/usr/sbin", "/usr/bin", "/sbin", "/bin")


class Machine:
    """A machine with pipx, uv and sudo, and with a home, an ``/opt`` and a ``/usr/local/bin`` of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.tools = root / "tools"
        for folder in ("tools", "home", "opt", "usr/local/bin"):
            (root / folder).mkdir(parents=True)
        for tool in ("pipx", "uv"):
            (self.tools / tool).symlink_to(BIN / tool)
        # Like sudo, it searches directories of its own choice: the user's are not among them.
        sudo = self.tools / "sudo"
        sudo.write_text(f'#!/bin/sh\nPATH={self._path("usr/local/bin")} exec "$@"\n')
        sudo.chmod(0o755)

    def _path(self, *more: str) -> str:
        return ":".join([*(str(self.root / folder) for folder in (*more, "tools")), *SYSTEM])

    def shell(self, line: str, *, cwd: Path = ROOT) -> str:
        """The output of a command of the documentation, which must succeed; run in the checkout."""
        for system in ("/opt/", "/usr/local/bin"):
            line = line.replace(system, f"{self.root}{system}")
        return _output(["sh", "-euc", line], {"PATH": self._path("home/.local/bin", "usr/local/bin")}, self.root, cwd)

    def stackctl(self, *arguments: str | Path, cwd: Path = Path("/"), path: str = "/nowhere") -> str:
        """The output of the one ``stackctl`` that is installed, called by its path, so that nothing else need be."""
        return _output([self.installed(), *arguments], {"PATH": path}, self.root, cwd)

    def installed(self) -> Path:
        (found,) = [*self.root.glob("home/.local/bin/stackctl"), *self.root.glob("usr/local/bin/stackctl")]
        return found


def _output(command: Sequence[str | Path], environment: Mapping[str, str], root: Path, cwd: Path) -> str:
    # Without what pytest was started with: a checkout on PYTHONPATH would hide what is missing.
    kept = {key: value for key, value in os.environ.items() if key.startswith(("PIP_", "SSL_", "DOCKER_"))}
    own = {"HOME": str(root / "home"), "UV_PYTHON_DOWNLOADS": "never", "NO_COLOR": "1"}
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={**kept, **own, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture
def with_compose(tmp_path: Path) -> str:
    """A PATH with Compose on it."""
    folder = tmp_path / "compose"
    folder.mkdir()
    (folder / "docker-compose").symlink_to(BIN / "docker-compose")
    return str(folder)


def _shown(pattern: str) -> str:
    """The one shown command of this form."""
    (found,) = [line for line in SHOWN if re.fullmatch(pattern, line)]
    return found


def test_readme_shows_the_same_commands() -> None:
    shown = [line for block in Page(ROOT / "README.md").blocks("sh") for line in block.splitlines()]
    assert {_shown(INSTALL["pipx", "user"]), _shown(INSTALL["uv", "user"])} <= set(shown)
    assert [line for line in shown if line.startswith("pip ")] == []


@pytest.mark.parametrize(("installer", "user"), INSTALL)
def test_an_installation_finds_all_that_it_needs(
    machine: Machine, installer: str, user: str, stack: Stack, with_compose: str
) -> None:
    machine.shell(_shown(INSTALL[installer, user]))
    assert machine.shell(_shown("stackctl --version")).startswith("stackctl ")
    if user == "root":
        assert machine.shell("sudo stackctl --version").startswith("stackctl ")
    assert "add-app" in machine.stackctl("--help")
    assert machine.stackctl("schema") == stack.ok("schema").stdout
    arguments = stack.init_arguments("--dry-run")
    planned = machine.stackctl(*arguments, cwd=stack.directory, path=with_compose)
    assert planned == stack.ok(*arguments).stdout
    assert "nginx.conf" in planned


@pytest.mark.parametrize("installer", TOOLS)
def test_an_installation_is_upgraded_and_removed(machine: Machine, installer: str) -> None:
    tool = TOOLS[installer]
    machine.shell(_shown(INSTALL[installer, "user"]))
    before = machine.installed().resolve().stat().st_mtime_ns
    machine.shell(_shown(rf"{tool} install --(force|reinstall) \."))
    assert machine.installed().resolve().stat().st_mtime_ns > before
    machine.shell(_shown(f"{tool} uninstall compose-stackctl"))
    with pytest.raises(ValueError, match="not enough values"):
        machine.installed()


@pytest.mark.parametrize("installer", TOOLS)
def test_the_extras_bring_compose_and_encryption(machine: Machine, installer: str, stack: Stack) -> None:
    machine.shell(_shown(rf"{TOOLS[installer]} install --force '\.\[compose,age,ui\]'"))
    machine.stackctl(*stack.init_arguments(), cwd=stack.directory)
    assert stack.closed("stranger.example.com")
    # The checkout finds the stack as it would have made it.
    before = stack.state()
    stack.init()
    assert stack.state() == before
    sealed, recipient = machine.root / "x.age", str(pyrage.x25519.Identity.generate().to_public())
    machine.stackctl("backup", sealed, "--recipient", recipient, cwd=stack.directory)
    assert sealed.read_bytes().startswith(b"age-encryption.org/v1")


def test_what_is_published_can_be_installed(machine: Machine, stack: Stack, with_compose: str) -> None:
    """The wheel, made from the sdist."""
    wheel, _ = build(machine.root / "dist")
    machine.shell(f"pipx install {wheel}")
    arguments = stack.init_arguments("--dry-run")
    planned = machine.stackctl(*arguments, cwd=stack.directory, path=with_compose)
    assert planned == stack.ok(*arguments).stdout
