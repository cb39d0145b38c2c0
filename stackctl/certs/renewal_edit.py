"""Edit the text of certbot's renewal files, so that ``certbot renew`` does what ``x-stackctl`` declares; pure.

certbot itself changes some of these settings only with an order, and others not at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache

from stackctl.certs.renewal import PARAMETERS, RenewalFile, parse_renewal, renews_by_dns
from stackctl.certs.watch.ends import renewal_window
from stackctl.model.acme import Acme, KeyType
from stackctl.model.dns_providers import AUTHENTICATOR
from stackctl.model.layout import ARCHIVES, CERTBOT_CONF, STAMPS, WEBROOT

_ENTRY = re.compile(r"(?P<key>[A-Za-z0-9_.*-]+)\s*=\s*(?P<value>.*?)\s*\Z")
_HOOKS = re.compile(r"(?:pre|post|renew|deploy)_hook\Z")
# Keys of other authenticators or another host, and those that no key of x-stackctl sets.
_FOREIGN = re.compile(
    r"(?:installer|(?:standalone|manual|http01|tls_sni_01)_\w+|pref_challs|config_dir|work_dir|logs_dir|"
    r"autorenew|reuse_key|must_staple|allow_subset_of_names|required_profile)\Z"
)
_SILENT = re.compile(r"(?:installer|(?:http01|tls_sni_01)_\w+|(?:config|work|logs)_dir)\Z")
"""Keys whose removal changes nothing that a user notices."""

_BEFORE = "renew_before_expiry"
_UNITS = {"minute": 1, "hour": 60, "day": 1440, "week": 10080, "month": 43200, "year": 525600}
_PERIOD = re.compile(rf"(?P<count>\d+)\s*(?P<unit>{'|'.join(_UNITS)})s?\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a renewal file has to say.

    Attributes:
        acme: how the stack requests certificates.
        names: the names on the certificate.
        accounts: the ids of the accounts at the stack's CA.
        account: the one in use; None if there is none.
        lifetime: of the current certificate; None if it is unknown.
        dns: whether its names are proved by DNS-01 with the zones of ``x-stackctl``.
    """

    acme: Acme
    names: tuple[str, ...]
    accounts: frozenset[str] = frozenset()
    account: str | None = None
    lifetime: timedelta | None = None
    dns: bool = False


def aligned(text: str, wanted: Wanted, *, adopting: bool = False) -> tuple[str, list[str]]:
    """Return a renewal file that says what is wanted, and a description of each change; every other line is kept.

    A file without a server is truncated: it is replaced with the certificate. One that uses DNS-01 is kept as it
    is, except that ``adopting`` takes it over from another host: its paths are changed, its hooks removed.
    """
    params = _parsed("\n".join(text.splitlines())).parameters
    if not params.get("server"):
        return text, []
    authenticator = params.get("authenticator")
    # Another plugin's file is taken over where the zones are known; a wildcard stays with it as long as they are not.
    by_dns = renews_by_dns(authenticator) and authenticator != AUTHENTICATOR and not wanted.dns
    if by_dns and not adopting:
        return text, []
    lines, changes = _relocated(text.splitlines())
    lines, removed = _without(lines, hooks=not wanted.acme.hooks, foreign=not by_dns)
    changes += removed
    if not by_dns:
        lines, more = _by_dns(lines) if wanted.dns else _by_webroot(lines, wanted.names)
        changes += more
        for edit in (_with_ca, _with_key, _with_profile, _with_period):
            lines, more = edit(lines, wanted)
            changes += more
    return (_joined(lines), changes) if lines != text.splitlines() else (text, [])


def renews_elsewhere(text: str, directory: str) -> bool:
    """Return whether a renewal file that ``x-stackctl`` governs names another CA."""
    params = _parsed(text).parameters
    governed = params.get("authenticator") in {"webroot", AUTHENTICATOR}
    return governed and params.get("server") not in {None, directory}


