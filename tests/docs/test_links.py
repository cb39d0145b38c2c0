"""Every relative link leads somewhere, and every command shown is one the program has."""

from __future__ import annotations

import re
import shlex

import pytest

from tests.docs.commands import Command, commands
from tests.docs.pages import ROOT, Page, pages

PAGES = list(pages())
COMMANDS = commands()
_EVERYWHERE = {"-h", "--help"}
_SHOWN = re.compile(r"^(?:\$ |sudo |\$ sudo )?(?P<line>stackctl\b.*)$")
_SHELL = {"|", "||", "&&", ";", ">", "2>", "<"}


def shown() -> list[tuple[str, str]]:
    """Each ``stackctl …`` line in a block of commands, with its page."""
    found: list[tuple[str, str]] = []
    for page in PAGES:
        for block in page.blocks("", "sh", "console", "bash", "shell"):
            for line in block.replace("\\\n", " ").splitlines():
                match = _SHOWN.match(line.strip())
                if match:
                    found.append((page.name, match["line"]))
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_relative_links_resolve(page: Page) -> None:
    for target in page.links():
        path, _, anchor = target.partition("#")
        if "://" in path or path.startswith("mailto:"):
            continue
        file = (page.path.parent / path).resolve() if path else page.path
        assert file.exists(), f"{page.name} links to {target}, which is not there"
        assert file.is_relative_to(ROOT), f"{page.name} links to {target}, outside the repository"
        if anchor:
            assert anchor in Page(file).anchors(), f"{page.name} links to {target}: {file.name} has no such heading"


def test_every_page_is_linked() -> None:
    linked = {(page.path.parent / target.partition("#")[0]).resolve() for page in PAGES for target in page.links()}
    assert [page.name for page in PAGES if page.name.startswith("docs/") and page.path not in linked] == []


@pytest.mark.parametrize(("page", "line"), shown())
def test_shown_commands_parse(page: str, line: str) -> None:
    _, *words = shlex.split(line, comments=True)
    end = next((at for at, word in enumerate(words) if word in _SHELL), len(words))
    assert words, f"{page}: {line}"
    if words[0] == "--version":
        return
    assert words[0] in COMMANDS, f"{page} shows 'stackctl {words[0]}', which is no command"
    _parse(page, COMMANDS[words[0]], words[1:end])


def test_commands_are_shown_at_all() -> None:
    assert {line.split()[1] for _, line in shown()} >= set(COMMANDS)


def _parse(page: str, command: Command, words: list[str]) -> None:
    arguments = 0
    rest = iter(words)
    for word in rest:
        name, equals, _ = word.partition("=")
        if not word.startswith("-") or word == "-":
            arguments += 1
        elif name not in _EVERYWHERE:
            assert name in command.options, f"{page}: {command.name} has no option {name}"
            if command.options[name].value is not None and not equals:
                assert next(rest, None) is not None, f"{page}: {name} of {command.name} needs a value"
    assert arguments <= len(command.arguments), f"{page}: {command.name} with {arguments} arguments: {words}"
    required = sum(argument.required for argument in command.arguments)
    assert arguments >= required or _EVERYWHERE & set(words), f"{page}: {command.name} needs {required} argument(s)"
