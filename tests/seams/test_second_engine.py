"""An engine that exists in the tests alone goes through the use cases by one line that registers it."""

# ruff: noqa: ARG002  (the port has the parameters)
from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from stackctl.adapters.engines import ENGINES
from stackctl.engine.context import Context
from stackctl.model.values import Domain
from stackctl.observed.network import Answer, CaDirectory, Fetched, Lookup, Reach
from stackctl.stackfile.locate import locate
from stackctl.usecases import session
from stackctl.usecases.add_app import AddApp, add_app
from stackctl.usecases.as_json import payload_object
from stackctl.usecases.config import config
from stackctl.usecases.init import init
from stackctl.usecases.logs import Query, logs
from stackctl.usecases.remove_app import remove_app
from stackctl.usecases.renew import renew
from stackctl.usecases.result import Result
from stackctl.usecases.rollback import rollback
from stackctl.usecases.status import status
from stackctl.usecases.up_down import down, up
from tests.seams.engine.cluster import NODES, Cluster, engine_of
from tests.usecases.world import IMAGES, OPTIONS, Clock, Notes, done

ONE, TWO = Domain("one.example.com"), Domain("two.example.com")


class Everywhere:
    """A network in which every name resolves to this host."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def lookup(self, name: str, kind: str) -> Lookup:
        return Lookup(Answer.FOUND, ("192.0.2.1",)) if kind == "A" else Lookup(Answer.EMPTY)

    def has_ipv6(self) -> bool:
        return False

    def own_addresses(self) -> frozenset[str]:
        return frozenset({"192.0.2.1"})

    def fetch(self, address: str, port: int, name: str, path: str) -> Fetched:
        file = self._root / "data/certbot/www" / path.lstrip("/")
        return Fetched(address, Reach.ANSWERED, 200, file.read_bytes() if file.is_file() else b"")

    def ca_directory(self, url: str, bundle: bytes | None) -> CaDirectory:
        return CaDirectory(url, timedelta(), ("ca.example",))


class Site:
    """A stack on the cluster, opened anew for each command as the command line does."""

    def __init__(self, root: Path, patch: pytest.MonkeyPatch) -> None:
        root.mkdir()
        self.root, self.clock, self.report = root, Clock(), Notes()
        self.cluster = Cluster(locate(root, {}), self.clock, dict(IMAGES))
        patch.setitem(ENGINES, "docker", lambda _files: engine_of(self.cluster))
        patch.setattr(session, "HostWire", lambda: self.cluster)
        patch.setattr(session, "HostNetwork", lambda _resolver: Everywhere(root))

    @property
    def context(self) -> Context:
        environ = {"XDG_CACHE_HOME": str(self.root.parent / "cache")}
        return session.open_stack(self.root, report=self.report, environ=environ, clock=self.clock)

    def add(self, name: Domain, **more: str) -> Result[None]:
        return add_app(self.context, AddApp(name, **more))  # type: ignore[arg-type]

    def served(self) -> dict[str, str]:
        return {row["app"]: row["served"] for row in payload_object(status(self.context).payload)["apps"]}

    def settled(self) -> None:
        assert str(up(self.context).plan) == ""


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    made = Site(tmp_path / "stack", monkeypatch)
    done(init(made.context, OPTIONS))
    return made


@pytest.fixture
def site(stack: Site) -> Site:
    done(stack.add(ONE))
    return stack


def test_a_stack_is_made_and_its_files_are_on_every_node(stack: Site) -> None:
    assert sorted(stack.cluster.replicas) == ["north:certbot.1", "north:nginx.1"]
    name = stack.cluster.loaded_generation
    assert all((stack.root.parent / f"node-{node}" / str(name) / "nginx.conf").is_file() for node in NODES)
    assert not (stack.root / "nginx/live").exists()
    stack.settled()


def test_an_app_is_added_and_runs_on_every_node(site: Site) -> None:
    assert {"north:one.1", "south:one.1"} <= site.cluster.replicas.keys()
    assert site.served() == {ONE: "real"}
    site.settled()


def test_a_changed_route_is_taken_up(site: Site) -> None:
    site.cluster.images = {**IMAGES, "one:latest": (8000, 8001)}
    file = site.root / "docker-compose.yml"
    file.write_text(file.read_text().replace("port: 8000", "port: 8001"))
    done(up(site.context))
    store = site.cluster.stores[site.cluster.program.layout.directory]
    assert b"one:8001" in store.live()[f"sites/{ONE}.conf"]
    assert site.cluster.loaded_generation == store.published()
    site.settled()


def test_a_wrong_file_is_refused_and_leaves_no_trace_on_a_node(site: Site) -> None:
    (site.root / f"nginx/custom/{ONE}.conf").write_text("not_a_directive;\n")
    before = site.cluster.loaded_generation
    (error,) = up(site.context).errors
    assert error.where == f"nginx/custom/{ONE}.conf:1"
    assert site.cluster.loaded_generation == before
    texts = [file.read_text() for file in (site.root.parent / "node-south").rglob("*") if file.is_file()]
    assert not [text for text in texts if "not_a_directive" in text]
    assert site.served() == {ONE: "real"}


def test_a_certificate_is_renewed(site: Site) -> None:
    before = site.cluster.loaded[ONE]
    site.clock.now += timedelta(days=70)
    done(renew(site.context))
    assert site.cluster.loaded[ONE] != before
    site.settled()


def test_a_certificate_that_is_refused_costs_no_other_site(site: Site) -> None:
    site.cluster.refused = {TWO: "dns"}
    assert site.add(TWO).errors
    assert site.served() == {ONE: "real", TWO: "dummy"}


def test_an_app_is_removed(site: Site) -> None:
    done(site.add(TWO))
    done(remove_app(site.context, ONE))
    assert site.served() == {TWO: "real"}
    site.settled()


def test_a_change_is_rolled_back(site: Site) -> None:
    done(site.add(TWO))
    done(rollback(site.context))
    assert site.served() == {ONE: "real"}
    assert site.cluster.loaded.keys() == {ONE}
    site.settled()


def test_what_only_looks_works_and_what_stops_stops(site: Site) -> None:
    assert payload_object(config(site.context, ONE).payload)["live"]
    assert list(logs(site.context, Query(tail=5)))
    done(down(site.context))
    assert not site.cluster.replicas
    done(up(site.context))
    assert site.served() == {ONE: "real"}