def _joined(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _params(lines: list[str]) -> Mapping[str, str]:
    return _parsed("\n".join(lines)).parameters


@lru_cache(maxsize=4)
def _parsed(text: str) -> RenewalFile:
    """Parse a text once: of a thousand files most are in line, and every step reads the same text."""
    return parse_renewal(text)


def _relocated(lines: list[str]) -> tuple[list[str], list[str]]:
    """Replace the path of another tree by that of stackctl's tree."""
    own = CERTBOT_CONF.mount
    root = next((m[1] for line in lines if (m := re.match(rf"archive_dir\s*=\s*(.+)/{ARCHIVES}/", line))), own)
    if root == own:
        return lines, []
    moved = [line.replace(f"{root}/", f"{own}/") if re.match(r"\w+\s*=\s*/", line) else line for line in lines]
    return moved, [f"paths below {root} are changed to {own}"]


def _without(lines: list[str], *, hooks: bool, foreign: bool) -> tuple[list[str], list[str]]:
    """Remove the keys of ``[renewalparams]`` that do not apply in stackctl's certbot container."""
    kept: list[str] = []
    dropped: list[str] = []
    section = ""
    params = _params(lines)
    plugins = {params.get("authenticator"), params.get("installer")} - {"webroot", "None", None}
    of_plugins = tuple(f"{plugin}_" for plugin in plugins)
    for line in lines:
        bare = line.strip()
        section = bare.strip("[] ") if bare.startswith("[") else section
        match = _ENTRY.match(bare) if section == PARAMETERS else None
        key, value = (match["key"], match["value"]) if match else ("", "")
        hook = hooks and _HOOKS.match(key) and value not in {"", "None"} and f"{STAMPS.mount}/" not in value
        own = key.startswith(of_plugins)
        if key and (hook or (foreign and (own or _FOREIGN.match(key)))):
            if not own and not _SILENT.match(key):
                dropped.append(f"{key} is removed: {value}")
        else:
            kept.append(line)
    return kept, dropped


def _by_webroot(lines: list[str], names: Iterable[str]) -> tuple[list[str], list[str]]:
    """Let it renew by stackctl's webroot."""
    file = _parsed("\n".join(lines))
    path = file.parameters.get("webroot_path", "").strip("[]\"', ")
    roots = {root.rstrip("/") for root in (*file.webroots.values(), path) if root}
    kind = file.parameters.get("authenticator")
    if kind == "webroot" and roots == {WEBROOT.mount}:
        return lines, []
    params = ["authenticator = webroot", f"webroot_path = {WEBROOT.mount},"]
    where = [f"{name} = {WEBROOT.mount}" for name in names if "*" not in name]
    change = f"authenticator {kind or 'none'} is changed to webroot {WEBROOT.mount}"
    return _with_webroot(lines, params, where), [change]


def _by_dns(lines: list[str]) -> tuple[list[str], list[str]]:
    """Let it renew by the zones of ``x-stackctl``."""
    kind = _params(lines).get("authenticator")
    if kind == AUTHENTICATOR:
        return lines, []
    done: list[str] = []
    section = ""
    for line in lines:
        bare = line.strip()
        section = bare.strip("[] ") if bare.startswith("[") else section
        if section != "webroot_map" and not re.match(r"webroot_(?:path|map)\s*=", bare):
            done.append(line)
    return _set(done, "authenticator", AUTHENTICATOR), [f"authenticator {kind or 'none'} is changed to {AUTHENTICATOR}"]


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
            section == PARAMETERS and re.match(r"(?:authenticator|webroot_path|webroot_map)\s*=", bare)
        ):
            continue
        done.append(line)
        if section == PARAMETERS and bare.startswith("["):
            done += params
            written = True
    return done if ended else [*done, "[[webroot_map]]", *where]


