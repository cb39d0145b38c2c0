"""Reads the key ``behind``: what stands in front of the proxy, and what it is believed."""

from __future__ import annotations

from collections.abc import Sequence

from stackctl.errors import StackfileError
from stackctl.model import edge
from stackctl.model.edge import Behind, ClientIp
from stackctl.model.matching import PathKind
from stackctl.model.published import LISTS
from stackctl.model.routing import Site
from stackctl.model.streams import Stream
from stackctl.stackfile.behind_keys import BehindKeys
from stackctl.stackfile.document import Document, Path
from stackctl.stackfile.keys import KEY, checked

_PATH: Path = (KEY, "behind")


def read_behind(doc: Document, keys: BehindKeys | None) -> Behind | None:
    """Return what the key says; None without it.

    Raises:
        StackfileError: a wrong value, or values that cannot be together.
    """
    if keys is None:
        return None
    place: Path = (*_PATH, "trusted")
    networks = [one for n, text in enumerate(keys.trusted) for one in checked(doc, (*place, n), edge.trusted, text)]
    terminated = keys.tls is not None
    behind = Behind(
        trusted=checked(doc, place, edge.merged, networks),
        lists=tuple(dict.fromkeys(text for text in keys.trusted if text in LISTS)),
        client_ip=ClientIp(keys.client_ip),
        terminated=terminated,
        redirect=keys.redirect,
        health=None if keys.health is None else checked(doc, (*_PATH, "health"), edge.health_path, keys.health),
        where=doc.where_of(_PATH),
    )
    _refuse_contradictions(doc, behind)
    return behind


def _refuse_contradictions(doc: Document, behind: Behind) -> None:
    if not behind.trusted and (behind.terminated or behind.framed):
        key, what = ("tls", "'tls: terminated'") if behind.terminated else ("client-ip", "the PROXY protocol")
        raise StackfileError(
            f"{what} needs 'trusted': nothing that an unknown peer says is believed",
            where=doc.where_of((*_PATH, key)),
            hint="write the networks of the load balancer, such as 'trusted: [10.0.0.0/16]'",
        )
    if behind.redirect and not behind.terminated:
        raise StackfileError(
            "'redirect' is for 'tls: terminated'",
            where=doc.where_of((*_PATH, "redirect")),
            hint="leave it out: port 80 leads every site that has a certificate to HTTPS",
        )
    if behind.redirect and not behind.says_scheme:
        raise StackfileError(
            "the PROXY protocol does not say by which scheme a visitor came",
            where=doc.where_of((*_PATH, "redirect")),
            hint="leave 'redirect' out, and let the load balancer redirect port 80",
        )


def refuse_clashes(behind: Behind | None, sites: Sequence[Site], streams: Sequence[Stream]) -> None:
    """Refuse a health path that a site answers too, and TLS that is to be passed on although it ends before.

    Raises:
        StackfileError: with both places.
    """
    if behind is None:
        return
    passed = next((stream for stream in streams if stream.port is None), None)
    if behind.terminated and passed is not None:
        raise StackfileError(
            f"TLS for {passed.name} cannot be passed on: it ends before the proxy",
            where=passed.where,
            hint=f"see {behind.where}; let the load balancer pass port 443 on, or remove one of them",
        )
    health = behind.health
    for site in sites if health is not None else ():
        for route in site.routes:
            for path in route.match.all_of.paths:
                if health is not None and path.kind is not PathKind.REGEX and path.text == health.text:
                    raise StackfileError(
                        f"{path.text} of {site.name} is the health path of this host",
                        where=route.where or site.where,
                        hint=f"see {behind.where}; use another path for 'health'",
                    )
