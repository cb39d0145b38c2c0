"""Who may see the page: the browser that opened the link, once."""

from __future__ import annotations

import secrets

COOKIE = "stackctl"
TOKEN = "csrf"  # noqa: S105  (the name of a field, no password)
"""The field of every form that has the session's token."""


class Door:
    """The link that works once, the session that it opens, and the token of that session's forms."""

    def __init__(self) -> None:
        self.link = secrets.token_urlsafe(32)
        self.token = secrets.token_urlsafe(32)
        self._session = secrets.token_urlsafe(32)
        self._used = False

    def open(self, link: str) -> str | None:
        """Return the value of the session's cookie for the link; None if it is another one, or was used before."""
        if self._used or not _same(link, self.link):
            return None
        self._used = True
        return self._session

    def knows(self, cookie: str | None) -> bool:
        """Return whether a cookie is that of the session."""
        return self._used and cookie is not None and _same(cookie, self._session)

    def accepts(self, token: str) -> bool:
        """Return whether a form has the token of the session."""
        return _same(token, self.token)


def _same(one: str, other: str) -> bool:
    return secrets.compare_digest(one.encode(), other.encode())
