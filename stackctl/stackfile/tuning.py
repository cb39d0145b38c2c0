"""Reads the settings that a block has of its own, and takes the others from what is around it."""

from __future__ import annotations

from dataclasses import replace

from stackctl.model import values
from stackctl.model.tuning import Tuning
from stackctl.stackfile.access import access_of
from stackctl.stackfile.document import Document, Path
from stackctl.stackfile.headers import headers_of
from stackctl.stackfile.keys import checked
from stackctl.stackfile.limits import rates_of
from stackctl.stackfile.tuning_keys import Tunable

_PARSED = {
    "body_size": values.size,
    "connect_timeout": values.duration,
    "read_timeout": values.duration,
    "send_timeout": values.duration,
}
_AS_THEY_ARE = ("buffering", "connections", "compress")
_LONG = {"read_timeout": "1h", "send_timeout": "1h", "body_size": "0"}
"""What ``timeouts: long`` stands for; a key beside it has its own value."""


def tuning(doc: Document, path: Path, keys: Tunable, defaults: Tuning) -> Tuning:
    """Return ``defaults`` with the settings of the block at ``path``."""
    changes: dict[str, object] = dict(_LONG) if keys.timeouts == "long" else {}
    for name, parse in _PARSED.items():
        value = getattr(keys, name)
        if value is not None:
            changes[name] = checked(doc, (*path, name.replace("_", "-")), parse, value)
    changes |= {name: value for name in _AS_THEY_ARE if (value := getattr(keys, name)) is not None}
    rates = rates_of(doc, path, keys.rate_limit)
    if rates is not None:
        changes["rates"] = rates
    if keys.headers is not None:
        changes["headers"] = defaults.headers.under(headers_of(doc, (*path, "headers"), keys.headers))
    if keys.access is not None:
        changes["access"] = access_of(doc, (*path, "access"), keys.access, defaults.access)
    return replace(defaults, **changes) if changes else defaults  # type: ignore[arg-type]
