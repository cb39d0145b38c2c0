"""Every path of a stack, on the host and in its containers.

Paths on the host are relative to the stack's directory; a :class:`Place` is one that containers mount too.
Who writes what: the user the proxy's ``custom``, certbot its own tree and the webroot, stackctl the rest; the verified
pairs and the stamps are written by both.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """A path that containers see.

    Attributes:
        path: on the host.
        mount: in every container that has it.
    """

    path: str
    mount: str

    def __truediv__(self, name: str) -> Place:
        """Return a path below this one."""
        return Place(f"{self.path}/{name}", f"{self.mount}/{name}")

    @property
    def name(self) -> str:
        """The last part of both paths."""
        return self.path.rpartition("/")[2]


# stackctl's own state, which no container sees

STATE = ".stackctl"
LOCK = f"{STATE}/lock"
LEDGER = f"{STATE}/ledger"
HISTORY = f"{STATE}/history"
ALERTS_SENT = f"{STATE}/alerts.json"
"""What receivers were sent that only the host reaches."""

RESPONSES = f"{STATE}/responses.json"
"""The responses that were counted for metrics, and until when."""

RESTORE = f"{STATE}/restore"
"""The progress and the staged files of a restore."""

SCHEMA = f"{STATE}/compose.schema.json"
"""The JSON Schema for editors; the Compose file has a comment that points to it."""

USER_CACHE = ".cache"
"""The cache folder below the home of a user without one of their own (XDG Base Directory Specification)."""

CACHE = "stackctl"
"""The folder below the user's cache that all stacks share."""

VERSIONS_CACHE = "images.json"


def lineages_cache(digest: str) -> str:
    """Return the cache file for the certbot tree of the stack whose path has this digest."""
    return f"lineages-{digest[:16]}.json"


# Certificates

CERTS = "data/certs"
"""Dummies and imported certificates, a folder for each site; no container sees them."""

OLD_CERTS_MOUNT = "/etc/stackctl/certs"
"""Where the proxy's container of an earlier version saw :data:`CERTS`; a user's own directive can name it."""

FULLCHAIN = "fullchain.pem"
PRIVKEY = "privkey.pem"
CHAIN = "chain.pem"
SOURCE = "source"
"""The name of the issuer, next to a certificate that is neither a dummy nor imported."""

CA = Place("data/ca", "/etc/stackctl/ca")
CA_BUNDLE = CA / "bundle.pem"
"""The stack's own copy of the CA bundle."""

EAB_KEY = CA / "eab-hmac-key"

LOCAL_CA = CA / "local"
"""The stack's own CA for development."""

LOCAL_ROOT = LOCAL_CA / "root.pem"
"""The certificate that clients trust."""

LOCAL_ISSUER = LOCAL_CA / "issuer.pem"
"""The certificate and the key that sign those of the sites; only its owner can read it."""

TRUST = Place(f"{CA.path}/trust", "/etc/stackctl/trust")
"""What services mount that are to trust the stack's own CA."""

TRUST_BUNDLE = TRUST / "bundle.pem"
"""The roots that this host trusts, and that of the stack's own CA."""

DNS = Place("data/dns", "/etc/stackctl/dns")
"""The credentials of DNS providers, which only the certbot container sees; and certbot's plugin for them."""

DNS_PLUGIN = DNS / "plugin"
DNS_ZONES = DNS / "zones.json"
"""The zones as certbot's plugin reads them; there is no credential in it."""

_WILDCARD = "_wildcard."


def site_file(site: str) -> str:
    """Return the name of files and folders of a site: its own, of a wildcard without the character that shells expand.

    No name of a site begins with an underscore.
    """
    return f"{_WILDCARD}{site.removeprefix('*.')}" if site.startswith("*.") else site


def site_of_file(name: str) -> str:
    """Return the site whose files have this name."""
    return f"*.{name.removeprefix(_WILDCARD)}" if name.startswith(_WILDCARD) else name


def site_certs(site: str) -> str:
    """Return the folder of a site's dummy or imported certificate."""
    return f"{CERTS}/{site_file(site)}"


# certbot

CERTBOT = "data/certbot"
CERTBOT_CONF = Place(f"{CERTBOT}/conf", "/etc/letsencrypt")
WEBROOT = Place(f"{CERTBOT}/www", "/var/www/certbot")
STAMPS = Place(f"{CERTBOT}/deploy", "/var/lib/stackctl")
"""Stamps by which the two containers and stackctl inform each other."""

CHECKED = STAMPS / "checked"
"""When the renewal loop last ended a round: seconds since 1970."""

SUCCEEDED = STAMPS / "succeeded"
"""When a round of the renewal loop last succeeded: seconds since 1970."""

FAILED = STAMPS / "failed"
"""Which certificates the last round could not renew, and certbot's output; removed by a round that succeeds."""

INTERVAL = STAMPS / "interval"
"""How long the renewal loop waits between two rounds, in seconds."""

