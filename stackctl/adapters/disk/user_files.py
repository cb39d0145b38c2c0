"""The files that users write for the proxy: custom configuration, and pages that it answers with."""

from __future__ import annotations

import os
from pathlib import Path

from stackctl.adapters.disk.files import host_errors, make_folder, read_or_none, sync_directory, write_whole
from stackctl.errors import HostError
from stackctl.model.page_values import LARGEST_PAGE
from stackctl.proxies.proxy import ProxyLayout
from stackctl.reading import is_text, read_regular


class UserFiles:
    """The user's own files in a stack's directory; every method raises :class:`HostError` on a file system error."""

    root: Path

    def custom(self, layout: ProxyLayout) -> dict[str, bytes]:
        """Return the user's own files for the proxy, by name.

        Raises:
            HostError: one cannot be read. It is not skipped, as its site would lose its directives.
        """
        found = {}
        with host_errors():
            folder = self.root / layout.custom
            for path in sorted(one for pattern in layout.custom_files for one in folder.glob(pattern)):
                if not path.is_file():
                    raise HostError(
                        "it is a directory or a broken link, not a file",
                        where=f"{layout.custom}/{path.name}",
                        hint="replace it with a file, or remove it; the live configuration is unchanged",
                    )
                if not is_text(path.name):
                    raise HostError(
                        "its name is not UTF-8 text",
                        where=f"{layout.custom}/{path.name}",
                        hint="rename it, or remove it",
                    )
                found[path.name] = read_regular(path)
        return found

    def page(self, path: str) -> bytes:
        """Return a file of the stack that the proxy answers with.

        Raises:
            HostError: it does not exist, is no regular file, too large, or a link leads out of the stack.
        """
        file = self.root / path
        with host_errors():
            # Path.resolve() raises an error of its own for a circle of links.
            if not Path(os.path.realpath(file)).is_relative_to(os.path.realpath(self.root)):
                raise HostError(f"{path} is a link to a file outside the stack's directory")
            try:
                return read_regular(file, LARGEST_PAGE)
            except FileNotFoundError as error:
                raise HostError(f"there is no file {path}") from error
            except OSError as error:
                raise HostError(f"{path} cannot be used: {error.strerror}") from error

    def write_custom(self, path: str, content: bytes | None, before: bytes | None, *, secret: bool = False) -> None:
        """Replace or remove one of the user's own files, if it still equals ``before``; a new one may be ``secret``."""
        file = self.root / path
        with host_errors():
            if read_or_none(file) != before:
                raise HostError(
                    "another process has just changed the file",
                    where=path,
                    hint="run the command again",
                )
            if content is None:
                file.unlink(missing_ok=True)
                sync_directory(file.parent)
            else:
                make_folder(file.parent)
                write_whole(file, content, 0o600 if secret else 0o644)
