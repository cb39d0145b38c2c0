"""The services that stackctl writes into a Compose file, as unindented YAML blocks."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stackctl.model.acme import KeyType
from stackctl.model.layout import (
    CA,
    CA_BUNDLE,
    CERTBOT_CONF,
    CERTBOT_MOUNTS,
    CHAIN,
    CHECKED,
    CLI_INI,
    DNS,
    DNS_PLUGIN,
    FAILED,
    FULLCHAIN,
    HOOK,
    INTERVAL,
    LINEAGES,
    PRIVKEY,
    PROXY_MOUNT,
    RENEWALS,
    SCHEMA,
    STAMPS,
    SUCCEEDED,
    WATCH_SCRIPT,
    Place,
)
from stackctl.model.matching import EVERY_PATH, PathMatch
from stackctl.model.values import Domain
from stackctl.stackfile.document import Document
from stackctl.templates import compose_quote, render, yaml_quote

Value = str | int | Sequence["Value"] | Mapping[str, "Value"]
"""A value of a key of ``x-stackctl``."""

DEFAULT_CERTBOT_IMAGE = "certbot/certbot:v5.6.0"
HERE = "."
"""The stack's directory where it is Compose's project directory too, as it is for most."""

TRUST = ("REQUESTS_CA_BUNDLE", CA_BUNDLE.mount)
"""The variable by which certbot trusts a CA, and its value in the container."""

FINDS_PLUGIN = ("PYTHONPATH", DNS_PLUGIN.mount)
"""The variable by which certbot finds its plugin for DNS-01, and its value in the container."""

_PLAIN_PATH = re.compile(r"/[A-Za-z0-9/._~-]*\Z")

_PLAIN_KEY = re.compile(r"[A-Za-z][A-Za-z0-9-]*\Z")

_FIRST_KEYS = (
    "entrypoint",
    "stop_signal",
    "volumes",
    "read_only",
    "tmpfs",
    "cap_drop",
    "cap_add",
    "security_opt",
    "healthcheck",
)
"""Those of the first version: the digests that it wrote are of all of them, whether a service has them or not."""

OWNED_KEYS = (*_FIRST_KEYS,)
"""Keys of its services that stackctl keeps up to date; all others belong to the user."""


def certbot_block(  # noqa: PLR0913  (one argument for each thing that varies)
    service: str, image: str, *, proxy: str, with_bundle: bool, with_dns: bool = False, base: str = HERE
) -> str:
    """Return the certbot service; ``with_bundle`` makes it trust :data:`CA_BUNDLE`, ``with_dns`` find :data:`DNS`.

    ``proxy`` is the directory of the proxy, and ``base`` that of the stack, relative to Compose's project directory.
    """
    variables = [*([TRUST] if with_bundle else []), *([FINDS_PLUGIN] if with_dns else [])]
    return signed(
        "compose/certbot.yml.j2",
        service,
        image=image,
        variables=variables,
        base=base,
        mounts=CERTBOT_MOUNTS,
        read_only=(CA, *([DNS] if with_dns else []), Place(proxy, PROXY_MOUNT)),
        watch=WATCH_SCRIPT.mount,
        conf=CERTBOT_CONF.mount,
        ini=CLI_INI,
        chain=CHAIN,
        fullchain=FULLCHAIN,
        key=PRIVKEY,
        lineages=LINEAGES,
        renewals=RENEWALS,
        stamps=STAMPS.mount,
        hook=HOOK.mount,
        **{stamp.name: stamp.name for stamp in (CHECKED, SUCCEEDED, FAILED, INTERVAL)},
    )


def signed(template: str, service: str, **values: object) -> str:
    """Return the service of a template with a label that shows whether the user has changed it later."""
    return signed_block(service, lambda written: render(template, service=service, written=written, **values))


def signed_block(service: str, block: Callable[[str | None], str]) -> str:
    """Return the service that ``block`` writes given the value of that label, None for one without it."""
    return block(owned_digest(Document.parse(block(None), service).data((service,))))


def settings_block(  # noqa: PLR0913  (one argument for each key)
    *,
    email: str | None,
    agree_tos: bool,
    ca: str,
    ca_bundle: str | None,
    eab_kid: str | None,
    key_type: KeyType,
    key_size: int,
    proxy: str | None = None,
    local_domains: Sequence[str] = (),
    behind: Mapping[str, str | bool | Sequence[str]] | None = None,
) -> str:
    """Return the mapping under the top-level ``x-stackctl``."""
    return render(
        "compose/settings.yml.j2",
        email=email,
        agree_tos=agree_tos,
        ca=ca,
        ca_bundle=ca_bundle,
        eab_kid=eab_kid,
        key_type=key_type.value,
        rsa_key_size=key_size,
        proxy=proxy,
        local_domains=local_domains,
    ) + (render_mapping("behind", behind) if behind else "")


def route_block(domains: Sequence[Domain], port: int, path: PathMatch = EVERY_PATH, *, strip: bool = False) -> str:
    """The ``x-stackctl`` of a service that answers ``path`` of ``domains`` on ``port``."""
    return render("compose/route.yml.j2", domains=domains, port=port, path=_path_text(path), strip=strip)


@dataclass(frozen=True, slots=True)
class ServiceParts:
    """What a new service is made of.

    Attributes:
        environment: its variables, with their values.
        volumes: its mounts, in Compose's short form.
    """

    image: str
    env_file: str | None = None
    environment: tuple[tuple[str, str], ...] = ()
    volumes: tuple[str, ...] = ()


def app_block(  # noqa: PLR0913  (one argument for each key)
    service: str,
    parts: ServiceParts,
    domains: Sequence[Domain],
    port: int,
    path: PathMatch = EVERY_PATH,
    *,
    strip: bool = False,
) -> str:
    """Return a new service with its route."""
    route = route_block(domains, port, path, strip=strip)
    return render("compose/app.yml.j2", service=service, parts=parts, port=port, route=route)


def canary_block(canary: str, service: str, image: str) -> str:
    """Return a service that is like ``service``, but for its image."""
    return render("compose/canary.yml.j2", canary=canary, service=service, image=image)


def outside_block(  # noqa: PLR0913  (one argument for each key)
    domains: Sequence[Domain],
    *,
    upstream: str | None,
    service: str | None,
    port: int | None,
    path: PathMatch = EVERY_PATH,
    strip: bool = False,
) -> str:
    """Return one item of the top-level ``apps`` list."""
    return render(
        "compose/outside.yml.j2",
        domains=domains,
        upstream=upstream,
        service=service,
        port=port,
        path=_path_text(path),
        strip=strip,
    )


def _path_text(path: PathMatch) -> str | None:
    """Return a path as YAML; None for that of everything, which needs no key."""
    if path == EVERY_PATH:
        return None
    return path.text if _PLAIN_PATH.match(path.text) else compose_quote(path.text)


def redirect_block(names: Sequence[Domain], to: str, code: int, *, keep_path: bool) -> str:
    """Return one item of the top-level ``redirects`` list."""
    return render("compose/redirect.yml.j2", names=names, to=to, code=code, keep_path=keep_path)


def stackfile(settings: str, services: Sequence[str], schema: str = SCHEMA) -> str:
    """Return a new docker-compose.yml; ``schema`` is the path from it to its JSON Schema."""
    return render("compose/docker-compose.yml.j2", settings=settings, services=services, schema=schema)


def owned_digest(service: Mapping[str, Any]) -> str:
    """Return a digest of the keys stackctl keeps up to date in a service."""
    owned = {key: service.get(key) for key in OWNED_KEYS if key in _FIRST_KEYS or key in service}
    return hashlib.sha256(json.dumps(owned, sort_keys=True, default=str).encode()).hexdigest()[:12]


def render_value(value: Value) -> str:
    """Return a value of ``x-stackctl`` as YAML in one line."""
    if isinstance(value, (str, int)):
        return yaml_quote(value) if isinstance(value, str) else json.dumps(value)
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_key(key)}: {render_value(one)}' for key, one in value.items())}}}"
    return f"[{', '.join(map(render_value, value))}]"


def _key(text: str) -> str:
    return text if _PLAIN_KEY.match(text) else yaml_quote(text)


def render_entry(key: str, value: Value) -> str:
    """Return a key of ``x-stackctl`` as YAML; a list of mappings has a line for each of them."""
    if isinstance(value, Sequence) and not isinstance(value, str) and any(isinstance(one, Mapping) for one in value):
        return f"{key}:\n" + "".join(f"  - {render_value(one)}\n" for one in value)
    return f"{key}: {render_value(value)}\n"


def render_mapping(key: str, values: Mapping[str, str | bool | Sequence[str]]) -> str:
    """Return a mapping of ``x-stackctl`` with a line for each of its keys."""
    return f"{key}:\n" + "".join(f"  {name}: {render_value(value)}\n" for name, value in values.items())


def entry_of(block: str, service: str, key: str) -> str | None:
    """Return the lines of one key of a rendered service, unindented, or None."""
    doc = Document.parse(block, service)
    keys = doc.own_keys((service,))
    starts = [doc.line_of(node.start_mark.index) for node in keys]
    for node, start, end in zip(keys, starts, [*starts[1:], len(doc.lines)], strict=True):
        if node.value == key:
            lines = [line for line in doc.lines[start:end] if not line.startswith("  #")]
            return "".join(line.removeprefix("  ") for line in lines)
    return None
