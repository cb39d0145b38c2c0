"""nginx: compression of answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from stackctl.model.routing import Site
from stackctl.proxies.compression import LEAST, TYPES, is_compressed


def compression_lines(sites: Iterable[Site]) -> Iterator[str]:
    """Yield the lines for the ``http`` block; none if nothing is compressed."""
    if not is_compressed(sites):
        return
    yield f"gzip_types {' '.join(TYPES)};"
    # Caches keep both forms apart. An answer to a request of another proxy is compressed too.
    yield "gzip_vary on;"
    yield "gzip_proxied any;"
    yield f"gzip_min_length {LEAST};"
    yield "gzip_comp_level 5;"
