"""Count the requests lost over deploys, and while the number of containers changes, under wrk's load."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench import lab, proxies
from tests.bench.apps import configuration
from tests.bench.ca import Ca
from tests.bench.figures import Report
from tests.bench.load import MIXED, Load, Place, loading
from tests.bench.stacks import init_arguments

DEPLOYS, ENOUGH = 10, 300_000
PATIENCE = 10
"""Seconds that a request may wait for its response."""

LOADS, WARMS = 1, 1
"""Seconds until an app listens, and for which it then answers 503."""

START = (
    f"sleep {LOADS}; (sleep {WARMS}; touch /tmp/warm) & exec nginx -e /dev/stderr -c /app/nginx.conf -g 'daemon off;'\n"
)
NOT_YET = "if (!-e /tmp/warm) { return 503; }"


@dataclass(frozen=True)
class Shop:
    """A stack with an app of which there are new versions."""

    directory: Path

    @property
    def file(self) -> Path:
        return self.directory / "docker-compose.yml"

    def containers(self) -> list[str]:
        filters = (f"com.docker.compose.project={self.directory.name}", "com.docker.compose.service=shop")
        return lab.docker("ps", "--quiet", *(part for one in filters for part in ("--filter", f"label={one}"))).split()

    def compose(self, *arguments: str) -> None:
        lab.run(*lab.compose(), *arguments, cwd=self.directory)

    def edit(self, key: str, value: int | None = None) -> None:
        """Change a number in the definition of the app, as a new version does: by default to the next one."""
        text = self.file.read_text()
        self.file.write_text(
            re.sub(rf"{key}: (\d+)", lambda match: f"{key}: {value or int(match[1]) + 1}", text, count=1)
        )

    def healthy(self, containers: list[str]) -> bool:
        states = lab.docker("inspect", "--format", "{{.State.Health.Status}}", *containers).split()
        return bool(states) and set(states) == {"healthy"}

    def wait_healthy(self) -> None:
        lab.wait_until(lambda: self.healthy(self.containers()), "the containers are healthy", 60)

    def place(self, script: str = "") -> Place:
        """Return where wrk sends requests: to the proxy in its network, past Docker's forwarding of ports."""
        network = f"{self.directory.name}_default"
        address = lab.docker(
            *("inspect", "--format", f'{{{{(index .NetworkSettings.Networks "{network}").IPAddress}}}}'),
            lab.container_of(self.directory, "nginx"),
        )
        return Place(443, address=address, network=network, script=script, patience=PATIENCE)


def with_stackctl(shop: Shop) -> None:
    shop.edit("VERSION")
    lab.stackctl(shop.directory, "up", "--no-issue")


def with_compose(shop: Shop) -> None:
    """Replace the container, as Compose does, and wait until the new one is ready."""
    shop.edit("VERSION")
    shop.compose("up", "--detach")
    shop.wait_healthy()


def with_rollout(shop: Shop) -> None:
    """Take the steps of docker-rollout: start as many again, wait until these are healthy, stop the old ones."""
    shop.edit("VERSION")
    old = shop.containers()
    shop.compose("up", "--detach", "--scale", f"shop={2 * len(old)}", "--no-recreate", "shop")
    new = [one for one in shop.containers() if one not in old]
    lab.wait_until(lambda: shop.healthy(new), "the new containers are healthy", 60)
    lab.docker("stop", *old)
    lab.docker("rm", *old)


WAYS: tuple[tuple[str, Callable[[Shop], None]], ...] = (
    ("stackctl up", with_stackctl),
    ("docker-rollout's steps", with_rollout),
    ("docker compose up -d", with_compose),
)


def measure(options: lab.Options) -> Report:
    report = Report("deploys", "Requests lost over deploys")
    report.note(
        f"One stack, whose proxy is stackctl's nginx; three of ten requests are a POST. The app ends at once when it is"
        f" asked to. A new container takes {LOADS} s until it listens, answers 503 for {WARMS} s more, and has a health"
        " check for it."
    )
    report.note(
        "A request is lost if its connection is closed or refused, if its status is 400 or higher, or if it takes more"
        f" than {PATIENCE} s."
    )
    report.note("docker-rollout's steps: as many containers again, wait until these are healthy, stop the old ones.")
    lab.build_tools()
    with _made() as shop:
        _deploys(report, options, shop)
        _replicas(report, options, shop)
    return report


