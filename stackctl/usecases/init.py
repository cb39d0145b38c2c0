"""``stackctl init``: creates a stack in a directory, or adds the missing parts of one."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path as FilePath
from typing import Any

from cryptography import x509

from stackctl.adapters.disk.files import input_errors
from stackctl.engine.context import Context
from stackctl.errors import InputError
from stackctl.model import values
from stackctl.model.acme import CA_NAMES, LOCAL, KeyType
from stackctl.model.endpoints import HTTP_PORT, HTTPS_PORT, PortBinding
from stackctl.model.layout import CA_BUNDLE, SCHEMA
from stackctl.plan.ignore_files import uncovered_lines
from stackctl.plan.intent import Intent
from stackctl.proxies.proxy import Proxy
from stackctl.proxies.registry import DEFAULT
from stackctl.reading import read_regular
from stackctl.stackfile import edit, services
from stackctl.stackfile.document import Document
from stackctl.stackfile.flow import text_of
from stackctl.stackfile.json_schema import editor_schema_file
from stackctl.stackfile.keys import KEY
from stackctl.stackfile.locate import refuse_foreign_keys
from stackctl.stackfile.read import read_keys, service_with_role
from stackctl.stackfile.siblings import included
from stackctl.usecases.converge import Loaded, converge, interpolated, load, refuse_unknown_proxy
from stackctl.usecases.refresh import refreshed_service, with_variable
from stackctl.usecases.result import Result


@dataclass(frozen=True, slots=True)
class InitOptions:
    """The options of the command, validated; None is an option that was not given."""

    email: str | None = None
    agree_tos: bool | None = None
    ca: str | None = None
    ca_bundle: FilePath | None = None
    eab_kid: str | None = None
    eab_hmac_key_file: FilePath | None = None
    key_type: KeyType | None = None
    rsa_key_size: int | None = None
    http: PortBinding | None = None
    https: PortBinding | None = None
    proxy_image: str | None = None
    certbot_image: str | None = None
    proxy: str | None = None
    local_domains: tuple[str, ...] = ()
    new_root: bool = False
    behind: Mapping[str, str | bool | Sequence[str]] | None = None

    def settings(self) -> dict[str, Any]:
        """Return the keys of ``x-stackctl`` that the options set."""
        asked = {
            "email": self.email,
            "agree-tos": self.agree_tos,
            "ca": self.ca,
            "ca-bundle": CA_BUNDLE.path if self.ca_bundle else None,
            "eab-kid": self.eab_kid,
            "key-type": self.key_type.value if self.key_type else None,
            "rsa-key-size": self.rsa_key_size,
            "proxy": self.proxy,
            "local-domains": list(self.local_domains) or None,
            "behind": self.behind,
        }
        return {key: value for key, value in asked.items() if value is not None}


def ca_name(text: str) -> str:
    """Return ``text`` if it is the name of a CA or the URL of an ACME directory."""
    return text if text in {*CA_NAMES, LOCAL} else values.ca_directory(text)


def init(context: Context, options: InitOptions, *, check: bool = True, dry_run: bool = False) -> Result[None]:
    """Create the stack, or add its missing parts; existing settings are not changed.

    Raises:
        InputError: an option contradicts the Compose file.
    """
    if options.proxy is not None and options.proxy not in context.proxies:
        hint = f"use one of: {', '.join(context.proxies)}"
        raise InputError(f"unknown proxy {options.proxy!r}", field="proxy", hint=hint)
    asked = options.settings()
    bundle, key = read_bundle(options), read_eab_key(options)
    text = context.directory.stackfile()
    if text is None:
        doc = Document.parse(_new(context, options), context.directory.files.name)
    else:
        there = Document.parse(text, context.directory.files.name)
        refuse_foreign_keys(context.directory.files, included(there.data(("include",))))
        doc = _completed(context, there, options, asked)
    loaded = load(context, doc, text)
    asked_key = None if key == context.directory.eab_key() else key
    if options.new_root:
        _refuse_without_local_ca(loaded)
    schema = editor_schema_file(tuple(context.proxies))
    intent = Intent(check=check, ca_bundle=bundle, eab_key=asked_key, schema=schema, new_root=options.new_root)
    result = converge(context, "init", loaded, intent, dry_run=dry_run)
    again = ("run 'stackctl trust' again wherever the earlier root was trusted",) if options.new_root else ()
    result = replace(result, notes=(*result.notes, *_uncovered(context), *again))
    if loaded.stack.acme.agree_tos or loaded.stack.acme.local or loaded.stack.proxy.https is None:
        return result
    note = "no certificate can be issued: agree to the CA's terms of service with 'stackctl init --agree-tos'"
    return replace(result, notes=(*result.notes, note))


def _refuse_without_local_ca(loaded: Loaded) -> None:
    """Refuse a new root of a CA that issues for no site.

    Raises:
        InputError: no site uses the local CA.
    """
    if not loaded.stack.has_local_ca:
        hint = "write 'ca: local' in x-stackctl, or run 'stackctl init --local' in a new directory"
        raise InputError("this stack has no local CA", field="new_root", hint=hint)


def _uncovered(context: Context) -> Iterator[str]:
    """Name the folders with private keys that an ignore file of the user's does not keep out."""
    for path, lines in uncovered_lines(context.directory.ignore_files()).items():
        yield f"{path} is yours, and unchanged: to keep private keys out, add to it: {' '.join(lines)}"


