"""Write and delete a TXT record: with a plugin of certbot's for a provider, or with the user's own commands."""

from __future__ import annotations

import argparse
import base64
import contextlib
import hashlib
import importlib
import os
import re
import subprocess
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from stackctl.certs.dns01.zones import DnsProblem, Place

_GROUP = "certbot.plugins"
_COMMAND_SECONDS = 300
_LONGEST = 300

_REFUSED = re.compile(
    r"REFUSED|NOTAUTH|not authori[sz]ed|forbidden|\b403\b|permission|AccessDenied|not allowed|insufficient",
    re.IGNORECASE,
)
_UNKNOWN_KEY = re.compile(
    r"BADKEY|BADSIG|BADTIME|tsig|peer didn't (?:know|like)|invalid.{0,20}(?:token|key|credential)|authenticat|"
    r"unauthori[sz]ed|\b401\b|InvalidClientTokenId|SignatureDoesNotMatch|invalid request headers",
    re.IGNORECASE,
)
_NO_ZONE = re.compile(
    r"No SOA|not authoritative|zone[ _]id|hosted zone|no (?:matching )?(?:zone|domain)|zone.{0,20}not found|NOTZONE|"
    r"unable to (?:find|determine).{0,40}(?:zone|domain)",
    re.IGNORECASE,
)


def plugin_class(name: str) -> Any:  # noqa: ANN401  (certbot's objects have no types here)
    """Return the class of a plugin of certbot's; None if it is not installed."""
    points: Any = metadata.entry_points()
    group = points.select(group=_GROUP) if hasattr(points, "select") else points.get(_GROUP, ())
    point = next((one for one in group if one.name == name), None)
    return None if point is None else point.load()


def missing(zone: dict[str, Any]) -> DnsProblem | None:
    """Return the problem that the image of certbot lacks the plugin of a provider, or that it has no credentials."""
    if zone["plugin"] is None:
        return None
    if plugin_class(zone["plugin"]) is None:
        return DnsProblem(f"the image of certbot has no plugin {zone['plugin']}", zone["install"])
    if not Path(zone["credentials"]).is_file():
        todo = f"write them with 'stackctl dns add {zone['name']}'"
        return DnsProblem(f"there are no credentials for the zone {zone['name']}", todo)
    return None


@dataclass(frozen=True)
class Value:
    """The value of a challenge's record, and what it is made of: some plugins make it themselves (RFC 8555, 8.4)."""

    text: str
    token: bytes = b""
    authorization: str = ""

    @classmethod
    def of(cls, authorization: str) -> Value:
        """Return the value that a key authorization has."""
        digest = hashlib.sha256(authorization.encode()).digest()
        return cls(base64.urlsafe_b64encode(digest).rstrip(b"=").decode(), authorization.encode(), authorization)