@contextmanager
def _made() -> Iterator[Shop]:
    """Create the stack; its certificate is a dummy, so it needs no CA."""
    chain = proxies.certificates() / "live" / proxies.SITE / "fullchain.pem"
    with lab.project("deploys") as directory:
        shop = Shop(directory)
        nobody = Ca("https://127.0.0.1:9/dir", "", chain, "")
        lab.stackctl(directory, *init_arguments(nobody, lab.STACKS_AT[0]))
        (directory / "app").mkdir()
        (directory / "app/start.sh").write_text(START)
        (directory / "app/nginx.conf").write_text(configuration("8000", "shop", NOT_YET))
        shop.file.write_text(shop.file.read_text().replace("\nservices:\n", f"\nservices:{_service()}", 1))
        lab.stackctl(directory, "up", "--no-issue")
        shop.wait_healthy()
        yield shop


def _service() -> str:
    return f"""
  shop:
    image: {lab.NGINX}
    entrypoint: [sh, /app/start.sh]
    volumes: ["./app:/app:ro"]
    environment: {{VERSION: 1}}
    deploy: {{replicas: 1}}
    stop_grace_period: 1s
    healthcheck: {{test: [CMD, test, -e, /tmp/warm], interval: 1s}}
    x-stackctl:
      domains: [{proxies.SITE}]
      port: 8000
"""


# Deploys


def _deploys(report: Report, options: lab.Options, shop: Shop) -> None:
    times, enough = (1, 0) if options.quick else (DEPLOYS, ENOUGH)
    what = f"lost over {times} deploys"
    for subject, deploy in WAYS[:1] if options.quick else WAYS:
        ours = deploy is with_stackctl
        took: list[float] = []
        load = _under_load(shop, deploy, times, enough if ours else 0, took)
        found = report.add(what, subject, "requests", [load.lost], f"of {load.requests:,}; {load.details}".rstrip("; "))
        report.add("a deploy", subject, "s", took)
        options.say(f"deploys by {subject}: {load.lost} lost of {load.requests:,} ({load.details})")
        if ours:
            report.none(found, "30 % POST")
            report.enough("requests during the deploys", enough, load.requests, "requests")


def _under_load(shop: Shop, deploy: Callable[[Shop], None], times: int, enough: int, took: list[float]) -> Load:
    """Deploy so often under load, spread over as much time as the machine needs for so many requests."""
    with loading(shop.place()) as first:
        time.sleep(1 if not enough else 3)
    pace = 1.1 * enough / times / first.load.rate
    with loading(shop.place(MIXED)) as running:
        for number in range(1, times + 1):
            took.append(lab.timed(lambda: deploy(shop)))
            time.sleep(max(0.5, number * pace - running.seconds))
    return running.load


# Replicas


def scaled_by_stackctl(shop: Shop, count: int) -> None:
    shop.edit("replicas", count)
    lab.stackctl(shop.directory, "up", "--no-issue")


def scaled_by_compose(shop: Shop, count: int) -> None:
    shop.compose("up", "--detach", "--no-recreate", "--scale", f"shop={count}", "shop")
    shop.wait_healthy()


SCALED: tuple[tuple[str, Callable[[Shop, int], None]], ...] = (
    ("stackctl up", scaled_by_stackctl),
    ("docker compose up --scale", scaled_by_compose),
)


def _replicas(report: Report, options: lab.Options, shop: Shop) -> None:
    first, most, last = (1, 2, 1) if options.quick else (3, 6, 2)
    for subject, scale in SCALED[:1] if options.quick else SCALED:
        scale(shop, first)
        with loading(shop.place()) as running:
            time.sleep(1)
            scale(shop, most)
            time.sleep(1)
            lab.docker("kill", shop.containers()[0])
            time.sleep(3)
            scale(shop, last)
            time.sleep(1)
        load = running.load
        note = f"of {load.requests:,}; {load.details}".rstrip("; ")
        what = f"lost with {first}, {most} and {last} containers, and one killed"
        found = report.add(what, subject, "requests", [load.lost], note)
        options.say(f"replicas by {subject}: {load.lost} lost of {load.requests:,} ({load.details})")
        if scale is scaled_by_stackctl:
            report.none(found, "only GET")