def _new(context: Context, options: InitOptions) -> str:
    _refuse_one_place(options)
    settings = services.settings_block(
        email=options.email,
        agree_tos=bool(options.agree_tos),
        ca=options.ca or "letsencrypt",
        ca_bundle=CA_BUNDLE.path if options.ca_bundle else None,
        eab_kid=options.eab_kid,
        key_type=options.key_type or KeyType.ECDSA,
        key_size=options.rsa_key_size or 2048,
        proxy=options.proxy,
        local_domains=options.local_domains,
        behind=options.behind,
    )
    proxy = context.proxies[options.proxy or DEFAULT]
    with_bundle = bool(options.ca_bundle)
    base = context.directory.base
    blocks = [_block(proxy, role, name, options, base, with_bundle=with_bundle) for role, name in _roles(proxy).items()]
    schema = os.path.relpath(context.directory.root / SCHEMA, context.directory.files.main.parent)
    return services.stackfile(settings, blocks, schema)


def _ports(options: InitOptions) -> tuple[PortBinding, PortBinding]:
    """Return the ports at which a new proxy publishes HTTP and HTTPS."""
    return options.http or PortBinding(None, HTTP_PORT), options.https or PortBinding(None, HTTPS_PORT)


def _refuse_one_place(options: InitOptions) -> None:
    http, https = _ports(options)
    if http.meets(https):
        raise InputError(
            f"HTTP at {http} and HTTPS at {https} are published at the same address and port",
            field="https" if options.https else "http",
            hint="publish them at two different ports",
        )


def _roles(proxy: Proxy) -> dict[str, str]:
    """Return the roles of a stack's services, with the default name for each."""
    return {"proxy": proxy.name, "certbot": "certbot"}


def _block(  # noqa: PLR0913  (one service in one file)
    proxy: Proxy, role: str, name: str, options: InitOptions, base: str, *, with_bundle: bool, with_dns: bool = False
) -> str:
    if role == "proxy":
        http, https = _ports(options)
        terminated = (options.behind or {}).get("tls") is not None and options.https is None
        image = options.proxy_image or proxy.default_image
        return proxy.service(name, image, http, None if terminated else https, base)
    image = options.certbot_image or services.DEFAULT_CERTBOT_IMAGE
    return services.certbot_block(
        name, image, proxy=proxy.layout.directory, with_bundle=with_bundle, with_dns=with_dns, base=base
    )


