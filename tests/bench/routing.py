"""Measure what routes cost: the test of a configuration with 1,000 rules, and throughput with 100 routes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from itertools import cycle, islice

from stackctl.model.backends import Backend, Server
from stackctl.model.endpoints import Endpoint
from stackctl.model.matching import Conditions, FieldMatch, Match, PathKind, PathMatch, Text
from stackctl.model.routing import Answer, Redirect, Route, Site, everything_to
from stackctl.model.streams import Stream
from stackctl.model.values import Domain
from tests.bench import lab, proxies
from tests.bench.figures import Report
from tests.bench.load import under_load, wait_ready

RULES, TESTS = 1000, 15
ROUTES, SITES = 100, 50
SECONDS, ROUNDS = 2, 8

APPS = [Backend((Server(Endpoint("127.0.0.1", lab.UPSTREAM_PORT), weight=number),)) for number in (1, 2, 3)]
"""Three of them, as nginx knows them: all are the one upstream."""

DEEP = "/v2/shop/99"
"""A path that belongs to the last route."""


def rule(kind: str, number: int) -> Route:
    """Return one of many rules of a kind."""
    app = APPS[number % len(APPS)]
    match kind:
        case "paths and methods":
            return Route(Match(Conditions((PathMatch(f"/api/{number}"),), ("POST", "PUT"))), app)
        case "headers":
            return Route(Match(Conditions(headers=(FieldMatch("x-tenant", (Text(f"tenant-{number}"),)),))), app)
        case "regexes of a header":
            return Route(
                Match(Conditions(headers=(FieldMatch("x-version", (Text(rf"^{number}\.", regex=True),)),))), app
            )
        case "parameters and cookies":
            wanted = FieldMatch("group", (Text(f"beta-{number}"),))
            return Route(Match(Conditions(query=(wanted,)) if number % 2 else Conditions(cookies=(wanted,))), app)
        case "redirects by regex":
            path = PathMatch(rf"^/old/{number}/\d+$", PathKind.REGEX)
            return Route(Match(Conditions((path,))), Redirect(f"https://new.example.com/{number}"))
        case "answers":
            return Route(
                Match(Conditions((PathMatch(f"/closed/{number}"),), ("DELETE",))), Answer(403, f"no {number}\n")
            )
    raise ValueError(kind)


KINDS = (
    *("paths and methods", "headers", "regexes of a header", "parameters and cookies", "redirects by regex", "answers"),
)


NONE = "no rule"


def _mixed(count: int) -> list[Route]:
    return [rule(kind, number) for number, kind in enumerate(islice(cycle(KINDS), count))]


def measure(options: lab.Options) -> Report:
    report = Report("routing", "What routes cost")
    lab.build_tools()
    _tests(report, options)
    with lab.upstream():
        _throughput(report, options)
    return report


# The test of a configuration


def _tests(report: Report, options: lab.Options) -> None:
    count, times = (100, 2) if options.quick else (RULES, TESTS)
    sets = {NONE: [], "all kinds in turn": _mixed(count)}
    if not options.quick:
        sets |= {kind: [rule(kind, one) for one in range(count)] for kind in KINDS}
    report.note(
        "The processor time of `nginx -t`, user and system, for one site with the rules and three apps; the"
        " configurations alternate in one container."
    )
    cpu = _cpu(sets, times)
    none = report.add("nginx -t", NONE, "ms", cpu.pop(NONE))
    options.say(f"nginx -t: {none.median:.0f} ms")
    for kind, values in cpu.items():
        found = report.add(f"nginx -t, {kind}", f"{count:,} rules", "ms", values)
        report.at_most(found, 2.0, none)
        options.say(f"nginx -t, {count:,} rules, {kind}: {found.median:.0f} ms")


def _cpu(sets: dict[str, list[Route]], times: int) -> dict[str, list[float]]:
    """Return the milliseconds of each run of ``nginx -t``, by the set of rules."""
    folder = lab.OUT / "rules"
    for number, rules in enumerate(sets.values()):
        for path, content in proxies.rendered([_site(rules)]).items():
            (folder / str(number) / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / str(number) / path).write_bytes(content)
    volumes = ["--volume", f"{folder}:/rules:ro", "--volume", f"{proxies.certificates()}:/etc/letsencrypt:ro"]
    script = (
        f"TIMEFORMAT='%U %S'; for round in $(seq {times}); do for set in $(seq 0 {len(sets) - 1}); do "
        "time nginx -e /dev/stderr -t -q -c /rules/$set/nginx.conf || exit; done; done"
    )
    command = ("--entrypoint", "bash", lab.NGINX, "-c", f"exec 2>&1; {script}")
    lines = lab.docker("run", "--rm", "--network", "none", *proxies.NGINX_OPTIONS, *volumes, *command).splitlines()
    if len(lines) != times * len(sets):
        raise lab.BenchError(f"nginx -t printed: {' '.join(lines)[-500:]}")
    values = [sum(map(float, line.split())) * 1000 for line in lines]
    return {what: values[number :: len(sets)] for number, what in enumerate(sets)}


def _site(rules: Sequence[Route], name: str = proxies.SITE) -> Site:
    return Site((Domain(name),), (Route(Match(), APPS[0]), *rules))


# Throughput


def _throughput(report: Report, options: lab.Options) -> None:
    seconds, rounds = (1, 1) if options.quick else (SECONDS, ROUNDS)
    report.note(
        f"Throughput: requests for `{DEEP}`, which is below the last of the paths and meets no rule. nginx as stackctl"
        " renders it, with its access log; all containers run, and are loaded in turn. Its processor time depends less"
        " on what else the machine does."
    )
    sets = _sets()
    if options.quick:
        sets = {what: sets[what] for what in (ALONE, BY_RULE, BEHIND)}
    rates: dict[str, list[float]] = {what: [] for what in sets}
    costs: dict[str, list[float]] = {what: [] for what in sets}
    with ExitStack() as stack:
        servers = [
            stack.enter_context(proxies.nginx(28443 + 2 * number, what, files))
            for number, (what, files) in enumerate(sets.items())
        ]
        for server in servers:
            wait_ready(server)
        for number in range(rounds):
            for server in servers:
                before = proxies.processor_time(server)
                load = under_load(server, seconds, path=DEEP)
                # A few may time out if the machine is busy; more would make the rate meaningless.
                if not load.requests or load.lost > load.requests / 1000:
                    raise lab.BenchError(
                        f"{server.subject} lost {load.lost} of {load.requests} requests: {load.details}"
                    )
                rates[server.subject].append(load.rate)
                costs[server.subject].append((proxies.processor_time(server) - before) * 1e6 / load.requests)
                options.say(f"routing, round {number + 1}: {server.subject} {load.rate:,.0f}/s")
    found = {what: report.add(f"throughput, {what}", what, "requests/s", values) for what, values in rates.items()}
    for what, values in costs.items():
        report.add("nginx's processor time for a request", what, "µs", values)
    for ours, share, theirs in ((BY_PATH, 0.95, ALONE), (BY_RULE, 0.95, ALONE), (BEHIND, 0.9, MANY)):
        if {ours, theirs} <= {*found}:
            report.at_least(found[ours], share, found[theirs])


ALONE, BY_PATH, BY_RULE = "one route", f"{ROUTES} routes by path", f"{ROUTES // 2} routes by path and as many rules"
MANY, BEHIND = f"{SITES} sites", f"{SITES} sites behind a passthrough"


def _sets() -> dict[str, dict[str, bytes]]:
    """Return the files of each nginx under load."""
    paths = [Route(Match.of(f"/v2/shop/{ROUTES - one}"), APPS[one % 3]) for one in range(1, ROUTES)]
    alone = Site((Domain(proxies.SITE),), everything_to(Server(proxies.UPSTREAM)))
    sites = [alone, *(_site([], f"site-{number}.example.com") for number in range(1, SITES))]
    passed = Stream(proxies.UPSTREAM, Domain("passed.example.com"))
    return {
        ALONE: proxies.rendered([alone]),
        BY_PATH: proxies.rendered([_site(paths)]),
        BY_RULE: proxies.rendered([_site([*paths[: ROUTES // 2], *_mixed(ROUTES // 2)])]),
        MANY: proxies.rendered(sites),
        BEHIND: proxies.rendered(sites, [passed]),
    }
