"""Refuses every request that is not from the page itself, before any route sees it.

The server listens on the loopback address, which every user of the host and every site in the user's browser can reach:

- a foreign ``Host`` is a name that an attacker lets resolve to 127.0.0.1 (421);
- without the session's cookie it is another user, or another browser (403);
- a POST with a foreign ``Origin``, or none, is sent by another site (403), and one without the form's token by another
  program that the browser trusts with its cookies, as these are not bound to a port (403).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stackctl.ui.door import COOKIE, TOKEN, Door

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
"""The names of this host; a tunnel may have another port."""

MOST_BYTES = 1 << 20
"""The largest form: a certificate with its chain and key has a few kilobytes."""

LOGIN, STATIC, METRICS = "/login", "/static/", "/metrics"

BACKGROUND = "x-stackctl-background"
"""The header of requests that the page sends by itself: they are no activity."""

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    # With no-referrer, browsers send 'Origin: null' with the page's own forms.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}

Refuse = Callable[[Request, int, str, str], Response]
"""Renders a refusal: the request, the status, what is wrong, what to do."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What is let through.

    Attributes:
        write: whether forms are accepted.
        is_open: whether a path is shown without a session.
    """

    door: Door
    write: bool
    is_open: Callable[[str], bool]


class Guard:
    """The outermost application: checks, then passes on; adds the security headers to every response.

    ``seen`` is called for each request of the user, ``refuse`` renders refusals.
    """

    def __init__(self, app: ASGIApp, rules: Rules, refuse: Refuse, seen: Callable[[], None]) -> None:
        self._app = app
        self._rules = rules
        self._refuse = refuse
        self._seen = seen

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        request = Request(scope, receive)

        async def secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                if "cache-control" not in headers:
                    headers["Cache-Control"] = "no-store"
            await send(message)

        refusal = self._of_request(request)
        if refusal is None and request.method == "POST":
            body = await _body(request)
            refusal = await self._of_form(request, body)
            receive = _replayed(body or b"", receive)
        if refusal is not None:
            await self._refuse(request, *refusal)(scope, receive, secured)
            return
        if BACKGROUND not in request.headers:
            self._seen()
        await self._app(scope, receive, secured)

    def _of_request(self, request: Request) -> tuple[int, str, str] | None:
        if host_of(request.headers) not in LOOPBACK:
            return 421, "This name is not the page's", "Open the link that 'stackctl ui' printed."
        if request.method not in {"GET", "HEAD", "POST"}:
            return 405, "This method is not used here", "Go back to the page."
        is_open = self._rules.is_open(request.url.path)
        if not is_open and not self._rules.door.knows(cookie_of(request.headers)):
            return 403, "This browser has no session", "Open the link that 'stackctl ui' printed; it works once."
        return self._of_post(request, is_open=is_open) if request.method == "POST" else None

    def _of_post(self, request: Request, *, is_open: bool) -> tuple[int, str, str] | None:
        if request.headers.get("origin") != f"http://{request.headers['host']}":
            return 403, "This form was sent by another site", "Go back to the page, and send it from there."
        if is_open or not self._rules.write:
            return 403, "This page only shows", "Start it with 'stackctl ui --write' to make changes from it."
        return None

    async def _of_form(self, request: Request, body: bytes | None) -> tuple[int, str, str] | None:
        if body is None:
            return 413, "The form is too large", f"It may have up to {MOST_BYTES >> 20} MiB."
        try:
            async with Request(request.scope, _replayed(body, request.receive)).form() as form:
                token = form.get(TOKEN)
        except (HTTPException, MultiPartException):
            return 400, "The form cannot be read", "Go back to the page, and send it again."
        if not isinstance(token, str) or not self._rules.door.accepts(token):
            return 403, "The form has not the page's token", "Reload the page, and send it again."
        return None


def host_of(headers: Headers) -> str | None:
    """Return the name in the ``Host`` header, without its port; None if it is no name."""
    try:
        return urlsplit(f"//{headers.get('host', '')}").hostname
    except ValueError:
        return None


def cookie_of(headers: Headers) -> str | None:
    """Return the session's cookie, if the request has one."""
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return None
    return None if found is None else found.value


async def _body(request: Request) -> bytes | None:
    """Return the body, or None if it is too large: no more of it is read then."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MOST_BYTES:
            return None
        parts.append(part)
    return b"".join(parts)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Return a source that has ``body`` once more, then what comes after it."""
    left = [body]

    async def again() -> Message:
        if left:
            return {"type": "http.request", "body": left.pop(), "more_body": False}
        return await receive()

    return again
