"""``init``."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stackctl.cli.options import (
    HERE,
    WAIT_SECONDS,
    Directory,
    DryRun,
    Email,
    Force,
    Output,
    OutputFormat,
    Verbose,
    Wait,
    parsed,
    whole_number,
)
from stackctl.errors import InputError
from stackctl.model import endpoints, values
from stackctl.model.acme import LOCAL, KeyType
from stackctl.model.edge import Front
from stackctl.wording import listed

if TYPE_CHECKING:
    from stackctl.engine.context import Context
    from stackctl.usecases.result import Result


def init(
    directory: Directory = HERE,
    email: Email = None,
    agree_tos: Annotated[bool, typer.Option("--agree-tos", help="Agree to the CA's terms of service.")] = False,
    ca: Annotated[
        str | None,
        typer.Option(
            metavar="letsencrypt|letsencrypt-staging|local|URL",
            help="CA that issues the certificates. [default: letsencrypt]",
        ),
    ] = None,
    ca_bundle: Annotated[
        Path | None, typer.Option(metavar="FILE", help="PEM file with the root certificates of a private CA.")
    ] = None,
    eab_kid: Annotated[
        str | None, typer.Option(metavar="KID", help="Key identifier of the CA's external account binding.")
    ] = None,
    eab_hmac_key_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="File with the HMAC key of the external account binding.")
    ] = None,
    staging: Annotated[bool, typer.Option("--staging", help="Same as --ca letsencrypt-staging.")] = False,
    local: Annotated[
        bool, typer.Option("--local", help="Same as --ca local: a CA of the stack's own, for development.")
    ] = False,
    local_domain: Annotated[
        list[str] | None,
        typer.Option(metavar="DOMAIN", help="A further domain that the local CA issues for. Repeatable."),
    ] = None,
    new_root: Annotated[bool, typer.Option("--new-root", help="Replace the local CA by a new one.")] = False,
    key_type: Annotated[
        KeyType | None, typer.Option(metavar="ecdsa|rsa", help="Key type of the certificates. [default: ecdsa]")
    ] = None,
    rsa_key_size: Annotated[
        int | None,
        typer.Option(metavar="2048|3072|4096", parser=whole_number, help="Size of RSA keys in bits. [default: 2048]"),
    ] = None,
    http: Annotated[
        str | None, typer.Option(metavar="[ADDRESS:]PORT", help="Address and port to publish HTTP at. [default: 80]")
    ] = None,
    https: Annotated[
        str | None, typer.Option(metavar="[ADDRESS:]PORT", help="Address and port to publish HTTPS at. [default: 443]")
    ] = None,
    proxy: Annotated[str | None, typer.Option(metavar="NAME", help="nginx or haproxy. [default: nginx]")] = None,
    proxy_image: Annotated[
        str | None,
        typer.Option(
            "--proxy-image",
            "--nginx-image",
            metavar="IMAGE",
            help="Image of the proxy. [default: nginx:1.30 or haproxy:3.2]",
        ),
    ] = None,
    certbot_image: Annotated[
        str | None, typer.Option(metavar="IMAGE", help="Image of certbot. [default: certbot/certbot:v5.6.0]")
    ] = None,
    behind: Annotated[
        Front | None,
        typer.Option(
            metavar="alb|cloudflare|nlb", help="Load balancer or CDN in front; by default no peer is trusted."
        ),
    ] = None,
    trusted: Annotated[
        list[str] | None,
        typer.Option(metavar="NETWORK", help="Network of that load balancer, which is believed. Repeatable."),
    ] = None,
    force: Force = False,
    output: Output = OutputFormat.TEXT,
    dry_run: DryRun = False,
    verbose: Verbose = False,
    wait: Wait = WAIT_SECONDS,
) -> None:
    """Create a stack in this directory, and start its proxy. Existing settings are kept."""
    from stackctl.cli.run import Common, run
    from stackctl.usecases import init as usecase
    from stackctl.usecases.init_behind import behind_keys

    def options() -> usecase.InitOptions:
        chosen = {ca} - {None} | ({"letsencrypt-staging"} if staging else set()) | ({LOCAL} if local else set())
        if len(chosen) > 1:
            raise InputError(
                f"{listed(sorted(map(str, chosen)))} are different CAs", where="--staging" if staging else "--local"
            )
        if rsa_key_size not in {None, 2048, 3072, 4096}:
            raise InputError(f"{rsa_key_size} is not one of 2048, 3072 and 4096", where="--rsa-key-size")
        if rsa_key_size and key_type is KeyType.ECDSA:
            raise InputError("cannot be combined with --key-type ecdsa", where="--rsa-key-size")
        asked = usecase.InitOptions(
            email=parsed("--email", values.email, email),
            agree_tos=True if agree_tos else None,
            ca=parsed("--ca", usecase.ca_name, next(iter(chosen), None)),
            ca_bundle=ca_bundle,
            eab_kid=parsed("--eab-kid", values.eab_kid, eab_kid),
            eab_hmac_key_file=eab_hmac_key_file,
            key_type=KeyType.RSA if rsa_key_size else key_type,
            rsa_key_size=rsa_key_size,
            http=parsed("--http", endpoints.port_binding, http),
            https=parsed("--https", endpoints.port_binding, https),
            proxy=proxy,
            proxy_image=parsed("--proxy-image", values.image, proxy_image),
            certbot_image=parsed("--certbot-image", values.image, certbot_image),
            local_domains=tuple(
                filter(None, (parsed("--local-domain", values.local_domain, one) for one in local_domain or ()))
            ),
            new_root=new_root,
            behind=behind_keys(behind, trusted or ()),
        )
        usecase.read_bundle(asked)
        usecase.read_eab_key(asked)
        return asked

    def action(context: Context) -> Result[None]:
        asked = options()
        begins = context.directory.stackfile() is None and asked.ca != LOCAL
        if begins and output is OutputFormat.TEXT and not dry_run:
            asked = replace(asked, email=asked.email or _ask_email(), agree_tos=asked.agree_tos or _ask_terms())
        return usecase.init(context, asked, check=not force, dry_run=dry_run)

    common = Common("init", directory, output, verbose, None if dry_run else wait, makes_directory=True)
    run(common, action, check=options)


def _ask_email() -> str | None:
    """Prompt for the optional address, if there is a terminal."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return None
    answer = typer.prompt("E-mail address for the CA (empty for none)", default="", show_default=False)
    return parsed("--email", values.email, answer or None)


def _ask_terms() -> bool | None:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return None
    return typer.confirm("Do you agree to the CA's terms of service?", default=False)
