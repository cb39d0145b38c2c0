"""The shape of the key ``alerts``."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from stackctl.model.alerts import MOST


class AlertsKeys(Struct, rename="kebab", forbid_unknown_fields=True, kw_only=True):
    """``alerts``: who is informed when a certificate or a site has a problem, and when it is over."""

    to: Annotated[
        list[str],
        Meta(max_length=MOST, description="URLs: https://…, ntfys://HOST/TOPIC, smtp://HOST?from=…&to=…, or Apprise's"),
    ] = []
    ping: Annotated[
        str | None, Meta(description="URL that is requested after each round of renewals, with the exit code behind it")
    ] = None


AlertsBlock = Annotated[AlertsKeys | None, Meta(description="Receivers of alerts, which the certbot container sends")]
