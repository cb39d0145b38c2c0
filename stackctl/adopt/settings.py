"""What stands in ``http`` and beside it: stackctl's own business, a key of x-stackctl, or kept."""

from __future__ import annotations

from stackctl.adopt.kept import Keeper
from stackctl.adopt.known import HTTP_OWN, LOGS, MAIN_OWN, TUNING, tuning_of
from stackctl.adopt.nginx_conf import NginxConf
from stackctl.adopt.proposal import Fate
from stackctl.proxies.nginx.directives import Directive, kept_text


def read_settings(conf: NginxConf, keeper: Keeper) -> tuple[dict[str, str], str]:
    """The keys for all apps, and what goes into custom/http.conf.

    To be called when everything else that is kept is known: what only that needs goes with it.
    """
    tuning = dict(filter(None, map(tuning_of, conf.settings)))
    kept = [one for one in conf.settings if tuning_of(one) is None and _is_kept(one, keeper)]
    for one in conf.main:
        if one.name in MAIN_OWN:
            continue
        keeper.remark(Fate.LOST, f"{one.head}: there is no place beside 'http' in stackctl's nginx.conf", one.at)
    return tuning, kept_text(keeper.keep(kept))


def _is_kept(one: Directive, keeper: Keeper) -> bool:
    """Whether a setting of ``http`` is none of stackctl's business; what becomes of it is remarked."""
    if one.name == "map" and one.args[1:] == ("$connection_upgrade",):
        return False
    if one.name == "types":
        return keeper.serves_files
    if one.name == "log_format" and one.arg == "main":
        return False
    if one.name in LOGS and one.arg != "off":
        keeper.remark(Fate.REPLACED, f"{one.head}: logs go to the container's output ('stackctl logs')", one.at)
    elif one.name in HTTP_OWN:
        keeper.remark(Fate.REPLACED, f"{one.head}: by stackctl's own nginx.conf", one.at)
    elif one.name in TUNING:
        keeper.remark(Fate.REPLACED, f"{one.head}: by the defaults of x-stackctl", one.at)
    elif one.name not in _NEEDLESS and one.name not in LOGS:
        keeper.remark(Fate.KEPT, f"{one.head} (beside the sites)", one.at)
        return True
    return False


_NEEDLESS = {"proxy_set_header", "types_hash_max_size", "types_hash_bucket_size"}
"""What each site has got already, and what only a large table of file types needs."""
