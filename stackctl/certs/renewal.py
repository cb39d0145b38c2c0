"""Parse certbot's renewal file, ``renewal/NAME.conf``, which says how ``certbot renew`` renews a lineage."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stackctl.model.acme import Acme, KeyType
from stackctl.model.layout import CERTBOT_CONF, WEBROOT, archive_folder, lineage_file

KINDS = ("cert", "privkey", "chain", "fullchain")
"""The files of a lineage, as certbot names them."""

_SECTION = re.compile(r"\s*(\[+)\s*(.*?)\s*\]+\s*\Z")
PARAMETERS = "renewalparams"
"""The section of the settings."""

_BY_DNS = re.compile(r"dns[-_]|.*:dns")


@dataclass(frozen=True, slots=True)
class RenewalFile:
    """The parts of a renewal file.

    Attributes:
        paths: ``archive_dir``, ``cert``, ``privkey``, ``chain`` and ``fullchain``.
        parameters: the section ``[renewalparams]``.
        webroots: the webroot of each name, by ``[[webroot_map]]``.
    """

    paths: Mapping[str, str]
    parameters: Mapping[str, str]
    webroots: Mapping[str, str]

    @property
    def server(self) -> str | None:
        """The ACME directory."""
        return self.parameters.get("server")

    @property
    def account(self) -> str | None:
        """The id of the account, which is a directory below ``accounts/``."""
        return self.parameters.get("account")


def parse_renewal(text: str) -> RenewalFile:
    """Parse a renewal file, which certbot writes with configobj: keys, one section, subsections."""
    sections: dict[str, dict[str, str]] = {}
    name = ""
    for line in text.splitlines():
        head = _SECTION.match(line)
        if head:
            name = head[2]
        elif "=" in line and not line.lstrip().startswith("#"):
            key, _, value = line.partition("=")
            sections.setdefault(name, {})[key.strip()] = value.strip().strip("'\"")
    return RenewalFile(sections.get("", {}), sections.get(PARAMETERS, {}), sections.get("webroot_map", {}))


def renewal_text(lineage: str, names: Sequence[str], acme: Acme) -> str:
    """Return a renewal file as certbot writes it for a certificate of ``acme`` by the webroot.

    The account is left to certbot, which takes the only one that there is.
    """
    home = {kind: (CERTBOT_CONF / lineage_file(lineage, kind)).mount for kind in KINDS}
    lines = [f"archive_dir = {(CERTBOT_CONF / archive_folder(lineage)).mount}"]
    lines += [f"{kind} = {path}" for kind, path in home.items()]
    lines += ["[renewalparams]", "authenticator = webroot", f"webroot_path = {WEBROOT.mount},"]
    lines += [f"server = {acme.directory}", f"key_type = {acme.key_type.value}"]
    if acme.key_type is KeyType.RSA:
        lines.append(f"rsa_key_size = {acme.key_size}")
    lines += ["[[webroot_map]]", *(f"{name} = {WEBROOT.mount}" for name in names)]
    return "".join(f"{line}\n" for line in lines)


def renews_by_dns(authenticator: str | None) -> bool:
    """Return whether an authenticator uses DNS-01, which works the same wherever certbot runs."""
    return authenticator is not None and _BY_DNS.match(authenticator.strip("'\"")) is not None


def account_path(server: str, account: str) -> str:
    """Return where certbot stores an account, below ``accounts/``."""
    return f"{server.partition('://')[2].rstrip('/')}/{account}"
