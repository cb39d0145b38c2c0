"""The program of nginx's container: it leaves out what nginx rejects, in any POSIX shell, with an nginx of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from stackctl.adapters.disk.lock import writing
from stackctl.proxies.nginx.proxy import Nginx
from stackctl.templates import render

pytestmark = pytest.mark.slow

SHELLS = [shell for shell in (["sh"], ["dash"], ["bash", "--posix"], ["busybox", "sh"]) if shutil.which(shell[0])]

NGINX = r"""#!/bin/sh
# An nginx: it rejects a file with 'bad', and writes what it serves to $HOME/serving.
conf= test=
while [ $# -gt 0 ]; do case $1 in -c) conf=$2; shift ;; -t) test=yes ;; esac; shift; done
folder=${conf%/*}
[ -z "$test" ] || echo tested >>"$HOME/tests"
parse() {
  for file in "$folder"/snippets/*.load "$folder"/nginx.conf "$folder"/sites/* "$folder"/streams/*; do
    [ -e "$file" ] || continue
    if grep -q unnamed "$file"; then echo 'nginx: [emerg] unknown "x" variable' >&2; return 1; fi
    line=$(grep -n bad "$file" | head -n 1 | cut -d: -f1)
    [ -z "$line" ] || { echo "2026/01/01 [emerg] 7#7: \"bad\" is bad in $file:$line" >&2; return 1; }
  done
}
load() { parse && (cd "$folder" && ls sites streams | grep . | grep -v :; cat snippets/https.conf) >"$HOME/serving"
  cat "$folder"/sites/*.conf "$folder"/health/*.conf >"$HOME/text" 2>/dev/null; }
if [ -n "$test" ]; then parse; exit; fi
parse || exit 1
# As nginx does: signals and the pid's file are ready before it serves.
trap 'rm -f "$HOME/pid"; exit 0' TERM QUIT
trap load HUP
echo $$ >"$HOME/pid"
load
while :; do sleep 0.05; done
"""


GETENT = """#!/bin/sh
# A resolver: $HOME/names/NAME has the addresses of a name.
sed 's/$/      STREAM x/' "$HOME/names/$2" 2>/dev/null
"""

PINNED = """\
    include chosen;
    server 10.0.0.2:80 weight=2; server 10.0.0.3:80 weight=2; # in place of: server web:80 weight=2 resolve;
    server [fd00::2]:80; server api:80 resolve down; # in place of: server api:80 resolve;
        set $upstream "10.0.0.2:80"; # in place of: set $upstream "web:80";
"""


class Container:
    def __init__(self, home: Path, shell: list[str]) -> None:
        self.home = home
        self.etc, self.stamp = home / "etc", home / "renewed"
        (self.etc / "generations").mkdir(parents=True)
        for name in ("nginx.conf", "sites", "snippets", "streams"):
            (self.etc / name).symlink_to(f"live/{name}")
        (home / "bin").mkdir()
        (home / "bin/nginx").write_text(NGINX)
        (home / "bin/nginx").chmod(0o755)
        (home / "bin/getent").write_text(GETENT)
        (home / "bin/getent").chmod(0o755)
        (home / "names").mkdir()
        values = {
            "mount": self.etc,
            "own": home / "run",
            "pid": home / "pid",
            "renewed": self.stamp,
            "watch": "live/watch.sh",
            "known": "health",
            "copies_users": ":",
        }
        self.script = render("nginx/serve.sh.j2", kinds="conf redirect custom location sni", **values)
        self.shell = shell
        self.process: subprocess.Popen[bytes] | None = None

    def publish(self, number: int, streams: Mapping[str, str] | None = None, **sites: str) -> None:
        live = self.etc / f"generations/{number}"
        (live / "sites").mkdir(parents=True)
        (live / "streams").mkdir()
        (live / "snippets").mkdir()
        (live / "nginx.conf").write_text("http\n")
        (live / "snippets/https.conf").write_text("behind\n")
        (live / "snippets/https.conf.alone").write_text("alone\n")
        (live / "snippets/stream.load").write_text("module\n")
        for stream, text in (streams or {}).items():
            for kind in ("conf", "sni"):
                (live / f"streams/{stream}.{kind}").write_text(text)
        for site, text in sites.items():
            (live / f"sites/{site}.example.com.conf").write_text(text)
            (live / f"sites/{site}.example.com.custom").write_text("fine\n")
        (self.etc / "next").symlink_to(f"generations/{number}")
        (self.etc / "next").replace(self.etc / "live")

    def start(self) -> None:
        environment = {"PATH": f"{self.home / 'bin'}:/usr/bin:/bin", "HOME": str(self.home)}
        environment |= {"RELOAD_CHECK_SECONDS": "1", "RELOAD_SECONDS": "3600"}
        with (self.home / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*self.shell, "-c", self.script], env=environment, stderr=log, start_new_session=True
            )

    def serves(self, *sites: str, streams: tuple[str, ...] = (), listens: str = "behind") -> None:
        expected = [f"{site}.example.com.{kind}" for site in sites for kind in ("conf", "custom")]
        expected = sorted([*expected, *(f"{stream}.{kind}" for stream in streams for kind in ("conf", "sni")), listens])
        deadline = time.monotonic() + 30
        seen: list[str] = []
        while time.monotonic() < deadline:
            path = self.home / "serving"
            seen = sorted(path.read_text().split()) if path.exists() else []
            if seen == expected:
                return
            time.sleep(0.02)
        pytest.fail(f"{seen} instead of {expected}: {self.log}")

    def resolve(self, name: str, *addresses: str) -> None:
        (self.home / "names" / name).write_text("".join(f"{one}\n" for one in addresses))

    def loads(self, *lines: str, absent: str = "no such line") -> None:
        """Wait until nginx has loaded files of sites with these lines."""
        deadline, text = time.monotonic() + 20, ""
        while time.monotonic() < deadline:
            path = self.home / "text"
            text = path.read_text() if path.exists() else ""
            if {*lines} <= {line.strip() for line in text.splitlines()} and absent not in text:
                return
            time.sleep(0.02)
        pytest.fail(f"{lines} are not loaded, but {text!r}: {self.log}")

    @property
    def log(self) -> str:
        return (self.home / "log").read_text()

    def stop(self, number: int = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(30)


@pytest.fixture(params=SHELLS, ids=lambda shell: shell[0])
def container(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Container]:
    made = Container(tmp_path, request.param)
    yield made
    if made.process is not None:
        if made.process.poll() is None:
            made.stop()
        # In a container everything ends with the first process; here its loop would go on.
        with suppress(ProcessLookupError):
            os.killpg(made.process.pid, signal.SIGKILL)


def test_all_is_well_and_nothing_is_tested(container: Container) -> None:
    container.publish(1, a="x\n", b="x\n")
    container.start()
    container.serves("a", "b")
    assert not (container.home / "tests").exists(), "a start parses the files once"
    assert container.stop() == 0


@pytest.mark.parametrize("text", ["x\nbad\n", "unnamed\n"])
def test_a_start_leaves_out_what_is_rejected(container: Container, text: str) -> None:
    container.publish(1, a="x\n", b=text, c="x\n", d="x\n", e="x\n")
    container.start()
    container.serves("a", "c", "d", "e")
    assert "stackctl: b.example.com is left out: " in container.log
    assert container.stop() == 0


@pytest.mark.parametrize("text", ["x\nbad\n", "unnamed\n"])
def test_a_stream_that_is_rejected_is_left_out_like_a_site(container: Container, text: str) -> None:
    container.publish(1, {"5432_tcp": text, "db.example.com": "x\n"}, a="x\n")
    container.start()
    container.serves("a", streams=("db.example.com",))
    assert "stackctl: 5432_tcp is left out: " in container.log


def test_an_nginx_without_streams_serves_the_sites_alone(container: Container) -> None:
    container.publish(1, {"5432_tcp": "x\n"}, a="x\n", b="bad\n")
    (container.etc / "live/snippets/stream.load").write_text("bad\n")
    container.start()
    container.serves("a", listens="alone")
    assert "stackctl: all streams are left out: " in container.log
    container.publish(2, {"5432_tcp": "x\n"}, a="x\n", b="x\n")
    assert container.process is not None
    container.process.send_signal(signal.SIGHUP)
    container.serves("a", "b", streams=("5432_tcp",))


def test_several_are_left_out_and_a_name_that_begins_like_another_is_not(container: Container) -> None:
    container.publish(1, None, **{"a": "bad\n", "a.example.com": "x\n", "b": "unnamed\n", "c": "unnamed\n", "d": "x\n"})
    container.start()
    container.serves("a.example.com", "d")


@pytest.mark.slow
def test_a_renewal_is_loaded_although_a_site_is_rejected_and_it_comes_back_later(container: Container) -> None:
    container.publish(1, a="x\n", b="x\n")
    container.start()
    container.serves("a", "b")
    bad = container.etc / "generations/1/sites/b.example.com.conf"
    bad.write_text("bad\n")
    container.stamp.write_text("now\n")
    container.serves("a")
    bad.write_text("x\n")
    container.stamp.write_text("later\n")
    container.serves("a", "b")


def test_a_signal_loads_what_was_published_and_ends_the_parking(container: Container) -> None:
    container.publish(1, a="bad\n", b="x\n")
    container.start()
    container.serves("b")
    container.publish(2, a="x\n", b="x\n", c="x\n")
    assert container.process is not None
    container.process.send_signal(signal.SIGHUP)
    container.serves("a", "b", "c")
    assert container.process.poll() is None


def test_what_no_site_is_to_blame_for_ends_the_container(container: Container) -> None:
    container.publish(1, a="x\n")
    (container.etc / "live/nginx.conf").write_text("bad\n")
    container.start()
    assert container.process is not None
    assert container.process.wait(30) == 1
    assert "nothing can be left out" in container.log


def test_an_nginx_that_is_killed_ends_the_container_with_its_code(container: Container) -> None:
    container.publish(1, a="x\n")
    container.start()
    container.serves("a")
    subprocess.run(["kill", "-KILL", (container.home / "pid").read_text().strip()], check=True)
    assert container.process is not None
    assert container.process.wait(30) == 128 + signal.SIGKILL


WEB, API = "server web:80 weight=2 resolve;", "server api:80 resolve;"


def test_a_start_uses_the_names_in_the_place_of_addresses_that_are_wrong(container: Container) -> None:
    container.resolve("web", "10.0.0.9", "10.0.0.3")
    container.publish(1, a=PINNED, b="x\n")
    live = container.etc / "live/sites/a.example.com.conf"
    container.start()
    kept = "server 10.0.0.3:80 weight=2; # in place of: server web:80 weight=2 resolve;"
    container.loads(kept, API, 'set $upstream "web:80";', "x", absent="10.0.0.2")
    container.serves("a", "b")
    assert live.read_text() == PINNED, "the files of a generation stay"
    container.resolve("web", "10.0.0.9")
    container.loads(WEB, absent="10.0.0.3")


def test_addresses_that_become_wrong_are_replaced_although_nothing_is_published(container: Container) -> None:
    container.resolve("web", "10.0.0.2", "10.0.0.3")
    container.resolve("api", "fd00::2")
    container.publish(1, a=PINNED)
    container.start()
    container.loads(*PINNED.replace("    ", "").splitlines())
    container.resolve("web", "10.0.0.4")
    container.loads(WEB, 'set $upstream "web:80";', "server [fd00::2]:80; # in place of: server api:80 resolve;")
    assert container.process is not None
    container.process.send_signal(signal.SIGHUP)
    container.stamp.write_text("now\n")
    container.resolve("api", "10.0.0.5")
    container.loads(WEB, API, absent="10.0.0.2")
    container.publish(2, a=f"    {WEB}\n")
    container.process.send_signal(signal.SIGHUP)
    container.loads(WEB, absent="include")
    # A look at the addresses just before may still lead there by links.
    assert (container.home / "run/conf/sites/a.example.com.conf").samefile(
        container.etc / "live/sites/a.example.com.conf"
    )


def test_a_name_without_servers_comes_back_too(container: Container) -> None:
    container.publish(1, a="    server web:80 resolve down; # in place of: server web:80 resolve;\n")
    container.start()
    container.loads("server web:80 resolve;", absent="down")


def test_a_group_without_wrong_addresses_is_checked_again(container: Container) -> None:
    container.publish(
        1, a="    # pinned # in place of: include chosen;\n    server 10.0.0.2:80; # in place of: server web:80;\n"
    )
    health = container.etc / "live/health"
    health.mkdir()
    (health / "a.example.com.conf").write_text("group\n    server 10.0.0.2:80; # in place of: server web:80 resolve;\n")
    container.start()
    container.loads("include chosen;", "server web:80;", "group", "server web:80 resolve;", absent="in place of")


def test_a_stackctl_that_runs_decides_about_addresses(container: Container) -> None:
    container.publish(1, a=PINNED)
    with writing((container.etc / "generations",)):
        container.start()
        container.loads(*PINNED.replace("    ", "").splitlines())
        looks = time.monotonic() + 5
        while time.monotonic() < looks:
            assert "10.0.0.2" in (container.home / "text").read_text()
            time.sleep(0.1)
    container.loads(WEB, API)


def test_the_program_is_known_by_its_first_line() -> None:
    values = {"own": "/o", "pid": "/p", "renewed": "/r", "watch": "/w", "known": "k", "copies_users": ":"}
    script = render("nginx/serve.sh.j2", kinds="conf", mount="/etc/nginx", **values)
    assert Nginx.reload.processes[0] == f"/bin/sh -c {script.splitlines()[0].partition('.')[0]}"
