"""A second engine: services run as replicas on two nodes, and the proxy's files are delivered to each node.

No replica has an address that can be dialled from outside, none has labels, and the image of certbot has no
Python. Only the reading of the Compose file and the imitated programs are those of the fake engine.
"""

# ruff: noqa: ARG002  (the ports have the parameters)
from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from stackctl.adapters.fakes.certbot import FakeCa, FakeCertbot
from stackctl.adapters.fakes.compose import resolve_project
from stackctl.adapters.fakes.nginx import FakeNginx
from stackctl.certs.lineage import Certificate
from stackctl.errors import EngineError
from stackctl.model.endpoints import HTTPS_PORT, Endpoint, PortBinding
from stackctl.model.fields import Request
from stackctl.model.layout import CERTBOT_CONF, STAMPS
from stackctl.model.project import Project, Service
from stackctl.model.streams import Transport
from stackctl.model.values import Domain
from stackctl.observed.containers import Container, Deployment, Entry, Inspected, Output, Process
from stackctl.observed.delivery import Staged
from stackctl.observed.ports import Engine, EngineVersion
from stackctl.observed.reply import Reply
from stackctl.proxies.proxy import Files, ProxyLayout
from stackctl.proxies.sites import generation_of
from stackctl.stackfile.locate import ComposeFiles

NODES = ("north", "south")


@dataclass(frozen=True)
class Replica:
    """One replica of a service."""

    service: Service
    node: str
    image: str

    @property
    def id(self) -> str:
        """Where it is, and of what service."""
        return f"{self.node}:{self.service.name}.1"


