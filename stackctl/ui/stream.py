"""Server-sent events (HTML Living Standard, section 9.2): what a browser follows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from stackctl.ui.feed import Feed

T = TypeVar("T")


def stream(request: Request, feed: Feed[T], html: Callable[[T], str | None]) -> Response:
    """Return the events of a feed that the browser has not seen, then each new one.

    ``html`` renders an event; None if it is not for this browser.
    """
    last = request.headers.get("last-event-id") or request.query_params.get("after") or "0"
    after = int(last) if last.isascii() and last.isdigit() and len(last) < 16 else 0

    async def lines() -> AsyncIterator[str]:
        yield "retry: 2000\n\n"
        async for event in feed.follow(after):
            if event is None:
                yield ": still here\n\n"
            elif (text := html(event.value)) is not None:
                data = "".join(f"data: {line}\n" for line in text.splitlines())
                yield f"id: {event.number}\n{data}\n"
        yield "event: end\ndata:\n\n"

    return StreamingResponse(lines(), media_type="text/event-stream")
