"""Measure how requests are shared among servers: by weights, and by the cookie of a client."""

from __future__ import annotations

import http.client
import threading
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from stackctl.model.backends import Backend, Server
from stackctl.model.balancing import Sticky
from stackctl.model.endpoints import Endpoint
from stackctl.model.matching import Match
from stackctl.model.routing import Route, Site
from stackctl.model.values import Domain
from tests.bench import lab, proxies
from tests.bench.apps import app
from tests.bench.figures import Report
from tests.bench.load import TELLING, under_load, wait_ready
from tests.e2e.helpers import Secure

PORT = 28081
STICKY = f"sticky.{proxies.SITE}"
WEIGHTS = (1, 2, 5)
REQUESTS, SECONDS = 100_000, 5
JARS, EACH, CLIENTS = 1000, 20, 8


@dataclass
class Jar:
    """A browser's cookies, and the server of each of its requests."""

    cookie: str | None = None
    given: set[str] = field(default_factory=set)
    servers: list[str] = field(default_factory=list)


def measure(options: lab.Options) -> Report:
    report = Report("balancing", "Requests shared among servers")
    lab.build_tools()
    with ExitStack() as stack:
        apps = [stack.enter_context(app(str(number), PORT + number)) for number in range(len(WEIGHTS))]
        sites = (_site(proxies.SITE, None, WEIGHTS), _site(STICKY, Sticky(), (1, 1, 1)))
        server = stack.enter_context(proxies.nginx(28443, "stackctl's nginx", proxies.rendered(sites)))
        wait_ready(server)
        _shares(report, options, server)
        _sticky(report, options, server, apps)
    return report


def _site(name: str, sticky: Sticky | None, weights: Sequence[int]) -> Site:
    servers = (Server(Endpoint("127.0.0.1", PORT + number), weight=weight) for number, weight in enumerate(weights))
    return Site((Domain(name),), (Route(Match(), Backend(tuple(servers), sticky=sticky)),))


# Weights


def _shares(report: Report, options: lab.Options, server: proxies.Server) -> None:
    told: Counter[str] = Counter()
    while sum(told.values()) < (1000 if options.quick else REQUESTS):
        told.update(under_load(server, 1 if options.quick else SECONDS, script=TELLING).told)
    total = sum(told.values())
    due = [total * weight / sum(WEIGHTS) for weight in WEIGHTS]
    away = max(abs(told[f"app{number}"] - share) / share for number, share in enumerate(due)) * 100
    shares = " : ".join(f"{told[f'app{number}']:,}" for number in range(len(WEIGHTS)))
    what = f"furthest from its weight, {':'.join(map(str, WEIGHTS))}"
    report.within(report.add(what, "stackctl's nginx", "%", [away], f"{shares} of {total:,} requests"), 5.0)
    options.say(f"balancing: {shares} of {total:,}, {away:.2f} % away")


# Cookies


def _sticky(report: Report, options: lab.Options, server: proxies.Server, apps: Sequence[str]) -> None:
    count, each = (64, 4) if options.quick else (JARS, EACH)
    jars = [Jar() for _ in range(count)]
    _ask(server.port, jars, each)
    stayed = sum(len(set(jar.servers)) == 1 and len(jar.given) == 1 for jar in jars)
    homes = [jar.servers[0] for jar in jars]
    lab.docker("kill", apps[0])
    _ask(server.port, jars, each)
    moved = [jar for jar, home in zip(jars, homes, strict=True) if home == "0"]
    others = [jar for jar, home in zip(jars, homes, strict=True) if home != "0"]
    once = sum(len(set(jar.servers[each:])) == 1 and len(jar.given) == 2 for jar in moved)
    still = sum(len(set(jar.servers)) == 1 and len(jar.given) == 1 for jar in others)
    for what, found, of in (
        (f"stay for {each} requests", stayed, count),
        ("move once when their server is killed", once, len(moved)),
        ("stay when another one is killed", still, len(others)),
    ):
        share = report.add(f"cookie jars that {what}", "stackctl's nginx", "%", [100 * found / of], f"{found} of {of}")
        report.enough(share.what, 100, share.median, "%")
    options.say(f"balancing: of {count} jars {stayed} stay, of {len(moved)} moved {once} did it once")


def _ask(port: int, jars: Sequence[Jar], each: int) -> None:
    """Let each jar ask so often, on connections that all share."""
    problems: list[BaseException] = []

    def client(mine: Sequence[Jar]) -> None:
        context = lab.trusting((proxies.certificates() / "live" / proxies.SITE / "fullchain.pem").read_text())
        context.check_hostname = False  # both sites have the certificate of the first
        connection = Secure("127.0.0.1", STICKY, context, port=port)
        try:
            for _ in range(each):
                for jar in mine:
                    _ask_once(connection, jar)
        except (OSError, http.client.HTTPException, lab.BenchError) as error:
            problems.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=client, args=(jars[number::CLIENTS],)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if problems:
        raise lab.BenchError(f"a client failed: {problems[0]!r}")


def _ask_once(connection: Secure, jar: Jar) -> None:
    connection.request("GET", "/", headers={"Cookie": jar.cookie} if jar.cookie else {})
    response = connection.getresponse()
    body = response.read().decode().strip()
    if response.status != http.client.OK:
        raise lab.BenchError(f"a request was answered with {response.status}")
    given = response.headers["Set-Cookie"]
    if given:
        jar.cookie = given.partition(";")[0]
        jar.given.add(jar.cookie)
    jar.servers.append(body)
