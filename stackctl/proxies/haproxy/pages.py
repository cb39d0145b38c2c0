"""HAProxy: the pages that the user wrote for errors."""

from __future__ import annotations

from collections.abc import Iterator

from stackctl.model.pages import ErrorPages, PageFile
from stackctl.proxies.haproxy.layout import PAGES
from stackctl.proxies.haproxy.quoting import word

DENIED = frozenset({200, 400, 401, 403, 404, 405, 407, 408, 410, 413, 421, 422, 425, 429, *range(500, 505)})
"""The statuses for which HAProxy has an answer of its own, or a page in its place."""


def page_answer(status: int, page: PageFile, folder: str = f"../{PAGES}") -> str:
    """Return a page as an answer; ``folder`` is where the pages are from the file with the line: one of a site's."""
    return f"status {status} content-type {word(page.content_type)} file {word(f'{folder}/{page.path}')}"


def page_lines(errors: ErrorPages) -> Iterator[str]:
    """Yield which page is shown for which status."""
    for status, page in errors.pages:
        answer = page_answer(status, page)
        if status in DENIED:
            yield f"http-error {answer}"
        if errors.intercept:
            yield f"http-response return {answer} if {{ status {status} }}"