class Cluster:
    """The state of the cluster, and all of its ports but the delivery."""

    def __init__(self, files: ComposeFiles, now: Callable[[], datetime], images: Mapping[str, tuple[int, ...]]) -> None:
        self.files, self.now, self.images = files, now, images
        self.root = files.directory
        self.replicas: dict[str, Replica] = {}
        self.refused: dict[str, str] = {}
        self.ca = FakeCa()
        self.program = FakeNginx()
        self.stores: dict[str, NodeStore] = {}
        self.loaded: dict[str, Certificate] = {}
        self.loaded_generation: str | None = None

    # Orchestrator

    def version(self) -> EngineVersion:
        """Return a version of no Docker."""
        return EngineVersion("cluster 1", "1")

    def compose_version(self) -> str:
        """Return the version of its reader."""
        return "5.0.0"

    def resolve(self, stackfile: str, texts: Sequence[str] = ()) -> Project:
        """Read the file."""
        return resolve_project(stackfile, self.files.main.name, self.root.name, tuple(texts))

    def service_names(self, stackfile: str) -> frozenset[str]:
        """Return the services: a cluster has no profiles."""
        return frozenset(self.resolve(stackfile).services)

    def attached(self, stackfile: str, project: Project, containers: Deployment) -> Project:
        """Return the project: no service of a cluster uses the container of another."""
        return project

    def containers(self, project: str) -> Deployment:
        """Return all replicas: a cluster has one project."""
        return Deployment(tuple(self._container(replica) for replica in self.replicas.values()))

    def stacks(self) -> dict[str, str]:
        """Return nothing: a cluster has one project."""
        return {}

    def _container(self, replica: Replica) -> Container:
        service = replica.service
        return Container(replica.id, service.name, "running", None, replica.image, service.config_hash, service.role)

    def up(self, services: Sequence[str]) -> None:
        """Place a replica of an app on each node, and one of the proxy and of certbot on the first."""
        project = self.resolve(self.files.main.read_text())
        for name in services or project.services:
            service = project.services[name]
            image = self.image_id(service.image or "")
            if image is None:
                raise EngineError(f"no node has the image of {name}")
            for node in NODES[:1] if service.role in {"proxy", "certbot"} else NODES:
                made = Replica(service, node, image)
                before = self.replicas.get(made.id)
                self.replicas[made.id] = made
                if service.role == "proxy" and before != made and self._load().code:
                    raise EngineError("the proxy does not start")

    def add(self, service: str, count: int) -> None:
        """Refuse: a replica of a cluster has no address, so that none is added beside another."""
        raise EngineError(f"{service} has one replica on each node, not {count}")

    def run_one_off(self, service: str, command: Sequence[str]) -> Output:
        """Refuse likewise."""
        raise EngineError(f"no node runs {command[0]} for {service}")

    def down(self) -> None:
        """End all replicas."""
        self.replicas.clear()

    def remove(self, ids: Sequence[str]) -> None:
        """End replicas."""
        for one in ids:
            self.replicas.pop(one, None)

    def follow(
        self, services: Sequence[str], *, tail: int | None, follow: bool, since: int | None = None
    ) -> Iterator[str]:
        """Yield one line of each replica."""
        yield from (f"{one.service.name} | {one.id} started" for one in self.replicas.values())

    # Images

    def image_id(self, image: str) -> str | None:
        """Return a name for the content."""
        return f"content of {image}" if image in self.images else None

    def exposed_ports(self, image: str) -> tuple[int, ...]:
        """Return its ports."""
        return self.images.get(image, ())

    def pull(self, image: str) -> None:
        """Fail: there is no registry."""
        raise EngineError(f"no registry has {image}")

    # Containers

    def _replica(self, container: str) -> Replica:
        if container not in self.replicas:
            raise EngineError(f"no replica {container}")
        return self.replicas[container]

    def inspect(self, container: str) -> Inspected:
        """Return what is known: its networks without addresses, and not where it listens."""
        service = self._replica(container).service
        networks = dict.fromkeys(sorted(service.networks), "")
        return Inspected(container, "running", service.name, started=self.now(), networks=networks)

    def accepts(self, container: Container, port: int) -> bool | None:
        """Ask the node, as no address of a replica can be dialled."""
        replica = self.replicas.get(container.id)
        return replica is not None and port in self.exposed_ports(replica.service.image or "")

    def execute(self, container: str, command: Sequence[str]) -> Output:
        """Run the programs of the proxy and of certbot."""
        self._replica(container)
        return self._command(command)

    def signal(self, container: str, signal: str, processes: tuple[str, ...]) -> bool:
        """Refuse: a cluster has no signals, so that the command reloads."""
        self._replica(container)
        return False

    def stream(self, service: str, command: Sequence[str], stdin: str) -> Iterator[str]:
        """Refuse: there is no Python."""
        raise EngineError(f"{service} has no {command[0]}")

    def read_tree(self, role: str, path: str) -> dict[str, bytes]:
        """Return the files of the shared disk."""
        root = self._on_disk(path)
        return {str(file.relative_to(root)): file.read_bytes() for file in root.rglob("*") if file.is_file()}

    def entries(self, container: str, path: str, limit: int) -> Mapping[str, Entry]:
        """Return nothing: only adoption reads files, and it is Docker's."""
        self._replica(container)
        return {}

    def processes(self, container: str) -> tuple[Process, ...]:
        """Return the proxy's process."""
        self._replica(container)
        return (Process(self.program.process, 0),)

    def connections(self, container: str, processes: Collection[int]) -> None:
        """Return nothing: a node does not show them."""
        self._replica(container)

    def log(self, container: str, lines: int) -> str:
        """Return one line."""
        return f"{self._replica(container).id} started" if lines else ""

    def publisher(self, at: PortBinding, transport: Transport = Transport.TCP) -> str | None:
        """Return the replica that publishes a port."""
        wanted = at, transport
        own = {one.id: [(port.at, port.transport) for port in one.service.ports] for one in self.replicas.values()}
        return next((name for name, ports in own.items() if wanted in ports), None)

    # Sandbox

    @contextmanager
    def unstarted(self, image: str) -> Iterator[str]:
        """Provide nothing to read: only adoption needs it."""
        yield image

    def run_once(
        self, image: str, command: Sequence[str], like: Service | None = None, tmpfs: Sequence[str] = ()
    ) -> Output:
        """Run the proxy's program."""
        return self._command(command)

    @contextmanager
    def serving(
        self, service: Service, command: Sequence[str], tmpfs: Sequence[str], beside: str, ports: Collection[int]
    ) -> Iterator[Mapping[int, PortBinding]]:
        """Serve nothing: only adoption needs it."""
        yield {}

    def _command(self, command: Sequence[str]) -> Output:
        asked = self.program.asked(command)
        if asked is not None:
            if asked.what == "version":
                return self.program.print_version()
            return self._load() if asked.what == "reload" else self._test(asked.root)
        certbot = FakeCertbot(self.root / CERTBOT_CONF.path, self.ca, self.now, self.refused, lambda: True)
        match list(command):
            case ["certbot", "certonly", *argv]:
                lineage = argv[argv.index("--cert-name") + 1]
                last = list(certbot.run(lineage, argv))[-1]
                return Output(int('"failed"' in last), last)
            case ["certbot", "delete", *_, lineage]:
                return certbot.delete(lineage)
        raise EngineError(f"no program {command[0]}")

    def _test(self, root: str) -> Output:
        layout = self.program.layout
        folder = self.stores[layout.directory].folder(NODES[0]) / root
        return self.program.test(folder, f"{layout.mount}/{root}", self._on_disk)

    def _load(self) -> Output:
        store = self.stores[self.program.layout.directory]
        name = store.published()
        tested = self._test(name or "nothing")
        if tested.code == 0 and name is not None:
            self.loaded_generation = name
            self.loaded = self.program.certificates(store.folder(NODES[0]) / name, self._on_disk)
        return tested

    def _on_disk(self, path: str) -> Path:
        inside = path.removeprefix(STAMPS.mount)
        return self.root / "nowhere" if inside == path else self.root / STAMPS.path / inside.lstrip("/")

    # Wire

    def _serves(self) -> bool:
        return any(one.service.role == "proxy" for one in self.replicas.values())

    def generation(self, http: PortBinding) -> str | None:
        """Return what the proxy loaded."""
        return self.loaded_generation if self._serves() else None

    def served(self, https: PortBinding, names: Sequence[Domain]) -> dict[Domain, Certificate | None]:
        """Return what the proxy loaded for the names."""
        return {name: self.loaded.get(name) if self._serves() else None for name in names}

    offered = served

    def ask(self, at: PortBinding, name: Domain, sent: Request, *, tls: bool) -> Reply:
        """Answer for the app."""
        return Reply(200, certificate=self.loaded.get(name) if tls else None)

    def speaks_quic(self, at: PortBinding) -> bool:
        return False

    def responds(self, http: PortBinding) -> bool:
        """Whether the proxy runs."""
        return self.generation(http) is not None

    def answers(self, at: Endpoint) -> bool:
        """Whether something outside listens: nothing does."""
        return at.port == HTTPS_PORT

    def refuses(self, at: Endpoint) -> bool:
        """Whether nothing listens outside."""
        return not self.answers(at)

    def owner(self, at: PortBinding, transport: Transport = Transport.TCP) -> str | None:
        """Return who holds a port: nobody."""
        return None


