"""Find what renewed the certificates of a foreign stack, and would go on to do so beside stackctl's loop."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from stackctl.adopt.proposal import Handling, Remark

_RENEWS = re.compile(
    r"\b(?:certbot(?:-auto)?|letsencrypt(?:-auto)?)\b.*\b(?:renew|certonly)\b|\bacme\.sh\b|\blego\b.*\brenew\b|\ble-renew"
)
_JOINS = re.compile(r"(?:fullchain|privkey).*>\s*\S*\.pem|>\s*\S*\.pem.*(?:fullchain|privkey)")
_SCRIPT = re.compile(r"(?:^|[\s;&|'\"])(/[^\s;&|'\">]+)")
_NOW = "stackctl's certbot renews from now on: delete it, if it is for this stack alone"


def renewers(jobs: Mapping[str, str], scripts: Mapping[str, str]) -> tuple[Remark, ...]:
    """Return a remark for each job and each script that renews certificates, or joins them to one file.

    ``jobs`` are the texts of cron's tables by their paths, ``scripts`` those of programs; a job that only runs one of
    the scripts is named with it.
    """
    ours = {path: at for path, text in scripts.items() if (at := _first(text)) is not None}
    found = [
        Remark(Handling.REPLACED, f"the job '{line}': {_NOW}", f"{path}:{number}")
        for path, text in jobs.items()
        for number, line in _lines(text)
        if _does(line) or any(name in ours for name in _SCRIPT.findall(line))
    ]
    found += [
        Remark(Handling.REPLACED, f"the script '{scripts[path].splitlines()[at - 1].strip()}': {_NOW}", f"{path}:{at}")
        for path, at in ours.items()
    ]
    return tuple(found)


def scripts_of(jobs: Iterable[str]) -> tuple[str, ...]:
    """Return the absolute paths that jobs name, among which are the programs that they run."""
    return tuple(dict.fromkeys(path for text in jobs for _, line in _lines(text) for path in _SCRIPT.findall(line)))


def is_renewer(command: str) -> bool:
    """Return whether a running process renews certificates, by its command line."""
    return _does(command)


def _does(line: str) -> bool:
    return bool(_RENEWS.search(line) or _JOINS.search(line))


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield number, line.strip()


def _first(text: str) -> int | None:
    return next((number for number, line in _lines(text) if _does(line)), None)
