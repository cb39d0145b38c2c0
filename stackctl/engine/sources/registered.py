"""The sources that issue certificates, in the order in which they are asked whether a site is theirs."""

from __future__ import annotations

from collections.abc import Mapping

from stackctl.certs.held import Source
from stackctl.engine.context import Issuer
from stackctl.engine.sources.webroot.source import Webroot

ISSUERS: Mapping[str, Issuer] = {
    Source.ACME: Webroot(),
}
"""By name; the last owns every site. Nothing issues imported certificates and dummies: they are only stored."""
