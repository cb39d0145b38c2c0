"""The DNS providers that certbot has plugins for: as data.

The keys of the credentials are those that the sources on PyPI ask for (``_configure_credentials``), read in these
releases: certbot's own 5.8.0; bunny 3.0.0, cloudns 0.7.0, desec 1.3.2, certbot-plugin-gandi 1.5.2, hetzner 4.0.0,
hetzner-cloud 1.1.0, infomaniak 0.3.3, ionos 2024.11.9, netcup 2.1.0, vultr 1.1.0, multi 5.5.1.
``multi:NAME`` is the provider NAME of the plugin ``certbot-dns-multi``, which has those of lego. The plugins for
DuckDNS and Porkbun are not here: they find the record by the site's name and not by what it is an alias of; lego does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

HOOK = "hook"
"""The provider that is two commands of the user's."""

MULTI = "multi:"
"""The beginning of the name of a provider of lego's."""

AUTHENTICATOR = "dns-stackctl"
"""certbot's name of the authenticator that stackctl writes for it."""


class Shape(StrEnum):
    """What a file with credentials is."""

    INI = "ini"
    """Keys that begin with the plugin's name."""

    AWS = "aws"
    """The shared credentials of AWS."""

    JSON = "json"
    """The key of a service account of Google's, as it is downloaded."""

    ENVIRONMENT = "environment"
    """The variables that lego documents for a provider."""


@dataclass(frozen=True, slots=True)
class Key:
    """One value of the credentials: its name in the file, the question for it, and its value without an answer."""

    name: str
    question: str
    secret: bool = True
    default: str | None = None


@dataclass(frozen=True, slots=True)
class Provider:
    """A DNS provider.

    Attributes:
        plugin: certbot's name of its plugin; None for the user's own commands.
        package: the package on PyPI.
        image: the image that has certbot with the plugin, without its tag, or None.
        variables: the variables by which a library of the plugin finds the file.
    """

    plugin: str | None
    package: str = ""
    image: str | None = None
    keys: tuple[Key, ...] = ()
    shape: Shape = Shape.INI
    variables: tuple[str, ...] = ()


def _official(name: str, *keys: Key, shape: Shape = Shape.INI) -> Provider:
    """Return a provider whose plugin is released with certbot."""
    variables = ("AWS_SHARED_CREDENTIALS_FILE",) if shape is Shape.AWS else ()
    return Provider(f"dns-{name}", f"certbot-dns-{name}", f"certbot/dns-{name}", keys, shape, variables)


def _other(name: str, *keys: Key) -> Provider:
    """Return a provider whose plugin somebody else maintains."""
    return Provider(f"dns-{name}", f"certbot-dns-{name}", keys=keys)


_TOKEN = Key("api_token", "API token")
_ALGORITHMS = "algorithm of the TSIG key"

PROVIDERS: Mapping[str, Provider] = {
    "cloudflare": _official("cloudflare", Key("api_token", "API token with the permission Zone:DNS:Edit of the zone")),
    "digitalocean": _official("digitalocean", Key("token", "personal access token")),
    "dnsimple": _official("dnsimple", Key("token", "account access token")),
    "dnsmadeeasy": _official("dnsmadeeasy", Key("api_key", "API key"), Key("secret_key", "secret key")),
    "gehirn": _official("gehirn", Key("api_token", "API token"), Key("api_secret", "API secret")),
    "google": _official("google", Key("json", "JSON key of the service account"), shape=Shape.JSON),
    "linode": _official("linode", Key("key", "personal access token")),
    "luadns": _official(
        "luadns", Key("email", "e-mail address of the account", secret=False), Key("token", "API token")
    ),
    "nsone": _official("nsone", Key("api_key", "API key")),
    "ovh": _official(
        "ovh",
        Key("endpoint", "endpoint", secret=False, default="ovh-eu"),
        Key("application_key", "application key"),
        Key("application_secret", "application secret"),
        Key("consumer_key", "consumer key"),
    ),
    "rfc2136": _official(
        "rfc2136",
        Key("server", "address of the primary name server", secret=False),
        Key("port", "its port", secret=False, default="53"),
        Key("name", "name of the TSIG key", secret=False),
        Key("algorithm", _ALGORITHMS, secret=False, default="HMAC-SHA256"),
        Key("secret", "secret of the TSIG key"),
    ),
    "route53": _official(
        "route53",
        Key("aws_access_key_id", "access key id", secret=False),
        Key("aws_secret_access_key", "secret access key"),
        shape=Shape.AWS,
    ),
    "sakuracloud": _official("sakuracloud", Key("api_token", "API token"), Key("api_secret", "API secret")),
    "bunny": _other("bunny", Key("api_key", "API key")),
    "cloudns": _other(
        "cloudns",
        Key("auth_id", "id of the API user", secret=False),
        Key("auth_password", "API password"),
    ),
    "desec": _other("desec", Key("token", "API token")),
    "gandi": Provider("dns-gandi", "certbot-plugin-gandi", keys=(Key("token", "personal access token"),)),
    "hetzner": _other("hetzner", Key("api_token", "API token of the project in Hetzner's console")),
    "hetzner-cloud": _other("hetzner-cloud", _TOKEN),
    "infomaniak": _other("infomaniak", Key("token", "API token")),
    "ionos": _other(
        "ionos",
        Key("prefix", "public prefix of the API key", secret=False),
        Key("secret", "secret of the API key"),
        Key("endpoint", "address of the API", secret=False, default="https://api.hosting.ionos.com"),
    ),
    "netcup": _other(
        "netcup",
        Key("customer_id", "customer number", secret=False),
        Key("api_key", "API key"),
        Key("api_password", "API password"),
    ),
    "vultr": _other("vultr", Key("key", "API key")),
    HOOK: Provider(None),
}
"""By the name that ``provider`` has."""

_LEGO = Provider("dns-multi", "certbot-dns-multi", shape=Shape.ENVIRONMENT)


def provider_of(name: str) -> Provider:
    """Return the provider of a checked name."""
    return _LEGO if name.startswith(MULTI) else PROVIDERS[name]


def how_to_install(name: str, service: str) -> str:
    """Return the lines of the Compose file with which the certbot service has the plugin."""
    provider = provider_of(name)
    if provider.image is not None:
        return f"in the service {service}: 'image: {provider.image}:v5.6.0', then 'stackctl up'"
    run = f"FROM certbot/certbot:v5.6.0\\nRUN pip install {provider.package}"
    build = f'build: {{dockerfile_inline: "{run}"}}'
    return f"in the service {service}, in the place of 'image': '{build}', then 'stackctl up'"
