"""The shape of ``x-stackctl``, at the top of the Compose file and in its services.

The structs are the single source: they are decoded into, they name the known
keys, and the published JSON Schema is made from them.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from stackctl.model.stack import KEEP_OLD_CONNECTIONS
from stackctl.stackfile import balance_keys, certificate_keys
from stackctl.stackfile.access_keys import AccessKeys, ForwardAuthKeys
from stackctl.stackfile.alert_keys import AlertsBlock, AlertsKeys
from stackctl.stackfile.answer_keys import (
    AnswerKeys,
    Canonical,
    Errors,
    InterceptErrors,
    MaintenanceBlock,
    MaintenanceKeys,
    RedirectKeys,
    UnknownKeys,
)
from stackctl.stackfile.behind_keys import BehindBlock, BehindKeys
from stackctl.stackfile.block_keys import BlockBlock, BlockKeys
from stackctl.stackfile.client_keys import ClientCertificateBlock, ClientCertificateKeys
from stackctl.stackfile.dns_keys import Challenge, DnsKeys
from stackctl.stackfile.header_keys import HeadersKeys, HstsKeys, RequestHeadersKeys
from stackctl.stackfile.health_keys import HealthBlock, HealthKeys
from stackctl.stackfile.imported_keys import CertificateKey, ImportedKeys
from stackctl.stackfile.limit_keys import RateLimitKeys
from stackctl.stackfile.stream_keys import StreamKeys
from stackctl.stackfile.tuning_keys import Tunable

Port = Annotated[int, Meta(ge=1, le=65535, description="TCP port the app listens on")]
Domains = Annotated[
    list[str],
    Meta(min_length=1, description="Names of the site; the first names its certificate, the others are aliases"),
]


class ServerTlsKeys(Struct, rename="kebab", forbid_unknown_fields=True, kw_only=True):
    """``upstream-tls``: how the certificate of an app that speaks HTTPS is verified."""

    verify: Annotated[bool, Meta(description="Whether the certificate is verified")] = True
    name: Annotated[str, Meta(description="Name in the app's certificate, if not its host")] | None = None
    ca: Annotated[str, Meta(description="File with root certificates, such as company.ca.pem")] | None = None


Protocol = Annotated[
    Literal["http", "https", "grpc", "grpcs", "h2c"], Meta(description="What the app speaks on its port")
]
UpstreamTls = Annotated[
    ServerTlsKeys | None, Meta(description="How the certificate of an app that speaks HTTPS is verified")
]


class DeployKeys(Struct, rename="kebab", forbid_unknown_fields=True, kw_only=True):
    """``deploy``: how a new image or definition of the service takes the place of the old one."""

    before: (
        Annotated[str | list[str], Meta(description="Command that runs in a one-off container of the new image first")]
        | None
    ) = None
    drain: Annotated[str, Meta(description="How long requests to old containers may go on, such as 30s")] | None = None
    timeout: (
        Annotated[str, Meta(description="How long a new container may take until it is ready, such as 60s")] | None
    ) = None


Path = Annotated[
    str | Annotated[list[str], Meta(min_length=1)] | None,
    Meta(description="Path or paths, each with all that is below it"),
]
Strip = Annotated[bool, Meta(description="The app gets the path without this prefix")]
Texts = str | Annotated[list[str], Meta(min_length=1)]
Fields = Annotated[dict[str, Texts | None], Meta(max_length=20)]


class ConditionKeys(Struct, rename="kebab", forbid_unknown_fields=True, kw_only=True):
    """``not``: conditions of a request; all must hold, each with any of its values."""

    path: Annotated[Texts | None, Meta(description="Prefix, or a regular expression behind '~'")] = None
    method: Annotated[Texts | None, Meta(description="Request method, such as POST")] = None
    header: Annotated[Fields | None, Meta(description="Headers and their values; nothing for any value")] = None
    query: Annotated[Fields | None, Meta(description="Parameters of the query and their values")] = None
    cookie: Annotated[Fields | None, Meta(description="Cookies and their values")] = None
    source: Annotated[Texts | None, Meta(description="Address of the client, or its network")] = None


class MatchKeys(ConditionKeys, rename="kebab", forbid_unknown_fields=True, kw_only=True):
    """``match``: conditions of a request."""

    not_: Annotated[ConditionKeys | None, Meta(description="Conditions that must not all hold")] = msgspec.field(
        name="not", default=None
    )


class BalanceKeys(Tunable, rename="kebab", forbid_unknown_fields=True, kw_only=True):
    """Keys of what passes requests to servers."""

    balance: balance_keys.BalanceWord = None
    hash: balance_keys.Hash = None
    sticky: balance_keys.StickyBlock = False
    canary: balance_keys.CanaryBlock = None
    health: HealthBlock = None


class RouteKeys(BalanceKeys, rename="kebab", forbid_unknown_fields=True, kw_only=True):
    """``routes[]``: what is done with some of the requests of a site."""

    path: Path = None
    exact: Annotated[bool, Meta(description="Only the path itself, and nothing below it")] = False
    match: Annotated[MatchKeys | None, Meta(description="Conditions of a request")] = None
    priority: Annotated[int, Meta(ge=0, le=100000, description="Position, lowest first")] | None = None
    strip: Strip = False
    service: Annotated[str, Meta(description="Compose service that answers")] | None = None
    port: Port | None = None
    upstream: Annotated[str, Meta(description="[https://]HOST:PORT of something outside Compose")] | None = None
    upstreams: balance_keys.Upstreams = None
    protocol: Protocol = "http"
    upstream_tls: UpstreamTls = None
    redirect: Annotated[str, Meta(description="URL or path to redirect to")] | None = None
    code: Annotated[Literal[301, 302, 303, 307, 308] | None, Meta(description="Status of the redirect")] = None
    keep_path: Annotated[bool, Meta(description="Path and query of the request follow the target")] = False
    answer: Annotated[AnswerKeys | None, Meta(description="A fixed response")] = None
    deny: Annotated[Literal["all"] | None, Meta(description="Answer 403")] = None


class SiteKeys(BalanceKeys, rename="kebab", forbid_unknown_fields=True, kw_only=True):
    """Keys of a whole site."""

    challenge: Challenge = None
    canonical: Canonical = None
    errors: Errors = {}
    intercept_errors: InterceptErrors = None
    maintenance: MaintenanceBlock = None
    client_certificate: ClientCertificateBlock = None
    block: BlockBlock = None
    ca: certificate_keys.Ca | None = None
    key_type: certificate_keys.KeyTypeWord | None = None
    rsa_key_size: certificate_keys.RsaKeySize | None = None
    profile: certificate_keys.Profile | None = None


class ServiceKeys(SiteKeys, rename="kebab", forbid_unknown_fields=True, kw_only=True):
    """``services.NAME.x-stackctl``: the site this service answers."""

    domains: Domains
    port: Port
    path: Path = None
    strip: Strip = False
    protocol: Protocol = "http"
    upstream_tls: UpstreamTls = None
    certificate: CertificateKey = None
    deploy: Annotated[
        DeployKeys | None, Meta(description="How a new image or definition takes the place of the old one")
    ] = None
    routes: Annotated[list[RouteKeys], Meta(description="More paths and rules of the site")] = []


class AppKeys(SiteKeys, rename="kebab", forbid_unknown_fields=True, kw_only=True):
    """``x-stackctl.apps[]``: a site outside Compose, or one more site of a service."""

    domains: Domains
    upstream: Annotated[str, Meta(description="[https://]HOST:PORT of something outside Compose")] | None = None
    upstreams: balance_keys.Upstreams = None
    service: Annotated[str, Meta(description="Compose service that answers this site too")] | None = None
    port: Port | None = None
    path: Path = None
    strip: Strip = False
    protocol: Protocol = "http"
    upstream_tls: UpstreamTls = None
    certificate: CertificateKey = None
    routes: Annotated[list[RouteKeys], Meta(description="More paths and rules of the site")] = []


class StackKeys(Tunable, rename="kebab", forbid_unknown_fields=True, kw_only=True):
    """``x-stackctl`` at the top of the file."""

    email: Annotated[str, Meta(description="Contact address of the ACME account")] | None = None
    agree_tos: Annotated[bool, Meta(description="The CA's terms of service are agreed to")] = False
    ca: certificate_keys.Ca = "letsencrypt"
    local_domains: Annotated[list[str], Meta(description="Domains the local CA issues for besides localhost")] = []
    ca_bundle: Annotated[str, Meta(description="PEM file the CA's own TLS is trusted by")] | None = None
    eab_kid: Annotated[str, Meta(description="Key identifier of the CA's external account binding")] | None = None
    key_type: certificate_keys.KeyTypeWord = "ecdsa"
    rsa_key_size: certificate_keys.RsaKeySize = 2048
    profile: certificate_keys.Profile | None = None
    concurrency: Annotated[int, Meta(ge=1, le=100, description="Certificates asked for at once")] | None = None
    certbot_hooks: Annotated[bool, Meta(description="Run the hooks in certbot's tree")] = False
    tls: Literal["modern", "intermediate"] = "intermediate"
    keep_old_connections: Annotated[
        str, Meta(description="How long after a reload a connection of before may stay open, such as 24h")
    ] = KEEP_OLD_CONNECTIONS
    log: Annotated[
        Literal["text", "json"], Meta(description="How the proxy writes requests: as text, or an object in each line")
    ] = "text"
    http3: Annotated[bool, Meta(description="HTTP/3 on the UDP port of HTTPS")] = False
    proxy: str = "nginx"
    apps: Annotated[list[AppKeys], Meta(description="Sites that are not one service's own")] = []
    redirects: Annotated[list[RedirectKeys], Meta(description="Names that are only redirected")] = []
    default: Annotated[
        Literal["close", 404] | UnknownKeys, Meta(description="Answer on port 80 for names that no site has")
    ] = "close"
    errors: Errors = {}
    intercept_errors: InterceptErrors = None
    block: BlockBlock = None
    streams: Annotated[list[StreamKeys], Meta(description="What is passed on without HTTP")] = []
    behind: BehindBlock = None
    alerts: AlertsBlock = None
    dns: Annotated[dict[str, DnsKeys], Meta(description="Zones in which names are proved by DNS-01")] = {}


LISTS: dict[str, type[Struct]] = {
    "apps": AppKeys,
    "routes": RouteKeys,
    "redirects": RedirectKeys,
    "upstreams": balance_keys.UpstreamKeys,
    "streams": StreamKeys,
    "rate-limit": RateLimitKeys,
}
"""The shapes of the items of a list, by its key in any shape."""

MAPPINGS: dict[str, type[Struct]] = {"dns": DnsKeys}
"""The shapes of the values of a mapping with any keys, by its key."""

BLOCKS: dict[str, type[Struct]] = {
    "upstream-tls": ServerTlsKeys,
    "rate-limit": RateLimitKeys,
    "headers": HeadersKeys,
    "block": BlockKeys,
    "hsts": HstsKeys,
    "access": AccessKeys,
    "client-certificate": ClientCertificateKeys,
    "forward-auth": ForwardAuthKeys,
    "request": RequestHeadersKeys,
    "match": MatchKeys,
    "not": ConditionKeys,
    "answer": AnswerKeys,
    "deploy": DeployKeys,
    "health": HealthKeys,
    "sticky": balance_keys.StickyKeys,
    "canary": balance_keys.CanaryKeys,
    "maintenance": MaintenanceKeys,
    "default": UnknownKeys,
    "certificate": ImportedKeys,
    "behind": BehindKeys,
    "alerts": AlertsKeys,
}
"""The shapes of mappings inside others, by their key in any shape."""


@lru_cache
def known_keys(shape: type[Struct]) -> list[str]:
    """Return the keys of ``shape``, as written in the file."""
    return [field.encode_name for field in msgspec.structs.fields(shape)]
