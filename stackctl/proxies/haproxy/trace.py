"""HAProxy: what its live files do with a request, read back from the text of the files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from stackctl.model.endpoints import HTTPS_PORT, Endpoint
from stackctl.model.fields import Request
from stackctl.model.layout import site_file
from stackctl.model.paths import normalized
from stackctl.model.values import Domain
from stackctl.model.wildcards import wildcard_of
from stackctl.proxies.haproxy.acls import Acls
from stackctl.proxies.haproxy.edge import blocked_by
from stackctl.proxies.haproxy.layout import CERTS, FRONTEND, HAPROXY, MAPS, SITES, map_key, site_of_backend
from stackctl.proxies.haproxy.rejection import original, site_of
from stackctl.proxies.proxy import Files, Tracer
from stackctl.proxies.trace import Action, Block, Outcome, Rule, RuleKind, ServerMatch, Trace

_STATUS = re.compile(r"(?:code|status|deny_status) (\d{3})")
_SERVER = re.compile(r"^server(?:-template)? \S+(?: \d+)? (?P<at>\S+:\d+)(?P<more>.*)$")
_ANSWERS = re.compile(r"http-request (?:deny|reject|return|redirect|auth)")
_HTTP_MAPS = (("https.map", 308),)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a file, by its number."""

    path: str
    number: int
    text: str


def _lines(files: Files, path: str) -> list[Line]:
    text = files.get(path, b"").decode("utf-8", "replace")
    return [Line(path, number, line) for number, line in enumerate(text.split("\n"), start=1)]


def _rows(files: Files, name: str) -> dict[str, tuple[str, Line]]:
    found: dict[str, tuple[str, Line]] = {}
    for line in _lines(files, f"{MAPS}/{name}"):
        key, _, value = line.text.partition(" ")
        if key:
            found.setdefault(key, (value, line))
    return found


def about(files: Files, site: Domain) -> Files:
    """Return the files of a site, and the lines of the shared ones that are about it."""
    file = re.escape(site_file(site)).encode()
    named = re.findall(rb"^(\S+) " + file + rb"$", files.get(f"{MAPS}/sites.map", b""), re.MULTILINE)
    keys = b"|".join(map(re.escape, named)) or rb"(?!)"
    row = re.compile(rb"^(?:(?:" + keys + rb") .*|\S+ " + file + rb"(?::.*)?)(?:\n|\Z)", re.MULTILINE)
    patterns = {
        FRONTEND: re.compile(rb"^.*\{ var\(txn\.site\) -m str " + file + rb" \}.*\n?", re.MULTILINE),
        CERTS: re.compile(rb"^@" + file + rb"(?::\d+)?/.*\n?", re.MULTILINE),
        **{path: row for path in files if path.startswith(f"{MAPS}/") and path != CERTS},
    }
    found = {path: body for path, body in files.items() if site_of(path) == site or path == blocked_by(site)}
    for path, pattern in patterns.items():
        kept = b"".join(pattern.findall(files.get(path, b"")))
        if kept:
            found[path] = kept
    return found


def _place(files: Files, line: Line) -> str:
    path, number = original(files, line.path, line.number)
    return f"{HAPROXY.path}/{path}:{number}"


def tracer(files: Files, name: str) -> Tracer:
    """Return what :meth:`Proxy.tracer` promises."""
    return lambda request, port: _trace(files, name, request, port)


def _trace(files: Files, name: str, request: Request, port: int) -> Trace | None:
    sites, tls = _rows(files, "sites.map"), port == HTTPS_PORT
    binds = (f"bind *:{port} ", f"bind *:{port},")
    bind = next((one for one in _lines(files, FRONTEND) if f"{one.text.strip()} ".startswith(binds)), None)
    if bind is None:
        return None
    wild = wildcard_of(name)
    key = name if name in sites else wild if wild in sites else None
    if key is None:
        return _unknown(files, bind, tls=tls)
    site, row = sites[key]
    block = Block(row.text, _place(files, row))
    match = ServerMatch.EXACT if key == name else ServerMatch.WILDCARD
    for file, status in ((f"canonical-{'https' if tls else 'http'}.map", 308), *(() if tls else _HTTP_MAPS)):
        if name in (found := _rows(files, file)):
            at = found[name][1]
            code = status if file.startswith("canonical") or request.method not in {"GET", "HEAD"} else 301
            return Trace(block, match, None, Action(Outcome.REDIRECT, at.text, _place(files, at), status=code))
    path = normalized(request.target)
    if path is None:
        return Trace(block, match, None, Action(Outcome.REFUSE, "return status 400", _place(files, row), status=400))
    acls = Acls([line.text for line in _lines(files, FRONTEND)], request, path, site)
    chosen, place, rules = _chosen(files, site, path, acls)
    backend = list(_backend(files, chosen))
    if not backend:
        action = Action(Outcome.REFUSE, f"no back end {chosen}", _place(files, row), status=503)
        return Trace(block, match, place, action, rules)
    location = place or Block(backend[0].text, _place(files, backend[0]))
    return Trace(block, match, location, _action(files, backend), (*rules, *_own_rules(files, backend)))


