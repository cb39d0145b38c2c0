"""nginx: compression of answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from stackctl.model.routing import Site

TYPES = (
    "application/atom+xml",
    "application/javascript",
    "application/json",
    "application/ld+json",
    "application/manifest+json",
    "application/rss+xml",
    "application/vnd.api+json",
    "application/wasm",
    "application/xhtml+xml",
    "application/xml",
    "font/otf",
    "font/ttf",
    "image/svg+xml",
    "text/css",
    "text/javascript",
    "text/plain",
    "text/vtt",
    "text/xml",
)
"""What is compressed besides text/html. Images, videos and archives are compressed already; an event stream is not in
the list, as each event would wait for the next ones.
"""


def compression_lines(sites: Iterable[Site]) -> Iterator[str]:
    """Yield the lines for the ``http`` block; none if nothing is compressed."""
    if not any(
        site.tuning.compress or any(one.tuning and one.tuning.compress for one in site.routes) for site in sites
    ):
        return
    yield f"gzip_types {' '.join(TYPES)};"
    # Caches keep both forms apart. An answer to a request of another proxy is compressed too.
    yield "gzip_vary on;"
    yield "gzip_proxied any;"
    # Below it, a packet holds the answer in any form.
    yield "gzip_min_length 1024;"
    yield "gzip_comp_level 5;"