class Writer:
    """Writes and deletes records with the credentials of one zone of ``x-stackctl.dns``."""

    def __init__(self, zone: dict[str, Any]) -> None:
        self._zone = zone
        self._plugin: Any = None

    def add(self, domain: str, place: Place, value: Value) -> None:
        """Add ``value`` to the record.

        Raises:
            DnsProblem: the provider does not accept it.
        """
        try:
            self._change("auth", domain, place, value)
        except DnsProblem:
            raise
        except Exception as error:  # a plugin may raise anything
            raise self._refusal(place, error) from error

    def remove(self, domain: str, place: Place, value: Value) -> str | None:
        """Remove ``value`` from the record, and return why that failed, or None."""
        try:
            self._change("cleanup", domain, place, value)
        except DnsProblem as problem:
            return problem.text
        except Exception as error:  # noqa: BLE001  (a plugin may raise anything)
            return self._refusal(place, error).text
        return None

    def _change(self, kind: str, domain: str, place: Place, value: Value) -> None:
        if self._zone["plugin"] is None:
            _run(self._zone[kind], domain, place, value.text)
            return
        plugin = self._prepared()
        own = getattr(importlib.import_module("certbot.plugins.dns_common"), "DNSAuthenticator", None)
        if own is not None and type(plugin).perform is not own.perform:
            # It has a way of its own, such as one call for several records, or lego's.
            getattr(plugin, "perform" if kind == "auth" else kind)([_challenge(domain, place.record, value)])
        elif kind == "auth":
            # The name is that of the record: plugins look for its zone from there up, and follow no CNAME.
            plugin._perform(place.record, place.record, value.text)  # noqa: SLF001
        else:
            plugin._cleanup(place.record, place.record, value.text)  # noqa: SLF001

    def _prepared(self) -> Any:  # noqa: ANN401
        if self._plugin is None:
            problem = missing(self._zone)
            if problem is not None:
                raise problem
            credentials = self._zone["credentials"]
            os.environ.update(dict.fromkeys(self._zone["variables"], credentials))
            plugin = _made(plugin_class(self._zone["plugin"]), self._zone["plugin"], credentials)
            plugin._setup_credentials()  # noqa: SLF001
            self._plugin = plugin
        return self._plugin

    def _refusal(self, place: Place, error: Exception) -> DnsProblem:
        """Return what a plugin's exception says, as one of the three things that go wrong."""
        words = re.sub(r"\s+", " ", str(error) or type(error).__name__).strip()[:_LONGEST]
        zone, provider = place.zone.name, self._zone["provider"]
        again = f"write the credentials again with 'stackctl dns add {self._zone['name']}'"
        if _UNKNOWN_KEY.search(words) and not re.search(r"\bREFUSED\b|NOTZONE", words):
            return DnsProblem(f"{provider} does not accept the credentials: {words}", again)
        if _NO_ZONE.search(words):
            return DnsProblem(
                f"{provider} does not have the zone {zone}, or hides it from this token: {words}",
                f"give the token the zone {zone}, or name the provider that serves it in x-stackctl.dns",
            )
        if _REFUSED.search(words):
            return DnsProblem(
                f"the token may not edit the zone {zone}: {words}",
                f"let it write TXT records at {place.record}",
            )
        return DnsProblem(f"{provider} did not write {place.record}: {words}", again)


def _made(kind: Any, name: str, credentials: str) -> Any:  # noqa: ANN401
    """Return a plugin with its defaults and our credentials, as certbot would make it; it does not wait."""
    parser = argparse.ArgumentParser(add_help=False)
    kind.inject_parser_options(parser, name)
    space = parser.parse_args([])
    prefix = name.replace("-", "_")
    setattr(space, f"{prefix}_credentials", credentials)
    setattr(space, f"{prefix}_propagation_seconds", 0)
    space.noninteractive_mode = True
    return kind(space, name)


def _challenge(domain: str, record: str, value: Value) -> SimpleNamespace:
    """Return what a plugin needs of a challenge: its name, the name of its record, and the value."""
    base = domain[2:] if domain[:2] == "*." else domain
    return SimpleNamespace(
        domain=base,
        identifier=SimpleNamespace(value=base),
        account_key=None,
        token=value.token,
        key_authorization=lambda _key: value.authorization,
        validation_domain_name=lambda _name: record,
        validation=lambda _key: value.text,
        response=lambda _key: None,
    )


def _run(command: str, domain: str, place: Place, value: str) -> None:
    """Run the user's own command with the variables that certbot's manual hooks have, and those of the record."""
    variables = {
        "CERTBOT_DOMAIN": domain,
        "CERTBOT_IDENTIFIER": domain,
        "CERTBOT_VALIDATION": value,
        "CERTBOT_REMAINING_CHALLENGES": "0",
        "CERTBOT_ALL_DOMAINS": domain,
        "STACKCTL_RECORD": place.record,
        "STACKCTL_ZONE": place.zone.name,
    }
    try:
        done = subprocess.run(  # noqa: S602  (it is the user's command, from the Compose file)
            command,
            shell=True,
            env={**os.environ, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=_COMMAND_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise DnsProblem(f"the command '{command}' did not end within {_COMMAND_SECONDS} s") from None
    if done.returncode:
        last = next((line.strip() for line in reversed(done.stdout.splitlines()) if line.strip()), "no output")
        todo = "run it in the certbot container"
        raise DnsProblem(f"the command '{command}' ended with {done.returncode}: {last[:_LONGEST]}", todo)


def without_display() -> None:
    """Give certbot a display that shows nothing: plugins print to it, and here no certbot has made one."""
    with contextlib.suppress(Exception):
        display: Any = importlib.import_module("certbot._internal.display.obj")
        nowhere = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  (for the whole program)
        display.set_display(display.NoninteractiveDisplay(nowhere))
