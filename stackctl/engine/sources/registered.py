"""The sources that issue certificates, in the order of precedence."""

from __future__ import annotations

from collections.abc import Mapping

from stackctl.certs.shelf import Source
from stackctl.engine.context import Issuer
from stackctl.engine.sources.dns.source import Dns
from stackctl.engine.sources.imported.source import ImportedFiles
from stackctl.engine.sources.local.source import LocalCertificates
from stackctl.engine.sources.webroot.source import Webroot

ISSUERS: Mapping[str, Issuer] = {
    Source.IMPORTED: ImportedFiles(),
    Source.LOCAL: LocalCertificates(),
    Dns.name: Dns(),
    Source.ACME: Webroot(),
}
"""By name; the last owns every site. Dummies have no issuer: they are only stored."""
