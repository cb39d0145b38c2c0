"""The program that asks servers, in any POSIX shell and awk: with real servers, an nginx and a resolver of its own."""

from __future__ import annotations

import os
import shutil
import signal
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from stackctl.certs.dummy import make_dummy
from stackctl.proxies.nginx.health import program
from tests.unit.goldens import CASES

pytestmark = pytest.mark.slow

SHELLS = [
    (shell, awk)
    for shell, awk in ((["sh"], "awk"), (["bash", "--posix"], "gawk"), (["busybox", "sh"], "busybox"))
    if shutil.which(shell[0]) and shutil.which(awk)
]

ADDRESSES = [f"127.{1 + os.getpid() // 250 % 250}.{os.getpid() % 250}.{number}" for number in (1, 2, 3)]
"""Of this process: others run the same tests at the same time."""

PORTS = [f"{address}:18080" for address in ADDRESSES]

NGINX = """#!/bin/sh
# An nginx: it rejects a group with 'refused', and a reload is a line of $HOME/reloads.
grep -q refused "$HOME/run/health/servers.conf" && { echo 'nginx: [emerg] refused' >&2; exit 1; }
exit 0
"""
SLEEP = """#!/bin/sh
exec /bin/sleep 0.2
"""
GETENT = """#!/bin/sh
# A resolver: $HOME/names/NAME has the addresses of a name; a number is its own answer.
shift 2
code=0
for name; do
  case $name in
    0.0.*) echo "$name         STREAM $name"; echo "$name         DGRAM" ;;
    *) sed 's/$/      STREAM/' "$HOME/names/$name" 2>/dev/null || code=2 ;;
  esac
done
exit "$code"
"""


class App(ThreadingHTTPServer):
    """A server that answers with ``status``, or not while ``hangs`` is set; ``seen`` are its requests."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, address: str, tls: ssl.SSLContext | None = None) -> None:
        self.status, self.hangs = 200, threading.Event()
        self.seen: list[tuple[str, str | None]] = []
        super().__init__((address, 18080), Answer)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        self.shutdown()
        self.server_close()


class Answer(BaseHTTPRequestHandler):
    """Its answers."""

    server: App

    def do_GET(self) -> None:
        self.server.seen.append((self.path, self.headers["Host"]))
        while self.server.hangs.is_set():
            time.sleep(0.05)
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Watch:
    """A container's folder with the program, its nginx and its resolver."""

    def __init__(self, home: Path, shell: list[str], awk: str) -> None:
        self.home, self.shell = home, shell
        self.state = home / "run/health"
        for folder in ("bin", "names", "etc/generations", "run"):
            (home / folder).mkdir(parents=True)
        for name, text in {"nginx": NGINX, "getent": GETENT, "sleep": SLEEP}.items():
            (home / f"bin/{name}").write_text(text)
            (home / f"bin/{name}").chmod(0o755)
        found = shutil.which(awk)
        assert found is not None
        (home / "bin/awk").symlink_to(found)
        self.process: subprocess.Popen[bytes] | None = None
        # What gets the signals of reloads.
        self.nginx = subprocess.Popen(
            ["sh", "-c", f"trap 'echo >>{home}/reloads' HUP; echo >{home}/ready; while :; do sleep 0.02; done"]
        )
        until((home / "ready").exists)
        (home / "pid").write_text(f"{self.nginx.pid}\n")

    def publish(self, number: int, *groups: str) -> None:
        live = self.home / f"etc/generations/{number}"
        for path, body in program(CASES["health"].stack).items():
            (live / path).parent.mkdir(parents=True, exist_ok=True)
            (live / path).write_bytes(body)
        (live / "health/shop.example.com.conf").write_text("# A comment.\n" + "".join(groups))
        (self.home / "etc/next").symlink_to(f"generations/{number}")
        (self.home / "etc/next").replace(self.home / "etc/live")

    def start(self) -> None:
        environment = {"PATH": f"{self.home}/bin:/usr/bin:/bin", "HOME": str(self.home)}
        script = self.home / "etc/live/health/watch.sh"
        arguments = (self.home / "etc", self.home / "run", self.home / "pid")
        with (self.home / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*self.shell, script, *arguments], env=environment, stderr=log, start_new_session=True
            )

    def names(self, **addresses: list[str]) -> None:
        for name, found in addresses.items():
            at = self.home / "names" / name
            at.unlink() if not found and at.exists() else at.write_text("".join(f"{one}\n" for one in found))

    def rows(self) -> dict[str, tuple[str, str, str]]:
        """State, whether it is left out, and the reason, by address."""
        path = self.state / "state"
        lines = path.read_text().splitlines() if path.exists() else []
        fields = [line.split("\t") for line in lines if line.count("\t") > 2]
        return {one[2]: (one[4], one[7], one[8]) for one in fields}

    @property
    def chosen(self) -> str:
        return (self.state / "chosen.map").read_text() + (self.state / "servers.conf").read_text()

    @property
    def reloads(self) -> int:
        path = self.home / "reloads"
        return len(path.read_text().splitlines()) if path.exists() else 0

    def stop(self) -> None:
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.nginx.kill()
        self.nginx.wait()


