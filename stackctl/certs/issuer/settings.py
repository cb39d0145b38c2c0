"""Replace settings in certbot's tree: renewal files and ``cli.ini``; and rename hooks so that certbot skips them.

A part of the batch issuer (see :mod:`stackctl.certs.issuer`), with an entry point of its own. It holds
certbot's lock, so that no certbot writes a file at the same time.
"""

from __future__ import annotations

import functools
import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stackctl.certs.issuer.locks import config_lock_within
from stackctl.certs.issuer.merge import sync

if TYPE_CHECKING:
    from collections.abc import Callable


_ARI = re.compile(r"\s*^\[acme_renewal_info\]\s*^ari_retry_after = [^\n]*\s*\Z", re.MULTILINE)
"""What each round of certbot's writes to the end of renewal files: when it asks the CA again (RFC 9773)."""


def main(spec: dict[str, Any]) -> int:
    """Apply a specification, and report each file as one line of JSON with ``path`` and ``problem``.

    ``config_dir``, ``files`` (each with ``path``, its content ``before``, and the new ``content``) and
    ``hooks`` (paths) are required. ``patience`` is how many seconds to wait for another certbot.
    """
    root = Path(spec["config_dir"])
    changes = {file["path"]: functools.partial(replace, root, file) for file in spec["files"]}
    changes.update({hook: functools.partial(disable, root / hook) for hook in spec["hooks"]})
    with config_lock_within(root, float(spec.get("patience", 120.0))) as held:
        for path, change in changes.items():
            report(path, change if held else lambda: "another certbot is running")
    return 0


def report(path: str, change: Callable[[], str | None]) -> None:
    """Carry out one change, and print its result."""
    try:
        problem = change()
    except OSError as error:
        problem = str(error)
    print(json.dumps({"path": path, "problem": problem}), flush=True)  # noqa: T201  (read by the host)


def replace(root: Path, file: dict[str, str]) -> str | None:
    """Replace a file atomically, if its content is still the one that the change was planned for."""
    path = root / file["path"]
    content = merged(file["before"], file["content"], path.read_bytes().decode(errors="replace"))
    if content is None:
        return "another process has just changed the file"
    fresh = path.with_name(path.name + ".new")  # the name certbot uses, and removes
    fresh.write_bytes(content.encode())
    shutil.copystat(path, fresh)
    shutil.chown(fresh, path.stat().st_uid, path.stat().st_gid)
    sync(fresh)
    fresh.replace(path)
    sync(path.parent)
    return None


def merged(before: str, content: str, now: str) -> str | None:
    """Return the planned content with what certbot has noted in the file since; None if it was changed otherwise."""
    if now == before:
        return content
    noted = _ARI.search(now)
    if noted is None or _ARI.sub("", before).rstrip() != now[: noted.start()].rstrip():
        return None
    return f"{_ARI.sub('', content).rstrip()}\n{noted.group().strip()}\n"


def disable(hook: Path) -> str | None:
    """Rename a program to a name that ends in ``~``: certbot does not run such a file."""
    aside = hook.with_name(f"{hook.name}~")
    while aside.exists():
        aside = aside.with_name(f"{aside.name}~")
    hook.rename(aside)
    sync(hook.parent)
    return None
