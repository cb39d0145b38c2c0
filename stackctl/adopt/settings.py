"""Convert the directives of ``http`` and outside it: replaced, a key of x-stackctl, or kept."""

from __future__ import annotations

from stackctl.adopt.kept import KeptDirectives
from stackctl.adopt.mapping import HTTP_OWN, LOGS, MAIN_OWN, TUNING, is_standard, tuning_of
from stackctl.adopt.nginx_conf import NginxConf
from stackctl.adopt.proposal import Handling
from stackctl.proxies.nginx.directives import Directive, kept_text


def read_settings(conf: NginxConf, keeper: KeptDirectives) -> tuple[dict[str, str], str]:
    """Return the keys for all apps, and the text for custom/http.conf.

    Call it last: it keeps directives that only other kept directives need.
    """
    tuning = dict(filter(None, map(tuning_of, conf.settings)))
    kept = [one for one in conf.settings if tuning_of(one) is None and _is_kept(one, keeper)]
    for one in conf.main:
        if one.name in MAIN_OWN:
            continue
        keeper.remark(
            Handling.UNSUPPORTED,
            f"{one.head}: directives outside 'http' cannot be added to stackctl's nginx.conf",
            one.at,
        )
    return tuning, kept_text(keeper.keep(kept))


def _is_kept(one: Directive, keeper: KeptDirectives) -> bool:
    """Whether a directive of ``http`` is kept; adds the remark about it."""
    if is_standard(one):
        return False
    if one.name == "types":
        return keeper.serves_files
    if one.name == "log_format" and one.arg == "main":
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