def until(condition: object, seconds: float = 30) -> None:
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)


@pytest.fixture(params=SHELLS, ids=lambda one: one[0][0])
def watch(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Watch]:
    made = Watch(tmp_path, *request.param)
    yield made
    made.stop()


@pytest.fixture
def apps() -> Iterator[list[App]]:
    made = [App(address) for address in ADDRESSES]
    yield made
    for one in made:
        one.hangs.clear()
        one.stop()


def group(*servers: str, key: str = "aaaaaaaaaaaaaaaa", rise: int = 1, fall: int = 2, path: str = "/up?a=b") -> str:
    lines = "".join(f"    server {one};\n" for one in servers)
    return f"group {key} shop.example.com http - {path} 200-399,401 1 2 {rise} {fall}\n    zone apps;\n{lines}"


def test_what_fails_is_left_out_and_comes_back(watch: Watch, apps: list[App]) -> None:
    watch.names(web=ADDRESSES)
    watch.publish(1, group("web:18080 weight=2 resolve"))
    watch.start()
    until(lambda: len(watch.rows()) == 3)
    assert set(watch.rows().values()) == {("up", "in", "")}
    assert ("/up?a=b", "shop.example.com") in apps[0].seen
    assert (watch.reloads, watch.chosen) == (0, "")
    apps[1].hangs.set()
    until(lambda: watch.rows()[PORTS[1]] == ("down", "out", "/up?a=b is not answered within 2 s"))
    until(lambda: watch.reloads == 1)
    servers = "".join(f"    server {one} weight=2{' down' if one == PORTS[1] else ''};\n" for one in PORTS)
    name = "servers_aaaaaaaaaaaaaaaa"
    assert watch.chosen == f"aaaaaaaaaaaaaaaa {name};\nupstream {name} {{\n    zone apps;\n{servers}}}\n"
    apps[1].hangs.clear()
    until(lambda: watch.rows()[PORTS[1]][:2] == ("up", "in"))
    until(lambda: watch.reloads == 2)
    assert watch.chosen == ""
    log = (watch.home / "log").read_text()
    assert f"stackctl: shop.example.com: {PORTS[1]} (web:18080) is up again\n" in log


def test_the_last_server_stays_and_says_why_it_fails(watch: Watch, apps: list[App]) -> None:
    watch.publish(1, group(*(f"{one}" for one in PORTS[:2]), f"{PORTS[2]} down"))
    for app in apps:
        app.status = 500
    watch.start()
    until(lambda: {row[0] for row in watch.rows().values()} == {"down"})
    assert set(watch.rows()) == {*PORTS[:2]}
    assert watch.rows()[PORTS[0]] == ("down", "in", "/up?a=b is answered with 500")
    assert (watch.reloads, watch.chosen, apps[2].seen) == (0, "", [])


def test_other_statuses_a_redirect_and_a_refused_connection(watch: Watch, apps: list[App]) -> None:
    apps[0].status, apps[1].status = 302, 401
    apps[2].stop()
    watch.publish(1, group(*PORTS))
    watch.start()
    until(lambda: watch.rows().get(PORTS[2], ("",))[0] == "down")
    rows = watch.rows()
    assert [rows[one][:2] for one in PORTS] == [("up", "in"), ("up", "in"), ("down", "out")]
    assert rows[PORTS[2]][2] == "it accepts no connection"


