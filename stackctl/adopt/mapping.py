"""nginx's directives that stackctl replaces by its own configuration or by keys of x-stackctl."""

from __future__ import annotations

from stackctl.errors import InputError
from stackctl.model import values
from stackctl.model.layout import CHALLENGES
from stackctl.proxies.nginx.directives import Directive, first, seconds
from stackctl.proxies.nginx.own import buffer_lines
from stackctl.proxies.removed import REMOVED

TUNING = {
    "client_max_body_size": "body-size",
    "proxy_connect_timeout": "connect-timeout",
    "proxy_read_timeout": "read-timeout",
    "proxy_send_timeout": "send-timeout",
}
"""Directives with a key of x-stackctl."""

HTTP_OWN = frozenset(
    {
        "server_tokens",
        "default_type",
        "client_body_temp_path",
        "proxy_temp_path",
        "fastcgi_temp_path",
        "uwsgi_temp_path",
        "scgi_temp_path",
        "sendfile",
        "tcp_nopush",
        "tcp_nodelay",
        "reset_timedout_connection",
        "keepalive_timeout",
        "keepalive_requests",
        "keepalive_min_timeout",
        "server_names_hash_max_size",
        "server_names_hash_bucket_size",
        "resolver",
        "resolver_timeout",
        "http2",
        "proxy_http_version",
        "ssl_protocols",
        "ssl_ciphers",
        "ssl_prefer_server_ciphers",
        "ssl_session_cache",
        "ssl_session_timeout",
        "ssl_session_tickets",
        "ssl_dhparam",
        "ssl_ecdh_curve",
        "ssl_stapling",
        "ssl_stapling_verify",
    }
)
"""Directives of ``http`` that stackctl's nginx.conf sets."""

SERVER_OWN = frozenset(
    {
        "ssl",
        "ssl_certificate",
        "ssl_certificate_key",
        "ssl_trusted_certificate",
        "ssl_reject_handshake",
        "http3",
        "proxy_http_version",
        *(name for name in HTTP_OWN if name.startswith("ssl_") or name == "http2"),
    }
)
"""Directives of ``server`` that stackctl sets for each site."""

MAIN_OWN = frozenset(
    {
        "daemon",
        "error_log",
        "events",
        "lock_file",
        "master_process",
        "pcre_jit",
        "pid",
        "timer_resolution",
        "user",
        "worker_cpu_affinity",
        "worker_priority",
        "worker_processes",
        "worker_rlimit_core",
        "worker_rlimit_nofile",
        "worker_shutdown_timeout",
    }
)
"""Directives outside ``http`` that stackctl's nginx.conf sets."""

_REQUESTED = "$host$edge_port_suffix"
HEADERS = {
    "host": {"$host", "$http_host", _REQUESTED},
    "x-real-ip": {"$remote_addr"},
    "x-forwarded-for": {"$remote_addr", "$proxy_add_x_forwarded_for"},
    "x-forwarded-proto": {"$scheme", "$edge_scheme"},
    "x-forwarded-host": {"$host", "$http_host", _REQUESTED},
    "x-forwarded-port": {"$server_port", "$edge_port"},
    "x-forwarded-prefix": {"$edge_prefix"},
    "x-request-id": {"$request_id"},
    "upgrade": {"$http_upgrade", "$edge_upgrade"},
    "connection": {"$connection_upgrade", "upgrade", "Upgrade", '"upgrade"', ""},
    **{name.lower(): {""} for name in REMOVED},
}
"""The headers that stackctl sends to every app, in lower case; other values are the user's own.

An empty value removes a header of the client's.
"""

_STANDARD = {
    *(tuple(line.removesuffix(";").split()) for line in buffer_lines(())),
    ("large_client_header_buffers", "4", "32k"),
    ("proxy_buffering", "off"),
    ("proxy_request_buffering", "off"),
    ("client_body_buffer_size", "128k"),
    ("proxy_next_upstream_timeout", "10s"),
    ("proxy_headers_hash_max_size", "2048"),
    ("proxy_headers_hash_bucket_size", "128"),
    ("proxy_hide_header", "Upgrade"),
    ("proxy_hide_header", "Keep-Alive"),
    ("proxy_hide_header", "Proxy-Connection"),
    ("add_header", "Upgrade", "$edge_upgraded", "always"),
}
"""Directives with the parameters that stackctl gives them; with others they are the user's own."""

PASSES = frozenset({"proxy_pass", "grpc_pass", "fastcgi_pass", "uwsgi_pass", "scgi_pass"})
"""Directives that name another server."""

LOGS = frozenset({"access_log", "error_log"})


def tuning_of(directive: Directive) -> tuple[str, str] | None:
    """Return the key of x-stackctl and its value for a directive; None without a key."""
    key = TUNING.get(directive.name)
    if key is None:
        return None
    value = directive.arg if key == "body-size" else seconds(directive.arg)
    try:
        return None if value is None else (key, (values.size if key == "body-size" else values.duration)(value))
    except InputError:
        return None


def is_standard_header(directive: Directive) -> bool:
    """Whether stackctl sends the same header to the app."""
    return len(directive.args) == 2 and directive.args[1] in HEADERS.get(directive.arg.lower(), ())


def is_standard(directive: Directive) -> bool:
    """Whether stackctl's configuration has the same directive where the user needs it."""
    if directive.name == "map":
        target = directive.args[-1]
        return target == "$connection_upgrade" or target.startswith("$edge_")
    if directive.name == "if":
        answer = first(directive.inner, "return", "break")
        return (directive.arg == "$ssl_server_name" and answer is not None and answer.arg == "421") or (
            directive.args == ("$uri", "~", f"^/{CHALLENGES}/") and answer is not None and answer.name == "break"
        )
    return (directive.name, *directive.args) in _STANDARD


def logs_to_file(directive: Directive) -> bool:
    """Whether it logs to a file, which the proxy's container does not support."""
    target = directive.arg
    return directive.name in LOGS and target.startswith(("/", "logs/")) and not target.startswith("/dev/std")
