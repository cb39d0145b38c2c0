"""Reads the routes of one block of the Compose file: that of its own paths, and those of its list ``routes``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from stackctl.errors import InputError, StackfileError
from stackctl.model import action_values
from stackctl.model.backends import Backend, Server, Speaks
from stackctl.model.matching import EVERY_PATH, Conditions, Match
from stackctl.model.routing import Action, Answer, Redirect, Route
from stackctl.model.tuning import Tuning
from stackctl.stackfile.answer_keys import AnswerKeys
from stackctl.stackfile.backends import backend_of, listed_servers, refuse_balance
from stackctl.stackfile.document import Document, Path
from stackctl.stackfile.keys import checked
from stackctl.stackfile.limits import refuse_limits
from stackctl.stackfile.matches import has_prefix_alone, match_of, prefixes
from stackctl.stackfile.schema import AppKeys, RouteKeys, ServiceKeys
from stackctl.stackfile.servers import Services, outside_server, service_server
from stackctl.stackfile.tuning import tuning

TO_SERVER = ("service", "port", "upstream", "upstreams")
_DONE_BY_PROXY = ("redirect", "answer", "deny")


@dataclass(frozen=True, slots=True)
class Placed:
    """A route, and where it is written: the block of a service or of an item of ``apps``, or an item of ``routes``."""

    route: Route
    path: Path


def routes_of(  # noqa: PLR0913  (the block, and what it refers to)
    doc: Document, path: Path, keys: ServiceKeys | AppKeys, backend: Backend | None, tuned: Tuning, known: Services
) -> tuple[Placed, ...]:
    """Return the routes of the block at ``path`` with ``backend``; their tuning is None if it is ``tuned``.

    Raises:
        StackfileError: a route is wrong; with its place.
    """
    own = _own(doc, path, keys, backend)
    return (*own, *(_entry(doc, (*path, "routes", n), one, backend, tuned, known) for n, one in enumerate(keys.routes)))


def _own(doc: Document, path: Path, keys: ServiceKeys | AppKeys, backend: Backend | None) -> tuple[Placed, ...]:
    if backend is None:
        for key, given in (("path", keys.path is not None), ("strip", keys.strip)):
            if given:
                raise StackfileError(
                    f"'{key}' applies to an app, and there is none here",
                    where=doc.where_of((*path, key)),
                    hint="add 'upstream', or 'service' and 'port'; each item of 'routes' has a path of its own",
                )
        return ()
    match = Match() if keys.path is None else prefixes(doc, (*path, "path"), keys.path)
    if keys.strip and keys.path is None:
        raise _cannot_strip(doc, path)
    if keys.strip:
        _refuse_grpc(doc, path, backend)
    return (Placed(Route(match, backend, _strips(match, strip=keys.strip), where=doc.where_of(path)), path),)


def _entry(  # noqa: PLR0913  (as for routes_of)
    doc: Document, path: Path, keys: RouteKeys, backend: Backend | None, tuned: Tuning, known: Services
) -> Placed:
    match = match_of(doc, path, keys)
    action = _action(doc, path, keys, backend, known)
    if keys.strip and not isinstance(action, Backend):
        raise StackfileError("'strip' applies to requests that an app gets", where=doc.where_of((*path, "strip")))
    if not isinstance(action, Backend):
        refuse_limits(doc, path, keys)
    if keys.strip and not has_prefix_alone(match.all_of.paths):
        raise _cannot_strip(doc, path)
    if keys.strip and isinstance(action, Backend):
        _refuse_grpc(doc, path, action)
    special = tuning(doc, path, keys, tuned)
    route = Route(
        match,
        action,
        _strips(match, strip=keys.strip),
        keys.priority,
        None if special == tuned else special,
        doc.where_of(path),
    )
    return Placed(route, path)


def _strips(match: Match, *, strip: bool) -> bool:
    """Return whether there is something to strip: a variable may make a path that of everything."""
    return strip and match.all_of != Conditions((EVERY_PATH,))


def _refuse_grpc(doc: Document, path: Path, action: Backend) -> None:
    if any(server.speaks is Speaks.GRPC for server in action.servers):
        raise StackfileError(
            "'strip' has no meaning for gRPC, where the path names the service and the method",
            where=doc.where_of((*path, "strip")),
            hint="remove it",
        )


def _cannot_strip(doc: Document, path: Path) -> StackfileError:
    return StackfileError(
        "'strip' needs the prefix that it removes",
        where=doc.where_of((*path, "strip")),
        hint="add a path that is neither exact nor a regular expression, such as 'path: /api'",
    )


def _action(doc: Document, path: Path, keys: RouteKeys, own: Backend | None, known: Services) -> Action:
    given = [key for key in (*TO_SERVER, *_DONE_BY_PROXY) if getattr(keys, key) is not None]
    by_proxy = [key for key in given if key in _DONE_BY_PROXY]
    if by_proxy and len(given) > 1:
        raise StackfileError(
            f"a route does one thing, and this one has {' and '.join(map(repr, given))}",
            where=doc.where_of((*path, given[-1])),
            hint="keep one of them; a second route may do the other, for other requests",
        )
    _refuse_useless(doc, path, keys, needs_server=bool(by_proxy) or not given)
    if keys.redirect is not None:
        return _redirect(doc, path, keys, keys.redirect)
    if keys.answer is not None:
        return _answer(doc, (*path, "answer"), keys.answer)
    if keys.deny is not None:
        return Answer(403)
    if not given and own is not None:
        return own
    return backend_of(doc, path, keys, _servers(doc, path, keys, own, known), known)


def _refuse_useless(doc: Document, path: Path, keys: RouteKeys, *, needs_server: bool) -> None:
    """Refuse keys of an action that the route does not have."""
    if keys.redirect is None:
        for key, there in (("code", keys.code is not None), ("keep-path", keys.keep_path)):
            if there:
                raise StackfileError(f"'{key}' applies to a redirect", where=doc.where_of((*path, key)))
    if needs_server and (keys.protocol != "http" or keys.upstream_tls is not None):
        key = "protocol" if keys.protocol != "http" else "upstream-tls"
        raise StackfileError(
            f"'{key}' applies to a server of the route's own",
            where=doc.where_of((*path, key)),
            hint="add its 'port' or 'upstream'",
        )
    if needs_server:
        refuse_balance(doc, path, keys, "a route with no server of its own has those of its service")


def _servers(doc: Document, path: Path, keys: RouteKeys, own: Backend | None, known: Services) -> tuple[Server, ...]:
    given = [key for key in TO_SERVER if getattr(keys, key) is not None]
    if keys.upstream is not None and given == ["upstream"]:
        return (outside_server(doc, path, keys, keys.upstream, (*path, "upstream")),)
    if given == ["upstreams"]:
        return listed_servers(doc, path, keys)
    if keys.port is not None and given in (["port"], ["service", "port"]):
        service = keys.service or (own.servers[0].service if own else None)
        if service is not None:
            return (service_server(doc, path, keys, service, keys.port, known),)
    shown = " and ".join(map(repr, given))
    raise StackfileError(
        f"a route needs 'service' and 'port', or 'upstream'{f', and this one has {shown}' if given else ''}",
        where=doc.where_of(path),
        hint="or one of: 'redirect', 'answer', 'deny: all'",
    )


def _redirect(doc: Document, path: Path, keys: RouteKeys, target: str) -> Redirect:
    parse = action_values.followed_target if keys.keep_path else action_values.redirect_target
    return Redirect(checked(doc, (*path, "redirect"), parse, target), keys.code or 308, keys.keep_path)


def _answer(doc: Document, path: Path, keys: AnswerKeys) -> Answer:
    try:
        status = action_values.answer_status(keys.status)
    except InputError as error:
        raise StackfileError(error.message, where=doc.where_of((*path, "status")), hint=error.hint) from error
    text = checked(doc, (*path, "text"), partial(action_values.answer_text, status=status), keys.text)
    return Answer(status, text, checked(doc, (*path, "content-type"), action_values.content_type, keys.content_type))
