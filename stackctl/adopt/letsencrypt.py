"""Read certbot's renewal files, and change them to renew by stackctl's webroot."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from stackctl.model.layout import ARCHIVES, CERTBOT_CONF, WEBROOT

_KEPT_AUTHENTICATORS = re.compile(r"dns[-_]|.*:dns")
# Keys that only other authenticators, or another host, use.
_FOREIGN = re.compile(
    r"(?:installer|(?:standalone|nginx|apache|manual|http01|tls_sni_01)_\w+|pref_challs|"
    r"(?:pre|post|renew|deploy)_hook|post_hook|config_dir|work_dir|logs_dir)\Z"
)
_HOOKS = re.compile(r"(?:pre|post|renew|deploy)_hook\Z")
_ENTRY = re.compile(r"(?P<key>[A-Za-z0-9_.*-]+)\s*=\s*(?P<value>.*?)\s*\Z")
_EMAIL = re.compile(r"""^\s*(?:export\s+)?email=["']?(?P<email>[^"'\s#]+)""", re.MULTILINE | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Renewal:
    """The relevant keys of a ``renewal/NAME.conf``."""

    authenticator: str | None
    webroots: frozenset[str]
    server: str | None
    account: str | None
    key_type: str | None
    rsa_key_size: int | None
    values: Mapping[str, str]

    @property
    def by_webroot(self) -> bool:
        """Whether it already renews by stackctl's webroot."""
        return self.authenticator == "webroot" and self.webroots == {WEBROOT.mount}

    @property
    def by_dns(self) -> bool:
        """Whether it uses DNS-01, which works the same wherever certbot runs."""
        return self.authenticator is not None and bool(_KEPT_AUTHENTICATORS.match(self.authenticator))


def read_renewal(text: str) -> Renewal:
    """Parse a renewal file."""
    params: dict[str, str] = {}
    webroots: set[str] = set()
    values: dict[str, str] = {}
    section = ""
    for line in text.splitlines():
        bare = line.strip()
        if bare.startswith("["):
            section = bare.strip("[] ")
            continue
        match = None if bare.startswith("#") else _ENTRY.match(bare)
        if match is None:
            continue
        if section == "webroot_map":
            webroots.add(_one(match["value"]))
        elif section == "renewalparams":
            params[match["key"]] = match["value"]
            if match["key"] == "webroot_path":
                webroots |= {part for part in map(_one, match["value"].split(",")) if part}
        elif not section:
            values[match["key"]] = match["value"]
    size = params.get("rsa_key_size", "")
    return Renewal(
        authenticator=params.get("authenticator"),
        webroots=frozenset(root.rstrip("/") for root in webroots if root),
        server=params.get("server"),
        account=params.get("account"),
        key_type=params.get("key_type"),
        rsa_key_size=int(size) if size.isdigit() else None,
        values=values,
    )


def _one(value: str) -> str:
    return value.strip().strip("\"'").rstrip(",").strip()


def to_webroot(text: str, names: Iterable[str]) -> tuple[str, list[str]]:
    """Return a renewal file that renews by stackctl's webroot, and a description of each change.

    certbot itself cannot change these keys without placing an order, which adoption must not do.
    Every other line is kept.
    """
    renewal = read_renewal(text)
    lines, changes = _relocated(text.splitlines())
    if renewal.by_dns:
        lines, more = _without(lines, hooks_only=True)
        return _joined(lines), changes + more
    if renewal.by_webroot:
        lines, more = _without(lines, hooks_only=True)
        return _joined(lines), changes + more
    lines, more = _without(lines, hooks_only=False)
    changes += [f"authenticator {renewal.authenticator or 'none'} is changed to webroot {WEBROOT.mount}", *more]
    params = ["authenticator = webroot", f"webroot_path = {WEBROOT.mount},"]
    where = [f"{name} = {WEBROOT.mount}" for name in names]
    return _joined(_with_webroot(lines, params, where)), changes


def _joined(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _relocated(lines: list[str]) -> tuple[list[str], list[str]]:
    """Replace the path of an earlier tree by that of stackctl's tree."""
    own = CERTBOT_CONF.mount
    root = next((m[1] for line in lines if (m := re.match(rf"archive_dir\s*=\s*(.+)/{ARCHIVES}/", line))), own)
    if root == own:
        return lines, []
    moved = [line.replace(f"{root}/", f"{own}/") if re.match(r"\w+\s*=\s*/", line) else line for line in lines]
    return moved, [f"paths below {root} are changed to {own}"]


def _without(lines: list[str], *, hooks_only: bool) -> tuple[list[str], list[str]]:
    """Remove the keys that do not apply in stackctl's certbot container."""
    kept: list[str] = []
    dropped: list[str] = []
    section = ""
    for line in lines:
        bare = line.strip()
        section = bare.strip("[] ") if bare.startswith("[") else section
        match = _ENTRY.match(bare)
        key = match["key"] if match and section == "renewalparams" else ""
        if key and (_HOOKS if hooks_only else _FOREIGN).match(key):
            if _HOOKS.match(key):
                dropped.append(f"{key} is removed: {match['value'] if match else ''}")
        else:
            kept.append(line)
    return kept, dropped


def _with_webroot(lines: list[str], params: list[str], where: list[str]) -> list[str]:
    """Add the webroot to ``[renewalparams]``, and its map as the last part of that section."""
    done: list[str] = []
    section = ""
    written = ended = False
    for line in lines:
        bare = line.strip()
        if bare.startswith("["):
            if written and not ended and not bare.startswith("[["):
                done += ["[[webroot_map]]", *where]
                ended = True
            section = bare.strip("[] ")
            if section == "webroot_map":
                continue
        elif section == "webroot_map" or (
            section == "renewalparams" and re.match(r"(?:authenticator|webroot_path|webroot_map)\s*=", bare)
        ):
            continue
        done.append(line)
        if section == "renewalparams" and bare.startswith("["):
            done += params
            written = True
    if not written:
        done += ["[renewalparams]", *params]
    return done if ended else [*done, "[[webroot_map]]", *where]


def contact_of(accounts: Iterable[str], scripts: Iterable[str]) -> str | None:
    """Return the e-mail address of an account, or of a script such as init-letsencrypt.sh; None if there is none."""
    for text in accounts:
        try:
            contacts = (json.loads(text).get("body") or {}).get("contact") or ()
        except (ValueError, AttributeError, RecursionError):
            continue
        for contact in contacts:
            if str(contact).startswith("mailto:"):
                return str(contact).removeprefix("mailto:")
    for text in scripts:
        match = _EMAIL.search(text)
        if match:
            return match["email"]
    return None