def test_a_name_that_does_not_resolve_and_a_container_that_goes(watch: Watch, apps: list[App]) -> None:
    watch.names(web=ADDRESSES)
    watch.publish(1, group("web:18080 resolve", "none:18080 backup resolve"))
    watch.start()
    until(lambda: watch.rows().get("-", ("",))[0] == "down")
    assert watch.rows()["-"][2] == "its name does not resolve"
    apps[0].status = 503
    until(lambda: watch.reloads == 1)
    assert "    server none:18080 backup resolve;\n" in watch.chosen
    # A resolver that fails changes nothing; a container that is gone is forgotten.
    watch.names(web=[])
    count = len(apps[1].seen)
    until(lambda: len(apps[1].seen) > count + 1)
    assert {*PORTS} < {*watch.rows()}
    watch.names(web=ADDRESSES[1:])
    until(lambda: watch.chosen == "" and PORTS[0] not in watch.rows())


def test_the_pins_of_a_deploy_win_and_a_new_generation_keeps_what_is_known(watch: Watch, apps: list[App]) -> None:
    apps[0].status = 500
    watch.names(web=ADDRESSES)
    watch.publish(1, group("web:18080 resolve"))
    watch.start()
    until(lambda: watch.reloads == 1)
    watch.publish(2, group("web:18080 weight=3 resolve", key="bbbbbbbbbbbbbbbb"))
    assert watch.process is not None
    assert watch.process.wait(30) == 0, "it ends when other files are live"
    watch.start()
    until(lambda: watch.chosen.startswith("bbbbbbbbbbbbbbbb"))
    pinned = group(f"{PORTS[0]}; server {PORTS[1]}; # in place of: server web:18080 resolve", key="bbbbbbbbbbbbbbbb")
    watch.publish(3, pinned)
    watch.process.wait(30)
    watch.start()
    until(lambda: watch.chosen == "" and not watch.rows())


def states(watch: Watch) -> dict[str, str]:
    """The state of each server, by the path that is asked."""
    rows = [line.split("\t") for line in (watch.state / "state").read_text().splitlines()[1:]]
    return {row[3]: row[4] for row in rows}


def test_a_certificate_is_verified_as_nginx_does(watch: Watch) -> None:
    chain, key = make_dummy(["app.internal"], datetime.now(UTC))
    pair = watch.home / "pair.pem"
    pair.write_bytes(chain + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair)
    app = App(ADDRESSES[0], context)

    def checked(path: str, name: str, asking: str) -> str:
        return (
            group(PORTS[0], path=path)
            .replace("http -", f"https {name}")
            .replace("    zone", f"    ask {asking}\n    zone")
        )

    trusted = f'cacert = "{pair}"'
    watch.publish(1, checked("/a", "app.internal", trusted), checked("/b", "other.internal", trusted),
                  checked("/c", "-", "insecure"))  # fmt: skip
    watch.start()
    try:
        until(lambda: "other.internal" in (watch.home / "log").read_text())
        until(lambda: {path for path, _ in app.seen} == {"/a", "/c"})
        until(lambda: states(watch) == {"/a": "up", "/b": "down", "/c": "up"})
    finally:
        app.stop()


def test_what_nginx_rejects_is_not_loaded(watch: Watch, apps: list[App]) -> None:
    apps[0].status = 500
    watch.publish(1, group(*PORTS, "127.0.0.4:18080 max_conns=refused"))
    watch.start()
    until(lambda: "no server is left out: nginx: [emerg] refused" in (watch.home / "log").read_text())
    assert (watch.reloads, watch.chosen) == (0, "")


def test_servers_that_come_and_go_cost_few_reloads(watch: Watch, apps: list[App]) -> None:
    watch.publish(1, group(*PORTS, rise=1, fall=1))
    watch.start()
    began = time.monotonic()
    while time.monotonic() - began < 3:
        apps[0].status = 500 if len(apps[0].seen) % 2 else 200
        time.sleep(0.02)
    assert 2 <= watch.reloads <= 5, "1, 2, 4 and 8 turns apart"
