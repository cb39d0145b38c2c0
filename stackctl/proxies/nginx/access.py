"""nginx: who may make requests, as maps, a gate in the servers of a site, and directives that its locations inherit.

Which rules are for a request, and what it still needs, are variables: nginx computes them once, from the path as the
client sent it and from its address, before it looks for a location. So no location decides anything, and one of the
user's own is behind the same rules. ``satisfy``, ``allow`` and ``deny`` of nginx know no paths that are for everybody,
and come after ``return``; so the address is compared in the gate.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

from stackctl.errors import InputError
from stackctl.model.access import Access
from stackctl.model.layout import LIVE, site_file
from stackctl.model.routing import Site
from stackctl.model.stack import Stack
from stackctl.proxies.nginx.access_maps import PASSWORD, REFUSE, AccessMaps
from stackctl.proxies.nginx.directives import every, first
from stackctl.proxies.nginx.forward_auth import ForwardAuths
from stackctl.proxies.nginx.layout import CUSTOM, NGINX, OWN, USERS
from stackctl.proxies.nginx.maps import Map
from stackctl.proxies.nginx.own import Directives, Snippets
from stackctl.proxies.nginx.pages import OwnAnswers
from stackctl.proxies.nginx.quoting import literal
from stackctl.proxies.nginx.rules import Rules
from stackctl.proxies.nginx.variables import Variables
from stackctl.proxies.proxy import Files

USERS_READ = f"{OWN}/{USERS}"
"""In the container: copies of them, in memory, that nginx's workers can read."""

COPIES_USERS = (
    f"[ ! -d {NGINX.mount}/{LIVE}/{USERS} ] || {{ mkdir -p {USERS_READ}"
    f" && cp -f {NGINX.mount}/{LIVE}/{USERS}/* {USERS_READ} && chmod 644 {USERS_READ}/*; }}"
)
"""The command that makes those copies: names are digests, so the files of old workers stay."""

_OWNED = ("auth_basic", "auth_basic_user_file", "auth_request", "satisfy")


def users_file(content: bytes) -> str:
    """Return the name of the copy of a file with users."""
    return hashlib.sha256(content).hexdigest()[:32]


def users_files(stack: Stack) -> Files:
    """Return the copies of the files with users of all sites."""
    found = {one.users.path for site in stack.sites for one in site_accesses(site) if one.users}
    contents = (stack.pages.get(path, b"") for path in sorted(found))
    return {f"{USERS}/{users_file(content)}": content for content in contents}


def site_accesses(site: Site) -> tuple[Access, ...]:
    """Return the different rules of a site, its own first."""
    return tuple(dict.fromkeys(one.access for one in site.tunings))


def access_variables(site: Site) -> int:
    """Return how many variables of its own a site has at most for its rules."""
    found = site_accesses(site)
    return bool(any(found)) * (8 + 2 * len(found)) + sum(
        len(one.forward.service.identity) for one in found if one.forward
    )


class AccessRules:
    """The rules of one site; false if everybody may make every request.

    Args:
        own: the user's directives: around all servers, in this site's server, and in its location.
        pages: the content of the files that the keys name, by path.
    """

    def __init__(
        self,
        site: Site,
        variables: Variables,
        snippets: Snippets,
        own: Sequence[Directives],
        pages: Mapping[str, bytes],
    ) -> None:
        self._site = site
        self._pages = pages
        self._found = site_accesses(site)
        self._either = any(one.satisfies_any and len(one.needs) > 1 for one in self._found)
        self._maps = AccessMaps(site, variables, self._found)
        self._forward = ForwardAuths(self._found, self._maps, snippets, either=self._either)
        if self:
            self._refuse_owned(own)

    def __bool__(self) -> bool:
        return any(self._found)

    @property
    def asks(self) -> bool:
        """Whether some requests need credentials."""
        return any(one.needs for one in self._found)

    def _refuse_owned(self, own: Sequence[Directives]) -> None:
        """Refuse directives of the user's that would take the place of these, or open what they close.

        Raises:
            InputError: with the file, and the line in it.
        """
        http, server, location = own
        name = site_file(self._site.name)
        # A location inside one of the user's may open what is closed; a server inside 'http' is none of this site.
        owned = {"http.conf": http, f"{name}.conf": every(server), f"{name}.location.conf": every(location)}
        for file, directives in owned.items():
            found = first(directives, *_OWNED)
            if found is not None and self.asks:
                raise InputError(
                    f"'{found.name}' and the key 'access' of {self._site.name} both say who may make requests",
                    # A file that it includes is named by its own place.
                    where=f"{CUSTOM.path}/{file if found.at.startswith(':') else ''}{found.at}",
                    hint="keep one of them: 'access' has 'users', 'forward-auth', 'satisfy' and 'skip'",
                )
        for one in self._found:
            if self._either and len(one.needs) > 1 and not one.satisfies_any:
                raise InputError(
                    "nginx asks for both a password and a log-in, or for one of them, on all paths of a site",
                    where=one.where("satisfy") or one.where("forward-auth"),
                    hint="write the same 'satisfy' for each path that has both",
                )

    def maps(self, rules: Rules) -> list[Map]:
        """Return the maps that the gate and the directives need; ``rules`` are those of the site's routes."""
        if not self:
            return []
        made = [*self._maps.all(rules), *self._forward.maps()]
        users = self._users()
        if users:
            named = (literal(f"~{PASSWORD}"), literal(self._site.name))
            made.append(Map(self._maps.must, self._maps.named("realm"), (named,), "off"))
        if len(users) > 1:
            rows = tuple((str(number), path) for number, path in users.items())
            made.append(Map(self._maps.number, self._maps.named("users"), rows))
        return made

    def guarding(self, answers: OwnAnswers) -> OwnAnswers:
        """Return the answers of the proxy, behind a gate that refuses requests by their address."""
        if not self:
            return answers
        return replace(answers, gate=[f"if ({self._maps.must} = {REFUSE}) {{", "    return 403;", "}", *answers.gate])

    def _users(self) -> dict[int, str]:
        paths = {number: one.users.path for number, one in enumerate(self._found) if one.users}
        return {number: f"{USERS_READ}/{users_file(self._pages.get(path, b''))}" for number, path in paths.items()}

    def server_lines(self) -> list[str]:
        """Return the directives of the site's servers, which all of its locations inherit."""
        lines: list[str] = []
        users = self._users()
        if users:
            path = next(iter(users.values())) if len(users) == 1 else self._maps.named("users")
            lines += [f"auth_basic {self._maps.named('realm')};", f"auth_basic_user_file {path};"]
        return [*lines, *self._forward.server_lines(), *(["satisfy any;"] if self._either else [])]

    def page_lines(self) -> list[str]:
        """Return the lines for locations that everybody gets."""
        return ["auth_request off;"] if self._forward else []

    def identity(self) -> list[tuple[str, str]]:
        """Return the request headers that only an auth service sets, with the variables that have their values."""
        return self._forward.identity()

    def cookies(self) -> list[tuple[str, str]]:
        """Return the response header with the cookies of an auth service, and its variable; none if it has none."""
        return self._forward.cookies()

    def locations(self) -> str:
        """Return the locations of the auth services, and that of paths which no app gets; empty without rules."""
        return self._forward.locations() if self else ""