def _set(lines: list[str], key: str, value: str | None) -> list[str]:
    """Set a key of ``[renewalparams]``; None removes it."""
    done: list[str] = []
    section = ""
    for line in lines:
        bare = line.strip()
        section = bare.strip("[] ") if bare.startswith("[") else section
        match = _ENTRY.match(bare)
        if section == PARAMETERS and match and match["key"] == key:
            continue
        done.append(line)
        if section == PARAMETERS and bare.startswith("[") and value is not None:
            done.append(f"{key} = {value}")
    return done


def _changed(lines: list[str], key: str, value: str | None) -> tuple[list[str], list[str]]:
    before = _params(lines).get(key)
    if before == value:
        return lines, []
    words = f"{key} is removed: {before}" if value is None else f"{key} {before or 'none'} is changed to {value}"
    return _set(lines, key, value), [words]


def _with_ca(lines: list[str], wanted: Wanted) -> tuple[list[str], list[str]]:
    """Let it renew at the stack's CA, with an account that exists there."""
    params, changes = _params(lines), list[str]()
    directory = wanted.acme.directory
    # A trusted certificate is not replaced by one of a CA for tests.
    if params["server"] != directory:
        if wanted.account is None or wanted.acme.is_for_tests:
            return lines, []
        lines, changes = _changed(lines, "server", directory)
    account = params.get("account")
    if account in wanted.accounts or wanted.account is None:
        return lines, changes
    if account is None and len(wanted.accounts) == 1:
        return lines, changes
    lines, more = _changed(lines, "account", wanted.account)
    return lines, changes + more


def _with_key(lines: list[str], wanted: Wanted) -> tuple[list[str], list[str]]:
    # certbot takes a file without the key for one that is older than ECDSA.
    kind = _params(lines).get("key_type", KeyType.RSA.value)
    changes: list[str] = []
    if kind != wanted.acme.key_type.value:
        lines, changes = _changed(lines, "key_type", wanted.acme.key_type.value)
    if wanted.acme.key_type is KeyType.RSA:
        if _params(lines).get("rsa_key_size", "2048") != str(wanted.acme.key_size):
            lines, more = _changed(lines, "rsa_key_size", str(wanted.acme.key_size))
            changes += more
    elif _params(lines).get("elliptic_curve", "secp256r1") != "secp256r1":
        lines, more = _changed(lines, "elliptic_curve", "secp256r1")
        changes += more
    return lines, changes


def _with_profile(lines: list[str], wanted: Wanted) -> tuple[list[str], list[str]]:
    return _changed(lines, "preferred_profile", wanted.acme.profile)


def _with_period(lines: list[str], wanted: Wanted) -> tuple[list[str], list[str]]:
    """Remove a time before the expiry that renews in each round, or too late; certbot's own default then applies."""
    head = next((number for number, line in enumerate(lines) if line.strip().startswith("[")), len(lines))
    there = [line for line in lines[:head] if (m := _ENTRY.match(line.strip())) and m["key"] == _BEFORE]
    life = wanted.lifetime
    if there:
        value = there[-1].partition("=")[2].strip().strip("'\"")
        if life is None or _sensible(value, life):
            return lines, []
        return [line for line in lines if line not in there], [f"{_BEFORE} is removed: {value}"]
    version = re.search(r"^version\s*=\s*(\d+)", "\n".join(lines[:head]), re.MULTILINE)
    if life is None or version is None or int(version[1]) >= 4 or life >= timedelta(days=45):
        return lines, []
    # certbot before 4.0 renews thirty days before the expiry, whatever the lifetime.
    hours = int(renewal_window(life) / timedelta(hours=1))
    return [f"{_BEFORE} = {hours} hours", *lines], [f"{_BEFORE} none is changed to {hours} hours"]


def _sensible(value: str, life: timedelta) -> bool:
    match = _PERIOD.match(value)
    if match is None or len(match["count"]) > 6:
        return False
    period = timedelta(minutes=int(match["count"]) * _UNITS[match["unit"].lower()])
    return min(life / 6, timedelta(days=3)) <= period <= life * 2 / 3
