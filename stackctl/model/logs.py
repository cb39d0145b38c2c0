"""The log of requests."""

from __future__ import annotations

from enum import StrEnum


class LogFormat(StrEnum):
    """How the proxy writes a request."""

    TEXT = "text"
    JSON = "json"
