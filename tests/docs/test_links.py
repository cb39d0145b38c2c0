"""Every relative link resolves, and every command shown exists."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from tests.docs.commands import Command, commands
from tests.docs.pages import ROOT, Page, pages
from tests.offenders import no_offenders

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


def test_relative_links_resolve() -> None:
    no_offenders(wrong for page in PAGES for target in page.links() if (wrong := _wrong_link(page, target)))


def _wrong_link(page: Page, target: str) -> str | None:
    path, _, anchor = target.partition("#")
    if "://" in path or path.startswith("mailto:"):
        return None
    file = (page.path.parent / path).resolve() if path else page.path
    if not file.exists():
        return f"{page.name} links to {target}, which does not exist"
    if not file.is_relative_to(ROOT):
        return f"{page.name} links to {target}, outside the repository"
    if anchor and anchor not in Page(file).anchors():
        return f"{page.name} links to {target}: {file.name} has no such heading"
    return None


def test_every_page_is_linked() -> None:
    linked = {(page.path.parent / target.partition("#")[0]).resolve() for page in PAGES for target in page.links()}
    assert [page.name for page in PAGES if page.name.startswith("docs/") and page.path not in linked] == []


def test_shown_commands_parse() -> None:
    no_offenders(wrong for page, line in shown() for wrong in _wrong_command(page, line))


def test_commands_are_shown_at_all() -> None:
    lines = [f"{line} " for _, line in shown()]
    no_offenders(name for name in COMMANDS if not any(line.startswith(f"stackctl {name} ") for line in lines))


def _wrong_command(page: str, line: str) -> Iterator[str]:
    _, *words = shlex.split(line, comments=True)
    end = next((at for at, word in enumerate(words) if word in _SHELL), len(words))
    if not words:
        yield f"{page}: {line}"
    elif words[0] != "--version":
        name = next((" ".join(words[:count]) for count in (2, 1) if " ".join(words[:count]) in COMMANDS), None)
        if name is None:
            yield f"{page} shows 'stackctl {words[0]}', which is no command"
        else:
            yield from _wrong_arguments(page, COMMANDS[name], words[len(name.split()) : end])


def _wrong_arguments(page: str, command: Command, words: list[str]) -> Iterator[str]:
    arguments = 0
    rest = iter(words)
    for word in rest:
        name, equals, _ = word.partition("=")
        if not word.startswith("-") or word == "-":
            arguments += 1
        elif name not in _EVERYWHERE:
            if name not in command.options:
                yield f"{page}: {command.name} has no option {name}"
            elif command.options[name].value is not None and not equals and next(rest, None) is None:
                yield f"{page}: {name} of {command.name} needs a value"
    repeated = any(name.endswith("...") for argument in command.arguments for name in argument.names)
    most = sum(max(len(name.split()) for name in argument.names) for argument in command.arguments)
    if arguments > most and not repeated:
        yield f"{page}: {command.name} with {arguments} arguments: {words}"
    required = sum(argument.required for argument in command.arguments)
    if arguments < required and not _EVERYWHERE & set(words):
        yield f"{page}: {command.name} needs {required} argument(s)"
