"""What is compressed of an app's answers, by whichever proxy."""

from __future__ import annotations

from collections.abc import Iterable

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

LEAST = 1024
"""Bytes: below it, a packet holds the answer in any form."""


def is_compressed(sites: Iterable[Site]) -> bool:
    """Return whether a site, or a part of one, compresses anything."""
    return any(tuning.compress for site in sites for tuning in site.tunings)
