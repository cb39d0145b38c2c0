"""Register accounts at the CAs, and register a key again at a CA that does not know its account any more.

A part of the batch issuer (see :mod:`stackctl.certs.issuer`).
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stackctl.certs.issuer.merge import ConfigDir, set_aside, sync
from stackctl.certs.issuer.worker import Watcher, failure_of

if TYPE_CHECKING:
    from collections.abc import Callable

# The options of an issuing command line that also apply to registration.
VALUES = ("--server", "--email", "-m", "--user-agent", "--user-agent-comment")
FLAGS = (
    *("--agree-tos", "--non-interactive", "-n", "--eff-email", "--no-eff-email", "--no-verify-ssl"),
    "--register-unsafely-without-email",
)
FILES = ("meta.json", "private_key.json", "regr.json")
FORGOTTEN = ":accountDoesNotExist"


def option(argv: list[str], *names: str) -> list[str]:
    """Return the values of an option in a command line, as ``--name value`` or ``--name=value``."""
    words = [word.partition("=") for word in argv]
    after = [*argv[1:], ""]
    return [value if eq else after[i] for i, (name, eq, value) in enumerate(words) if name in names]


def registration(argv: list[str]) -> list[str]:
    """Return the command line that registers the account an issuing command line would register."""
    kept, words = ["register"], iter(argv)
    for word in words:
        if word in FLAGS or word.partition("=")[0] in VALUES:
            kept += [word, next(words, "")] if word in VALUES else [word]
    return kept


def binding(eab: dict[str, str]) -> list[str]:
    """Return certbot's options for the external account binding of a new account, if there is one.

    The key appears neither on a command line, which other processes see and certbot logs, nor on
    disk: it is in a file in this process's memory.
    """
    if not eab:
        return []
    fd = os.memfd_create("eab")
    os.write(fd, f"eab-kid = {eab['kid']}\neab-hmac-key = {eab['hmac_key']}\n".encode())
    return ["--config", f"/proc/{os.getpid()}/fd/{fd}"]


def usable(shared: ConfigDir, server: str) -> list[Path]:
    """Return the accounts at a CA that certbot can read: it skips one with a missing or truncated file."""
    found = []
    for regr in sorted(shared.accounts(server).glob("*/regr.json")):
        with contextlib.suppress(OSError, ValueError):
            for name in FILES:
                json.loads(regr.with_name(name).read_text())
            found.append(regr.parent)
    return found


def register_again(account: Path, argv: list[str], eab: dict[str, str], stage: Path, say: Callable[..., None]) -> None:
    """Register the key of an account again at a CA that says it does not know the account.

    certbot has no command for it: ``certbot register`` creates another key, so another account, and
    every renewal file names its account. With the same key the account keeps its name, and all of
    certbot's files stay valid. A CA that does know the key answers with the existing account
    (RFC 8555, 7.3.1).
    """
    watcher = Watcher(say)
    try:
        watcher.install()
        (stage / "regr.json").write_text(json.dumps({"body": {}, "uri": _uri(account, argv, eab)}))
    except BaseException as error:  # noqa: BLE001 - every failure must be reported
        return say("result", ok=False, **failure_of(error, watcher))
    sync(stage / "regr.json")
    (stage / "done").touch()
    return say("result", ok=True)


def _uri(account: Path, argv: list[str], eab: dict[str, str]) -> str:
    """Return the URI of the account that the CA creates for, or has by, the account's key."""
    jose: Any = importlib.import_module("josepy")
    acme: Any = importlib.import_module("acme.client")
    messages: Any = importlib.import_module("acme.messages")
    key = jose.JWK.json_loads((account / "private_key.json").read_text())
    kind = {256: "ES256", 384: "ES384", 521: "ES512"}[key.key.key_size] if key.typ == "EC" else "RS256"
    verify = "--no-verify-ssl" not in argv
    net = acme.ClientNetwork(key, alg=getattr(jose, kind), verify_ssl=verify, user_agent="stackctl")
    client = acme.ClientV2(messages.Directory.from_json(net.get(option(argv, "--server")[-1]).json()), net)
    fields: dict[str, Any] = {}
    if eab:
        words = (key.public_key(), eab["kid"], eab["hmac_key"], client.directory)
        fields["external_account_binding"] = messages.ExternalAccountBinding.from_data(*words)
    email = next(iter(option(argv, "--email", "-m")), None)
    body = messages.NewRegistration.from_data(email=email, terms_of_service_agreed="--agree-tos" in argv, **fields)
    try:
        return str(client.new_account(body).uri)
    except importlib.import_module("acme.errors").ConflictError as known:
        return str(known.location)


def merge_account(shared: ConfigDir, stage: Path, server: str) -> None:
    """Move a new account into the shared tree, unless it has one for this CA meanwhile.

    With two accounts certbot would prompt for one of them.
    """
    home = shared.accounts(server)
    if usable(shared, server):
        return
    for path in reversed((home, *home.parents)):
        if not path.exists():
            path.mkdir(0o700)
    for account in ConfigDir(stage / "config").accounts(server).glob("*/regr.json"):
        for file in account.parent.iterdir():
            sync(file)
        account.parent.rename(home / account.parent.name)
    sync(home)


def update_account(shared: ConfigDir, stage: Path, account: Path) -> None:
    """Write an account's new URI, and back up the previous one."""
    set_aside(shared, account / "regr.json")
    fresh = account / "regr.json.new"
    fresh.write_text((stage / "regr.json").read_text())
    sync(fresh)
    fresh.replace(account / "regr.json")
    sync(account)