def _completed(context: Context, doc: Document, options: InitOptions, asked: dict[str, Any]) -> Document:
    doc = _with_settings(context, doc, asked)
    base = context.directory.base
    with_bundle, with_dns = doc.data((KEY, "ca-bundle")) is not None, bool(doc.data((KEY, "dns")))
    kind = read_keys(interpolated(context, doc)).proxy
    refuse_unknown_proxy(context, doc, kind)
    proxy = context.proxies[kind]
    for role, name in _roles(proxy).items():
        written = service_with_role(doc, role)
        block = _block(proxy, role, written or name, options, base, with_bundle=with_bundle, with_dns=with_dns)
        if written is None:
            if doc.entry(("services", name)) is not None:
                raise InputError(
                    f"the service {name} already exists, and stackctl did not write it",
                    where=doc.where_of(("services", name)),
                    hint="rename it: stackctl adds its own services for the proxy and certbot",
                )
            doc = edit.add_entry(doc, ("services",), block)
        else:
            _refuse_contradiction(doc, role, written, doc.data(("services", written)), options)
            doc, edited = refreshed_service(doc, written, block, base)
            if edited:
                where = doc.where_of(("services", written))
                context.report.note(f"{where}: the service {written} was edited by hand and is left unchanged")
            if role == "certbot" and with_bundle:
                doc = with_variable(doc, written, services.TRUST)
            if role == "certbot" and with_dns:
                doc = with_variable(doc, written, services.FINDS_PLUGIN)
    return doc


def _with_settings(context: Context, doc: Document, asked: dict[str, Any]) -> Document:
    there = interpolated(context, doc).data((KEY,)) or {}
    for key, value in asked.items():
        if key not in there:
            whole = isinstance(value, dict)
            entry = services.render_mapping(key, value) if whole else f"{key}: {services.render_value(value)}\n"
            doc = edit.add_entry(doc, (KEY,), entry)
        elif there[key] != value:
            # Agreement is the one setting that init may change after it was written.
            if key == "agree-tos" and value is True:
                doc = edit.replace(doc, (KEY, key), "agree-tos: true\n")
                continue
            raise InputError(
                f"{key} is already set to {text_of(there[key])}, not {text_of(value)}",
                where=doc.where_of((KEY, key)),
                hint="edit that line and run 'stackctl up'",
            )
    return doc


def _refuse_contradiction(doc: Document, role: str, name: str, body: dict[str, Any], options: InitOptions) -> None:
    image = options.proxy_image if role == "proxy" else options.certbot_image
    if image is not None and body.get("image") != image:
        raise InputError(
            f"the image of {name} is already set to {body.get('image')!r}",
            where=doc.where_of(("services", name, "image")),
            hint="edit that line and run 'stackctl up'",
        )
    ports = {HTTP_PORT: options.http, HTTPS_PORT: options.https} if role == "proxy" else {}
    for target, at in ports.items():
        if at is not None and f"{at}:{target}" not in [str(port) for port in body.get("ports") or []]:
            raise InputError(
                f"{name} already exists and does not publish {at}:{target}",
                where=doc.where_of(("services", name, "ports")),
                hint="edit its ports and run 'stackctl up'",
            )


def read_bundle(options: InitOptions) -> bytes | None:
    """Return the content of the CA bundle, or None if none is given.

    Raises:
        InputError: the file contains no PEM certificate.
    """
    path = options.ca_bundle
    if path is None:
        return None
    with input_errors("ca_bundle"):
        content = read_regular(path)
    try:
        x509.load_pem_x509_certificates(content)
    except ValueError as error:
        raise InputError(f"{path} contains no PEM certificate", field="ca_bundle") from error
    return content


def read_eab_key(options: InitOptions) -> str | None:
    """Return the key of the external account binding, or None if none is given.

    Raises:
        InputError: the file contains no such key, or only one part of the binding is given.
    """
    kid, path = options.eab_kid, options.eab_hmac_key_file
    if kid is None and path is None:
        return None
    if kid is None or path is None:
        raise InputError(
            "an external account binding needs both a key identifier and a key: one of them is missing",
            field="eab_kid" if path is None else "eab_hmac_key_file",
            hint="the CA provides both together",
        )
    with input_errors("eab_hmac_key_file"):
        content = read_regular(path)
    try:
        return values.eab_hmac_key(content.decode("ascii", "replace").strip())
    except InputError as error:
        raise error.of("eab_hmac_key_file") from None