RENEWED = STAMPS / "renewed"
"""When certbot last renewed a certificate; the proxy reloads when it changes."""

REFUSED = STAMPS / "refused"
"""The certificates that the deploy hook did not copy, a line for each: its name and the reason."""

HOOK = STAMPS / "copy-certificates"
"""The deploy hook, a shell script that runs :data:`HOOK_PROGRAM` with certbot's own Python."""

HOOK_PROGRAM = STAMPS / "copy-certificates.py"

PAIRS = STAMPS / "pairs"
"""Verified copies of certificates with their keys: all that a proxy reads of certificates."""

PAIRS_OF_LINEAGES = PAIRS / "lineages"
PAIRS_OF_STORED = PAIRS / "stored"

EXPORTS = STAMPS / "exports"
"""Certificates for other software, a folder for each, which the deploy hook keeps fresh."""

METRICS = Place("data/metrics", "/var/lib/stackctl-metrics")
"""Metrics for Prometheus, which the renewal loop writes: a textfile collector on the host reads them."""

METRICS_FILE = METRICS / "stackctl.prom"

WATCH = Place("data/watch", "/var/lib/stackctl-watch")
"""What looks at the stack without stackctl, with the credentials of those who get alerts."""

WATCH_SCRIPT = WATCH / "look"
"""A shell script that runs :data:`WATCH_PROGRAM` with certbot's own Python."""

WATCH_PROGRAM = WATCH / "program"
WATCH_SETTINGS = WATCH / "settings.json"
WATCH_STATE = WATCH / "state.json"

PROXY_MOUNT = "/etc/stackctl/proxy"
"""Where the certbot container sees the directory of the proxy: which generation is live, and which sites are parked."""

WELL_KNOWN = ".well-known"
CHALLENGES = f"{WELL_KNOWN}/acme-challenge"
"""The folder of HTTP-01 challenges below the webroot and below a site (RFC 8555, section 8.3)."""

# Inside certbot's tree

LINEAGES = "live"
RENEWALS = "renewal"
RENEWAL_HOOKS = "renewal-hooks"
CLI_INI = "cli.ini"
ARCHIVES = "archive"
ACCOUNTS = "accounts"
ACCOUNT_KEY = "private_key.json"
ACCOUNT_FILE = "regr.json"
ACCOUNT_META = "meta.json"


def lineage_folder(lineage: str) -> str:
    """Return the folder of a lineage's current files in certbot's tree."""
    return f"{LINEAGES}/{lineage}"


def lineage_file(lineage: str, kind: str) -> str:
    """Return the path of a lineage's current file of a kind, such as ``chain``, in certbot's tree."""
    return f"{lineage_folder(lineage)}/{kind}.pem"


def renewal_file(lineage: str) -> str:
    """Return the path of a lineage's renewal parameters in certbot's tree."""
    return f"{RENEWALS}/{lineage}.conf"


def archive_folder(lineage: str) -> str:
    """Return the folder of all versions of a lineage's files in certbot's tree."""
    return f"{ARCHIVES}/{lineage}"


def lineage_files(lineage: str) -> tuple[str, str, str]:
    """Return the paths of a lineage's chain, key and renewal parameters in certbot's tree."""
    return lineage_file(lineage, "fullchain"), lineage_file(lineage, "privkey"), renewal_file(lineage)


# Kept out of version control and of images

GITIGNORE = ".gitignore"
DOCKERIGNORE = ".dockerignore"
SECRET_FOLDERS = (STATE, CERTBOT, CERTS, CA.path, DNS.path, WATCH.path)
"""The folders with private keys, and with copies of Compose files, which can hold passwords."""


# Inside the directory of any proxy

CUSTOM_FOLDER = "custom"
"""The user's own files."""

GENERATIONS = "generations"
"""Whole sets of files."""

LIVE = "live"
"""The link to the generation in force."""

LIVE_DRAFTS = f".{LIVE}*.tmp"
"""The pattern of an unfinished link's name."""

MARKER_PATH = f"/{WELL_KNOWN}/stackctl/generation"
"""Where a proxy serves the id of its generation, under no routed name."""

MARKER_HOST = "stackctl.invalid"
"""A name that can never be routed (RFC 6761), under which the marker is requested."""


# What is made, and what is mounted

DIRECTORIES = {
    STATE: 0o700,
    CERTBOT_CONF.path: 0o755,
    WEBROOT.path: 0o755,
    STAMPS.path: 0o755,
    PAIRS.path: 0o755,
    CERTS: 0o755,
    CA.path: 0o755,
    METRICS.path: 0o755,
    WATCH.path: 0o700,
}
"""The directories of a stack with their modes; those of its proxy come on top."""

PROXY_MOUNTS = (WEBROOT, STAMPS)
"""What the container of any proxy mounts besides its own directory, read-only."""

CERTBOT_MOUNTS = (CERTBOT_CONF, WEBROOT, STAMPS, METRICS, WATCH)
"""What the certbot container mounts to write to; the CA folder and the proxy's directory it mounts read-only."""
