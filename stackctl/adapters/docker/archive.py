"""Read files from the tar archives that Docker returns."""

from __future__ import annotations

import io
import posixpath
import tarfile


def untar(archive: bytes) -> dict[str, bytes]:
    """Return the files of an archive by their paths below its top directory, with links inside it followed."""
    files: dict[str, bytes] = {}
    links: dict[str, str] = {}
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            path = member.name.partition("/")[2]
            if member.issym():
                links[path] = posixpath.normpath(posixpath.join(posixpath.dirname(path), member.linkname))
            elif member.isfile():
                content = tar.extractfile(member)
                files[path] = content.read() if content else b""
    return files | {path: files[target] for path, target in links.items() if target in files}
