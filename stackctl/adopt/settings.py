"""Convert the directives of ``http`` and outside it: replaced, a key of x-stackctl, or kept."""

from __future__ import annotations

import re

from stackctl.adopt.kept import KeptDirectives
from stackctl.adopt.mapping import HTTP_OWN, LOGS, MAIN_OWN, TUNING, is_standard, logs_to_file, tuning_of
from stackctl.adopt.nginx_conf import NginxConf
from stackctl.adopt.proposal import Handling
from stackctl.proxies.nginx.directives import Directive, every, kept_text


def read_settings(conf: NginxConf, keeper: KeptDirectives) -> tuple[dict[str, str], str]:
    """Return the keys for all apps, and the text for custom/http.conf.

    Call it last: it keeps directives that only other kept directives need.
    """
    tuning = dict(filter(None, map(tuning_of, conf.settings)))
    kept = [one for one in conf.settings if tuning_of(one) is None and _is_kept(one, keeper)]
    for one in conf.main:
        if one.name in MAIN_OWN or (one.name == "load_module" and not _uses_module(one.arg, conf)):
            continue
        keeper.remark(
            Handling.UNSUPPORTED,
            f"{one.head}: directives outside 'http' cannot be added to stackctl's nginx.conf",
            one.at,
        )
    if any(one.name == "log_format" and one.arg == _FORMAT for one in conf.settings):
        for one in every(server.whole for server in conf.servers):
            if one.name == "access_log" and one.args[1:2] == (_FORMAT,) and not logs_to_file(one):
                keeper.remark(Handling.CHANGED, f"{one.head}: the format {_FORMAT} is stackctl's from now on", one.at)
    return tuning, kept_text(keeper.keep(kept))


_FORMAT = "main"
"""The log format that stackctl's nginx.conf defines, as most configurations do."""


def _uses_module(path: str, conf: NginxConf) -> bool:
    """Whether the configuration has a directive of a module; an unknown module counts as used."""
    module = path.rpartition("/")[2].removeprefix("ngx_").removesuffix(".so").removesuffix("_module")
    pattern = _MODULES.get(module)
    if pattern is None:
        return True
    whole = [*conf.main, *conf.settings, *(one.whole for one in conf.servers), *(conf.upstreams or {}).values()]
    return any(re.match(pattern, one.name) for one in every(whole))


_MODULES = {
    "http_brotli_filter": r"brotli",
    "http_brotli_static": r"brotli_static",
    "http_echo": r"echo",
    "http_geoip": r"geoip_",
    "http_geoip2": r"geoip2",
    "http_headers_more_filter": r"more_",
    "http_image_filter": r"image_filter",
    "http_js": r"js_",
    "http_lua": r".*lua_|lua",
    "http_perl": r"perl",
    "http_subs_filter": r"subs_",
    "http_xslt_filter": r"xs?lt|xml_",
    "mail": r"mail\Z",
    "ndk_http": r"set_",
    "stream": r"stream\Z",
    "stream_geoip": r"stream\Z",
    "stream_geoip2": r"stream\Z",
    "stream_js": r"stream\Z",
}
"""The directives of dynamic modules that images load by default, by the module's name."""


def _is_kept(one: Directive, keeper: KeptDirectives) -> bool:
    """Whether a directive of ``http`` is kept; adds the remark about it."""
    if is_standard(one):
        return False
    if one.name == "types":
        return keeper.answers_itself
    if one.name == "log_format" and one.arg == _FORMAT:
        return False
    if one.name in LOGS and one.arg != "off":
        keeper.remark(Handling.REPLACED, f"{one.head}: logs go to the container's output ('stackctl logs')", one.at)
    elif one.name in HTTP_OWN:
        keeper.remark(Handling.REPLACED, f"{one.head}: set in stackctl's nginx.conf", one.at)
    elif one.name in TUNING:
        keeper.remark(Handling.REPLACED, f"{one.head}: set by the defaults of x-stackctl", one.at)
    elif one.name not in _UNUSED and one.name not in LOGS:
        keeper.remark(Handling.KEPT, f"{one.head} (in http)", one.at)
        return True
    return False


_UNUSED = {"proxy_set_header", "types_hash_max_size", "types_hash_bucket_size"}
"""Directives that each site sets, and those that only a large table of file types needs."""
