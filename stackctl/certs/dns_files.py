"""The files by which certbot proves names by DNS-01 without stackctl: a plugin of its own kind, and the zones.

The plugin is the text of the modules in :mod:`~stackctl.certs.dns01` under another name: the batch issuer has a package
``stackctl`` of its own in the same process.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from importlib import resources

from stackctl.certs import dns01
from stackctl.model.dns_providers import AUTHENTICATOR, how_to_install, provider_of
from stackctl.model.dns_zones import DnsZone
from stackctl.model.layout import DNS, DNS_PLUGIN, DNS_ZONES
from stackctl.model.values import ServiceName

_PACKAGE = "stackctl_dns"
_MODULES = ("client", "zones", "watch", "settings", "provider", "prove", "plugin", "check")

CHECK = f"{_PACKAGE}.check"
"""The program that checks, as ``python3 -m`` names it."""


def dns_files(zones: Sequence[DnsZone], certbot: ServiceName) -> Mapping[str, bytes]:
    """Return the files, by their paths in the stack; none if there are no zones."""
    if not zones:
        return {}
    folder = f"{DNS_PLUGIN.path}/{_PACKAGE}"
    texts = {"__init__": inspect.getsource(dns01), **{name: _text(name) for name in _MODULES}}
    described = f"{DNS_PLUGIN.path}/{_PACKAGE}-1.dist-info"
    files = {f"{folder}/{name}.py": text.replace(dns01.__name__, _PACKAGE) for name, text in texts.items()}
    files[f"{described}/METADATA"] = f"Metadata-Version: 2.1\nName: {_PACKAGE}\nVersion: 1\n"
    files[f"{described}/entry_points.txt"] = f"[certbot.plugins]\n{AUTHENTICATOR} = {_PACKAGE}.plugin:Authenticator\n"
    found = {zone.name: _settings(zone, certbot) for zone in zones}
    files[DNS_ZONES.path] = json.dumps(found, indent=2, sort_keys=True) + "\n"
    return {path: text.encode() for path, text in sorted(files.items())}


def _text(name: str) -> str:
    return (resources.files(dns01) / f"{name}.py").read_text(encoding="utf-8")


def _settings(zone: DnsZone, certbot: ServiceName) -> Mapping[str, object]:
    provider = provider_of(zone.provider)
    return {
        "provider": zone.provider,
        "plugin": provider.plugin,
        "install": "" if provider.plugin is None else how_to_install(zone.provider, certbot),
        "credentials": f"{DNS.mount}/{zone.credentials.rpartition('/')[2]}" if zone.has_credentials else None,
        "variables": list(provider.variables),
        "alias": zone.alias,
        "patience": zone.patience,
        "auth": zone.auth,
        "cleanup": zone.cleanup,
    }