class NodeStore:
    """The :class:`~stackctl.observed.ports.Delivery` of the cluster: a copy of each generation on every node."""

    def __init__(self, cluster: Cluster, layout: ProxyLayout) -> None:
        self._cluster, self._layout = cluster, layout
        self._sets: dict[str, Files] = {}
        self._published: str | None = None

    def folder(self, node: str) -> Path:
        """Return the folder of a node, which is not in the stack's directory."""
        return self._cluster.root.parent / f"node-{node}"

    def published(self) -> str | None:
        """Return the id that the nodes were given last."""
        return self._published

    def live(self) -> dict[str, bytes]:
        """Return its files."""
        return dict(self._sets[self._published]) if self._published else {}

    def missing(self) -> tuple[str, ...]:
        """Return nothing: a node needs no links."""
        return ()

    def in_the_way(self) -> dict[str, str]:
        """Return nothing: the share has only the cluster's own files."""
        return {}

    def move_aside(self, moves: Mapping[str, str]) -> None:
        """Rename nothing."""

    def prepare(self) -> None:
        """Do nothing."""

    def stage(self, files: Files, marker: Callable[[str], bytes]) -> Staged:
        """Write a set to every node."""
        name = generation_of(files)
        made = name not in self._sets
        self._sets[name] = dict(files)
        for node in NODES:
            for path, content in {**files, self._layout.marker: marker(name)}.items():
                at = self.folder(node) / name / path
                at.parent.mkdir(parents=True, exist_ok=True)
                at.write_bytes(content)
        return Staged(name, name, made)

    def test(self, command: Sequence[str], project: Project, service: str) -> Output:
        """Test it on the first node."""
        return self._cluster.run_once(project.services[service].image or "", command)

    def go_live(self, generation: str) -> None:
        """Name it to the nodes."""
        self._published = generation

    def discard(self, staged: Staged) -> None:
        """Remove a set that was made."""
        if staged.made and staged.name != self._published:
            del self._sets[staged.name]
            for node in NODES:
                shutil.rmtree(self.folder(node) / staged.name)


def engine_of(cluster: Cluster) -> Engine:
    """Return the ports of the cluster."""

    def delivery(layout: ProxyLayout) -> NodeStore:
        return cluster.stores.setdefault(layout.directory, NodeStore(cluster, layout))

    return Engine(cluster, cluster, cluster, cluster, delivery)
