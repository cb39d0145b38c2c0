"""Who may make requests: networks, users with passwords, and a service that knows who is logged in."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address

from stackctl.model.matching import Network, PathMatch
from stackctl.model.pages import PageFile
from stackctl.model.paths import sent_pattern


@dataclass(frozen=True, slots=True)
class AuthService:
    """How a kind of service is asked whether a request is allowed, and what it tells about the user.

    Attributes:
        path: of the question, below the service's address; empty if the address in the file has it.
        identity: the request headers for the app, which are headers of its answer.
        location: the header of its answer that has the URL to log in at.
        portal: the path of the site below which the service itself answers; empty if it has a site of its own.
        login: the path of the site to log in at, with ``rd=`` and the URL of the request behind it; empty for
            ``location``.
        starts: the path below its address that answers a request without a log-in with the redirect; empty for none.
        cookies: whether cookies of its answer are the browser's.
    """

    path: str = ""
    identity: tuple[str, ...] = ()
    location: str = "Location"
    portal: str = ""
    login: str = ""
    starts: str = ""
    cookies: bool = False


_REMOTE = ("Remote-User", "Remote-Groups", "Remote-Name", "Remote-Email")

PRESETS = {
    "authelia": AuthService("/api/authz/auth-request", _REMOTE),
    "authentik": AuthService(
        "/outpost.goauthentik.io/auth/nginx",
        tuple(f"X-authentik-{name}" for name in ("username", "groups", "entitlements", "email", "name", "uid")),
        portal="/outpost.goauthentik.io",
        login="/outpost.goauthentik.io/start",
        cookies=True,
    ),
    "tinyauth": AuthService("/api/auth/nginx", _REMOTE, location="X-Tinyauth-Location"),
    "oauth2-proxy": AuthService(
        "/oauth2/auth",
        tuple(f"X-Auth-Request-{name}" for name in ("User", "Groups", "Email", "Preferred-Username")),
        portal="/oauth2",
        starts="/oauth2/start",
        cookies=True,
    ),
}
"""The services whose questions are known, as their own documentation has them for reverse proxies."""


@dataclass(frozen=True, slots=True)
class ForwardAuth:
    """A service that is asked about each request.

    Attributes:
        url: ``scheme://host[:port]``.
        service: how it is asked; ``identity`` may be that of the file.
        where: ``file:line`` of the key.
    """

    url: str
    service: AuthService
    where: str = field(default="", compare=False)

    @property
    def question(self) -> str:
        """The URL that is asked."""
        return f"{self.url}{self.service.path}"


class Need(StrEnum):
    """What a request still needs; the values are for people."""

    PASSWORD = "the name and password of a user"  # noqa: S105  (no password)
    LOGIN = "a log-in at the auth service"


@dataclass(frozen=True, slots=True)
class Access:
    """Who may make requests. Without any attribute: everybody.

    Attributes:
        allow: networks; with ``satisfy: all`` no other client may, with ``any`` its clients need nothing else.
        deny: networks whose clients never may.
        users: the file with names and hashes of passwords.
        forward: the service that is asked.
        satisfies_any: whether one of ``allow``, ``users`` and ``forward`` is enough.
        skip: paths for everybody but clients in ``deny``.
        places: ``file:line`` of each key.
    """

    allow: tuple[Network, ...] = ()
    deny: tuple[Network, ...] = ()
    users: PageFile | None = None
    forward: ForwardAuth | None = None
    satisfies_any: bool = False
    skip: tuple[PathMatch, ...] = ()
    places: tuple[tuple[str, str], ...] = field(default=(), compare=False)

    def __bool__(self) -> bool:
        """Whether there is any rule."""
        return bool(self.allow or self.deny or self.users or self.forward)

    def where(self, key: str) -> str:
        """Return ``file:line`` of a key; empty for one that the file does not have."""
        return dict(self.places).get(key, "")

    @property
    def needs(self) -> tuple[Need, ...]:
        """The credentials that it asks for."""
        return (*([Need.PASSWORD] if self.users else []), *([Need.LOGIN] if self.forward else []))

    def allows(self, source: IPv4Address | IPv6Address) -> bool:
        """Return whether an address is in ``allow``."""
        return any(source in network for network in self.allow)

    def denies(self, source: IPv4Address | IPv6Address) -> bool:
        """Return whether an address is in ``deny``."""
        return any(source in network for network in self.deny)


@dataclass(frozen=True, slots=True)
class Decision:
    """What the rules say about a request, before any credentials.

    Attributes:
        refused: why it gets 403, in words; empty if it does not.
        needs: what it needs; ``one_of`` is whether one of them is enough.
        where: ``file:line`` of the key that decides.
    """

    refused: str = ""
    needs: tuple[Need, ...] = ()
    one_of: bool = False
    where: str = ""


def decision(access: Access, source: IPv4Address | IPv6Address | None, *, skipped: bool) -> Decision:
    """Return what the rules say about a request; an unknown address is in no list.

    ``skipped`` is whether its path is one of ``skip``.
    """
    if source is not None and access.denies(source):
        return Decision(f"{source} is in 'deny'", where=access.where("deny"))
    if not access or skipped:
        return Decision(where=access.where("skip") if skipped else "")
    inside = source is not None and access.allows(source)
    keys = ("users", "forward-auth")
    where = next((access.where(key) for key in keys if access.where(key)), "")
    if access.satisfies_any:
        if inside:
            return Decision(where=access.where("allow"))
        return Decision(needs=access.needs, one_of=True, where=where)
    if access.allow and not inside:
        return Decision(f"{source or 'the address'} is not in 'allow'", where=access.where("allow"))
    return Decision(needs=access.needs, where=where)


_SAFE = r"(?:[^/%\\;?#]|%(?![01]|2[35eEfF]|3[bBfF]|5[cC])[0-9a-fA-F]{2})"
"""A character of a segment that no program takes for the end or for the beginning of another one."""

_BELOW = rf"(?:/(?!/|\.{{1,2}}(?:[/?]|\z)){_SAFE}*)*(?:\?|\z)"


def skip_pattern(access: Access) -> str:
    """Return a regex for a whole request target, as it was sent, whose path is in ``skip``."""
    prefixes = "|".join(sent_pattern(path.text) for path in access.skip)
    return f"^(?:{prefixes}){_BELOW}"


def skips(access: Access, target: str) -> bool:
    """Return whether the path of a request target is in ``skip``."""
    return bool(access.skip) and re.match(skip_pattern(access).replace(r"\z", r"\Z"), target) is not None
