"""Write the credentials of a DNS provider as the file that its plugin of certbot reads; pure. No message shows them."""

from __future__ import annotations

import binascii
import json
import re
from base64 import b64decode
from collections.abc import Mapping

from stackctl.errors import InputError
from stackctl.model.dns_providers import MULTI, Key, Shape, provider_of
from stackctl.model.values import is_ip

_ALGORITHMS = ("HMAC-MD5", "HMAC-SHA1", "HMAC-SHA224", "HMAC-SHA256", "HMAC-SHA384", "HMAC-SHA512")
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]{1,63}\Z")


def questions(provider: str) -> tuple[Key, ...]:
    """Return what is to be answered for a provider; nothing if its credentials are a file as it is."""
    found = provider_of(provider)
    return found.keys if found.shape in {Shape.INI, Shape.AWS} else ()


def from_answers(provider: str, answers: Mapping[str, str]) -> bytes:
    """Return the file of a provider with these answers, by the names of its keys.

    Raises:
        InputError: an answer is missing or wrong.
    """
    found = provider_of(provider)
    values = {key.name: _checked(key, answers.get(key.name, "").strip() or key.default or "") for key in found.keys}
    if provider == "rfc2136":
        _check_tsig(values)
    if found.shape is Shape.AWS:
        return _lines("[default]", *(f"{name} = {value}" for name, value in values.items()))
    prefix = (found.plugin or "").replace("-", "_")
    return _lines(*(f"{prefix}_{name} = {_quoted(name, value)}" for name, value in values.items()))


def from_text(provider: str, text: str) -> bytes:
    """Return the file of a provider whose credentials are given as a whole: a JSON key, or lines ``NAME=VALUE``.

    Raises:
        InputError: it is something else.
    """
    if provider_of(provider).shape is Shape.JSON:
        try:
            whole = isinstance(json.loads(text), dict)
        except ValueError:
            whole = False
        if not whole:
            raise InputError(
                "this is no JSON key of a service account", hint=f"run it with '--provider {provider} < KEY.json'"
            )
        return text.encode()
    pairs = [line.partition("=") for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not pairs or not all(_VARIABLE.match(name.strip()) for name, _, _ in pairs):
        name = provider.removeprefix(MULTI)
        hint = f"the variables are those of https://go-acme.github.io/lego/dns/{name}/, one a line: NAME=VALUE"
        raise InputError("these are no variables", hint=hint)
    head = f"dns_multi_provider = {_quoted('provider', provider.removeprefix(MULTI))}"
    return _lines(head, *(f"{name.strip()} = {_quoted(name, value.strip())}" for name, _, value in pairs))


def _checked(key: Key, value: str) -> str:
    if not value:
        raise InputError(f"there is no {key.question}", hint="type it at the prompt, or in a line of standard input")
    if not value.isprintable():
        raise InputError(f"the {key.question} has a character that cannot be printed", hint="copy it again")
    return value


def _check_tsig(values: dict[str, str]) -> None:
    values["algorithm"] = values["algorithm"].upper()
    if not is_ip(values["server"]):
        raise InputError(f"{values['server']!r} is no IP address", hint="certbot's plugin takes no name for the server")
    if not values["port"].isdigit() or not 0 < int(values["port"]) < 65536:
        raise InputError(f"{values['port']!r} is no port", hint="write a number such as 53")
    if values["algorithm"] not in _ALGORITHMS:
        raise InputError(f"{values['algorithm']!r} is no algorithm", hint=f"known: {', '.join(_ALGORITHMS)}")
    try:
        decoded = b64decode(values["secret"], validate=True)
    except (ValueError, binascii.Error):
        decoded = b""
    if not decoded:
        raise InputError("the secret of the TSIG key is not base64", hint="copy it as 'tsig-keygen' prints it")


def _quoted(name: str, value: str) -> str:
    """Return a value for configobj, which reads lists, comments and variables in bare ones."""
    quote = '"' if '"' not in value else "'"
    if quote in value or "%(" in value:
        raise InputError(f"the value of {name} cannot be written to a file of certbot's", hint="create another token")
    return f"{quote}{value}{quote}"


def _lines(*lines: str) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()