def _unknown(files: Files, bind: Line, *, tls: bool) -> Trace:
    place = _place(files, bind)
    action = Action(Outcome.REFUSE, "strict-sni", place)
    if not tls:
        lines = _lines(files, FRONTEND)
        at = next((index for index, one in enumerate(lines) if one.text.strip() == "# Names that no site has."), 0)
        answer = lines[at + 1]
        status = _STATUS.search(answer.text)
        outcome = Outcome.REDIRECT if " redirect " in answer.text else Outcome.ANSWER if status else Outcome.CLOSE
        action = Action(outcome, answer.text.strip(), _place(files, answer), status=int(status[1]) if status else None)
    return Trace(Block(bind.text.strip(), place), ServerMatch.DEFAULT, None, action)


def _chosen(files: Files, site: str, path: str, acls: Acls) -> tuple[str, Block | None, tuple[Rule, ...]]:
    """Return the back end of a request, the line that chose it, and the lines before that may choose another one."""
    rules: list[Rule] = []
    for line in _lines(files, FRONTEND):
        text = line.text.strip()
        if not text.startswith("http-request set-var(txn.route) str(") or f"-m str {site} }}" not in text:
            continue
        place = _place(files, line)
        holds = acls.holds(text)
        if holds:
            return text.partition("str(")[2].partition(")")[0], Block(text, place), tuple(rules)
        if holds is None:
            kind = RuleKind.MAINTENANCE if ":maintenance)" in text else RuleKind.REWRITE
            rules.append(Rule(kind, text, place))
    exact, prefixes = _rows(files, "exact.map"), _rows(files, "prefixes.map")
    key = f"{site}{map_key(path)}"
    found = exact.get(key)
    whole = f"{key}/"
    while found is None and len(whole) > len(site) + 1:
        found = prefixes.get(whole)
        whole = whole[: whole.rfind("/", 0, -1) + 1]
    if found is None:
        return site, None, tuple(rules)
    return found[0], Block(found[1].text, _place(files, found[1])), tuple(rules)


def _backend(files: Files, name: str) -> Iterator[Line]:
    inside = False
    for line in _lines(files, f"{SITES}/{site_file(site_of_backend(name))}.cfg"):
        if line.text and not line.text[0].isspace():
            inside = line.text == f"backend {name}"
        if inside:
            yield Line(line.path, line.number, line.text.strip())


def _action(files: Files, backend: list[Line]) -> Action:
    servers = [(line, found) for line in backend if (found := _SERVER.match(line.text)) is not None]
    if servers:
        first, found = servers[0]
        targets = tuple(_endpoint(one["at"]) for _, one in servers if " weight 0" not in one["more"])
        scheme = "https" if " ssl " in f"{found['more']} " else "http"
        group = Block(backend[0].text, _place(files, backend[0]))
        return Action(Outcome.PROXY, first.text, _place(files, first), scheme=scheme, targets=targets, group=group)
    for line in backend:
        if not line.text.startswith("http-request ") or " if " in line.text:
            continue
        status = _STATUS.search(line.text)
        outcome = Outcome.REDIRECT if " redirect " in line.text else Outcome.ANSWER
        return Action(outcome, line.text, _place(files, line), status=int(status[1]) if status else None)
    return Action(Outcome.REFUSE, backend[0].text, _place(files, backend[0]), status=503)


def _own_rules(files: Files, backend: list[Line]) -> Iterator[Rule]:
    """Yield the user's own lines in a back end that may answer first."""
    for line in backend:
        place = _place(files, line)
        if f"{HAPROXY.path}/custom/" in place and _ANSWERS.match(line.text):
            yield Rule(RuleKind.ACCESS, line.text, place)


def _endpoint(text: str) -> Endpoint:
    host, _, port = text.rpartition(":")
    return Endpoint(host.strip("[]"), int(port))
