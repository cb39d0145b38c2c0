"""Several servers behind one site, on the wire: shares, cookies, drains, and replicas that come and go under load."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field

import pytest

from stackctl.errors import ExitCode
from tests.e2e.conftest import NewStack
from tests.e2e.helpers import BUSY, Secure, Stack, docker, inspect, trusting, wait_until
from tests.e2e.load import PAUSE

pytestmark = pytest.mark.e2e


@dataclass
class Shared:
    """A stack with a service of three containers, and a site that lists their addresses with weights.

    Attributes:
        servers: the addresses of the containers, with the names that these answer with.
    """

    stack: Stack
    web: str
    listed: str
    servers: dict[str, str]

    def place(self, at: str) -> str | None:
        """Whether the proxy passes requests to a container that it asks, by its own notes: 'in' or 'out'."""
        text = docker("exec", self.stack.container("nginx"), "sh", "-c", "cat /run/stackctl/health/state || :")
        rows = [line.split("\t") for line in text.splitlines()]
        return next((row[7] for row in rows if at in row), None)


def containers(stack: Stack) -> dict[str, str]:
    """The running containers of the service, by the name that each answers with."""
    found = docker("ps", "--quiet", "--filter", f"label=com.docker.compose.project={stack.project}", "--filter",
                   "label=com.docker.compose.service=web").split()  # fmt: skip
    return {inspect(one)["Config"]["Hostname"]: one for one in found}


def address(container: str) -> str:
    (network,) = inspect(container)["NetworkSettings"]["Networks"].values()
    return f"{network['IPAddress']}:8000"


@pytest.fixture(scope="module")
def shared(new_stack: NewStack) -> Shared:
    stack = new_stack()
    stack.init()
    web = stack.add("web")
    stack.edit("  web:\n", "  web:\n    deploy: {replicas: 3}\n")
    stack.ok("up")
    servers = {address(one): name for name, one in containers(stack).items()}
    listed = stack.domain("listed")
    stack.add_dns(listed)
    stack.ok("add-app", listed, "--upstream", next(iter(servers)))
    items = [f"{{address: '{at}', weight: {weight}}}" for at, weight in zip(servers, (1, 1, 2), strict=True)]
    stack.edit(f'upstream: "{next(iter(servers))}"', f"upstreams: [{', '.join(items)}]")
    stack.ok("up")
    return Shared(stack, web, listed, servers)


@dataclass
class Client:
    """A browser: it keeps the cookie that it gets."""

    connection: Secure
    cookie: str | None = None
    given: set[str] = field(default_factory=set)

    def ask(self, agent: str = "test") -> str:
        """The name of the server that answers."""
        headers = {"User-Agent": agent} | ({"Cookie": self.cookie} if self.cookie else {})
        try:
            response = self._response(headers)
        except http.client.RemoteDisconnected:  # a kept connection, closed by a reload
            response = self._response(headers)
        body = response.read()
        assert response.status == 200, body
        given = response.headers["Set-Cookie"]
        if given:
            self.cookie = given.partition(";")[0]
            self.given.add(given)
        return str(json.loads(body)["app"])

    def _response(self, headers: dict[str, str]) -> http.client.HTTPResponse:
        self.connection.request("GET", "/", headers=headers)
        return self.connection.getresponse()


Clients = Callable[[str], Client]
"""Makes clients of a site."""


@pytest.fixture
def clients(shared: Shared) -> Iterator[Clients]:
    with ExitStack() as opened:

        def make(name: str) -> Client:
            secure = Secure(shared.stack.address, name, trusting(shared.stack.lab.root))
            return Client(opened.enter_context(closing(secure)))

        yield make


@contextmanager
def load(shared: Shared, clients: Clients, name: str) -> Iterator[Counter[str]]:
    """What GETs get meanwhile, by the server that answers; anything else than 200 is an error here.

    A response that was begun by a server that is killed has no rest: nothing could repeat it.
    """
    seen: Counter[str] = Counter()
    errors: list[BaseException] = []
    ends = threading.Event()

    def ask() -> None:
        one = clients(name)
        try:
            while not ends.wait(PAUSE):
                try:
                    seen[one.ask()] += 1
                except http.client.IncompleteRead:
                    seen["cut"] += 1
                    one.connection.close()
        except BaseException as error:  # noqa: BLE001  (the test reports it)
            errors.append(error)

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        ends.set()
        for thread in threads:
            thread.join()
    assert not errors, (errors, docker("logs", "--tail", "40", shared.stack.container("nginx")))


def asked(seen: Counter[str], more: int) -> None:
    """Wait until there were so many more requests."""
    before = seen.total()
    wait_until(lambda: seen.total() >= before + more, what="requests are answered")


def test_requests_are_shared_by_weight(shared: Shared, clients: Clients) -> None:
    one = clients(shared.listed)
    seen = Counter(one.ask() for _ in range(200))
    shares = [seen[name] for name in shared.servers.values()]
    assert all(abs(share - due) <= 0.05 * due for share, due in zip(shares, (50, 50, 100), strict=True)), seen


def test_a_client_stays_until_its_server_is_gone(shared: Shared, clients: Clients) -> None:
    stack, (first, *others) = shared.stack, shared.servers
    stack.ok("set", shared.listed, "sticky=true")
    jars = [clients(shared.listed) for _ in range(12)]
    homes = [jar.ask() for jar in jars]
    assert {*homes} == {*shared.servers.values()}
    assert all(jar.ask() == home for jar, home in zip(jars, homes, strict=True) for _ in range(5))
    (cookie,) = jars[0].given
    assert all(part in cookie.lower() for part in ("srv=", "secure", "httponly", "samesite=lax"))

    stack.ok("servers", "drain", shared.listed, first)
    assert [jar.ask() for jar in jars] == homes, "who has a cookie stays"
    new = {clients(shared.listed).ask() for _ in range(12)}
    assert new == {shared.servers[other] for other in others}
    assert "drained" in stack.ok("servers", shared.listed).stdout
    stack.ok("servers", "enable", shared.listed, first)

    gone = shared.servers[first]
    docker("stop", "--time", "1", containers(stack)[gone])
    moved = [jar.ask() for jar in jars]
    assert gone not in moved
    assert all(jar.ask() == home for jar, home in zip(jars, moved, strict=True) for _ in range(3))
    assert [len(jar.given) for jar in jars] == [1 + (home == gone) for home in homes], "each moves once"
    shown = stack.ok("servers", shared.listed).stdout
    assert f"{first}: " in shown
    stack.compose("up", "--detach", "--no-recreate")
    stack.ok("set", shared.listed, "sticky=false")


def test_a_server_that_hangs_is_left_out_until_it_answers(shared: Shared, clients: Clients) -> None:
    """Docker takes it for running, and its port accepts connections: only a request shows that it hangs."""
    stack, (hung, *others) = shared.stack, shared.servers
    stack.ok("set", shared.web, "health={path: /healthz, interval: 1s, timeout: 1s, fall: 2, rise: 1}")

    def becomes(place: str) -> float:
        began, before = time.monotonic(), stack.workers()
        wait_until(lambda: shared.place(hung) == place, what=f"{hung} is {place}")
        took = time.monotonic() - began
        wait_until(lambda: not stack.workers() & before, what="nginx has loaded that")
        return took

    wait_until(lambda: shared.place(hung) == "in", what="its servers are asked")
    container = containers(stack)[shared.servers[hung]]
    docker("kill", "--signal", "STOP", container)
    try:
        # Two requests of a second, a second apart, each seen at the next turn.
        assert becomes("out") < 6 * BUSY
        with load(shared, clients, shared.web) as seen:
            asked(seen, 300)
        assert {*seen} == {shared.servers[other] for other in others}
        reason = "/healthz is not answered within 1 s"
        assert f"{hung} (web:8000) gets no requests since " in stack.ok("status").stdout
        assert reason in stack.ok("explain", shared.web).stdout
        assert reason in stack.fails(ExitCode.FAILED, "doctor", shared.web).stdout
        # The container of the proxy does it alone, and after a restart too.
        docker("restart", "--time", "5", stack.container("nginx"))
        wait_until(lambda: shared.place(hung) == "out", what=f"{hung} is out again")
    finally:
        docker("kill", "--signal", "CONT", container)
    with load(shared, clients, shared.web) as seen:
        becomes("in")
        wait_until(lambda: seen[shared.servers[hung]], what="it gets requests again")
        asked(seen, 300)
    assert seen["cut"] == 0
    stack.ok("unset", shared.web, "health")


def test_replicas_come_and_go_without_a_lost_request(shared: Shared, clients: Clients) -> None:
    stack = shared.stack
    with load(shared, clients, shared.web) as seen:
        asked(seen, 100)
        killed, container = next(iter(containers(stack).items()))
        docker("kill", container)
        asked(seen, 300)
        for count in (3, 6, 2):
            stack.compose("up", "--detach", "--no-recreate", "--scale", f"web={count}", "web")
            assert len(containers(stack)) == count
            wait_until(lambda: all(seen[name] for name in containers(stack)), what="each of them gets requests")
            asked(seen, 300)
        for count in (4, 3):
            stack.edit(f"replicas: {7 - count}", f"replicas: {count}")
            stack.ok("up", "--no-issue")
            assert len(containers(stack)) == count
            asked(seen, 300)
    assert killed in seen


@pytest.fixture(scope="module")
def other(shared: Shared) -> str:
    """A site with a service of one container."""
    return shared.stack.add("other")


def test_a_client_is_on_one_side_of_a_canary(shared: Shared, clients: Clients, other: str) -> None:
    stack = shared.stack
    new = clients(other).ask()
    canary = "{service: other, port: 8000, percent: 50, cookie: group=beta}"
    stack.ok("set", shared.web, f"canary={canary}")
    one = clients(shared.web)
    sides = [{one.ask(agent) == new for _ in range(3)} for agent in map(str, range(40))]
    assert all(len(side) == 1 for side in sides)
    assert 8 <= sides.count({True}) <= 32
    one.cookie = "group=beta"
    assert {one.ask(str(agent)) for agent in range(10)} == {new}
    stack.ok("unset", shared.web, "canary")


def test_apps_on_networks_of_their_own_never_get_each_others_requests(shared: Shared, other: str) -> None:
    """Docker gives the address of a stopped container to the next that starts: to whichever starts first here."""
    stack = shared.stack
    stack.edit("  nginx:\n", "  nginx:\n    networks: [default, web, other]\n")
    for service in ("web", "other"):
        stack.edit(f"  {service}:\n", f"  {service}:\n    networks: [{service}]\n")
    stack.file.write_text(f"{stack.file.read_text()}\nnetworks:\n  web:\n  other:\n")
    stack.edit("deploy: {replicas: 3}", "deploy: {replicas: 1}")
    stack.compose("up", "--detach")
    stack.ok("up")
    own = {name: {inspect(stack.container(service))["Config"]["Hostname"]} for name, service in
           ((shared.web, "web"), (other, "other"))}  # fmt: skip
    seen: dict[str, Counter[str]] = {name: Counter() for name in own}
    ends = threading.Event()

    def ask(name: str) -> None:
        while not ends.wait(PAUSE):
            with suppress(AssertionError, OSError, http.client.HTTPException), ExitStack() as opened:
                secure = Secure(stack.address, name, trusting(stack.lab.root))
                seen[name][Client(opened.enter_context(closing(secure))).ask()] += 1

    threads = [threading.Thread(target=ask, args=(name,)) for name in own for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for order in (("other", "web"), ("web", "other")):
            found = [stack.container(service) for service in order]
            docker("kill", *found)
            for container in found:
                docker("start", container)
            for counted in seen.values():
                asked(counted, 50)
    finally:
        ends.set()
        for thread in threads:
            thread.join()
    assert {name: {*counted} for name, counted in seen.items()} == own
