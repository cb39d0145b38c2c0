"""The script of the certbot service, run by the shells that images have, with a program in certbot's place."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from stackctl.adapters.fakes.certbot import FakeCa
from stackctl.certs.loop import read_failure, state_digest
from stackctl.stackfile import services
from stackctl.stackfile.document import Document
from tests.unit.build import NOW

pytestmark = pytest.mark.slow

SHELLS = [["dash"], ["busybox", "sh"]]

CERTBOT = f"""\
#!{sys.executable}
import json, os, pathlib, sys
home = pathlib.Path(os.environ["HOME"])
with (home / "calls").open("a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + chr(10))
answers = sorted(home.glob("answer*"))
code, _, output = answers[0].read_text().partition(chr(10)) if answers else ("0", "", "")
if len(answers) > 1:
    answers[0].unlink()
sys.stdout.write(output)
if (home / "renews").exists():
    (home / "renews").rename(home / "conf/live/a/cert.pem")
sys.exit(int(code))
"""
"""Records its arguments, and gives the answers in turn: an exit code and an output; the last one again and again."""

SLEEP = """\
#!/bin/sh
echo "$1" >>"$HOME/slept"
exec /bin/sleep 0.02
"""

FAILED = """\
Certbot failed to authenticate some domains (authenticator: webroot). The Certificate Authority reported these problems:
  Domain: a.example.com
  Type:   connection
  Detail: 192.0.2.1: Fetching http://a.example.com/.well-known/acme-challenge/x: Connection refused

Failed to renew certificate a with error: Some challenges have failed.
Renewal configuration file /etc/letsencrypt/renewal/b.conf is broken.
The error was: expected /etc/letsencrypt/live/b/cert.pem to be a symlink
Skipping.

All renewals failed. The following certificates could not be renewed:
  /etc/letsencrypt/live/a/fullchain.pem (failure)

Additionally, the following renewal configurations were invalid:
  /etc/letsencrypt/renewal/b.conf (parsefail)
- - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - -
1 renew failure(s), 1 parse failure(s)
Ask for help or search for solutions at https://community.letsencrypt.org. See the logfile for more details.
"""


class Loop:
    """The script with a directory of its own in place of the container's paths."""

    def __init__(self, home: Path, shell: list[str]) -> None:
        self.home, self.shell = home, shell
        self.conf, self.stamps = home / "conf", home / "deploy"
        for folder in ("bin", "conf/renewal", "conf/live/a", "conf/live/b", "deploy", "tmp"):
            (home / folder).mkdir(parents=True)
        for name, text in (("certbot", CERTBOT), ("sleep", SLEEP)):
            (home / "bin" / name).write_text(text)
            (home / "bin" / name).chmod(0o755)
        (self.conf / "renewal/a.conf").touch()
        (self.stamps / "copy-certificates").write_text('echo now >"$HOME/deploy/renewed"\n')
        body = Document.parse(services.certbot_block("certbot", "c:1", proxy="nginx", with_bundle=False), "b").data(
            ("certbot",)
        )
        self.entrypoint = [word.replace("$$", "$") for word in body["entrypoint"]]
        places = {
            "/etc/letsencrypt": "conf",
            "/var/lib/stackctl-watch": "watch",
            "/var/lib/stackctl": "deploy",
            "/tmp": "tmp",
        }
        self.entrypoint[2] = re.sub(
            rf"({'|'.join(places)})(?=[/ ])", lambda found: str(home / places[found[1]]), self.entrypoint[2]
        )
        self.process: subprocess.Popen[str] | None = None

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        command = [*self.shell, *self.entrypoint[1:], *arguments]
        path = f"{self.home / 'bin'}:{os.environ['PATH']}"
        variables = {"HOME": str(self.home), "PATH": path, **environment}
        to = subprocess.PIPE if arguments else subprocess.DEVNULL
        self.process = subprocess.Popen(command, env=variables, text=True, stdout=to, stderr=to)
        return self.process

    def answer(self, *answers: tuple[int, str]) -> None:
        for number, (code, output) in enumerate(answers):
            (self.home / f"answer{number:02d}").write_text(f"{code}\n{output}")

    def issue(self, name: str, lifetime: timedelta, at: str = "conf/live/{}/cert.pem") -> None:
        (self.home / at.format(name)).write_bytes(FakeCa(lifetime - timedelta(hours=1)).issue([name], NOW)[0])

    def stamp(self, name: str) -> str | None:
        path = self.stamps / name
        return path.read_text() if path.is_file() else None

    def lines(self, name: str) -> list[str]:
        path = self.home / name
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture(params=[pytest.param(shell, id=shell[0]) for shell in SHELLS if shutil.which(shell[0])])
def loop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Loop]:
    made = Loop(tmp_path, request.param)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.process.kill()
        made.process.wait()


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


# With arguments


@pytest.mark.parametrize(
    "words", [["certificates"], ["renew", "--dry-run"], ["--version"], ["delete", "--cert-name", "a b$c"]]
)
@pytest.mark.parametrize("named", [False, True])
def test_arguments_are_certbots_and_the_container_ends_with_its_code(loop: Loop, words: list[str], named: bool) -> None:
    loop.answer((3, "Found the following certs:\n"))
    process = loop.start(*(["certbot"] if named else []), *words)
    output, _ = process.communicate(timeout=15)
    assert (process.returncode, output) == (3, "Found the following certs:\n")
    assert [line.replace('", "', " ") for line in loop.lines("calls")] == [f'["{" ".join(words)}"]']
    assert [path.name for path in loop.stamps.iterdir()] == ["copy-certificates"]


def test_what_such_a_command_renews_reaches_the_proxy(loop: Loop) -> None:
    loop.issue("a", timedelta(days=90))
    loop.issue("a", timedelta(days=90), at="renews")
    loop.start("renew").communicate(timeout=15)
    assert loop.stamp("renewed")


# Without


def test_a_second_loop_says_what_to_type_instead(loop: Loop) -> None:
    loop.start()
    until(lambda: loop.stamp("interval") is not None)
    calls = loop.lines("calls")
    command = [*loop.shell, *loop.entrypoint[1:]]
    variables = {"HOME": str(loop.home), "PATH": f"{loop.home / 'bin'}:{os.environ['PATH']}"}
    second = subprocess.run(command, env=variables, capture_output=True, text=True, check=False, timeout=15)
    assert second.returncode == 2
    assert "'docker compose run --rm certbot renew'" in second.stderr
    assert loop.lines("calls") == calls


def test_where_locks_have_no_effect_the_loop_runs(loop: Loop) -> None:
    (loop.home / "bin/flock").write_text("#!/bin/sh\nexit 1\n")
    (loop.home / "bin/flock").chmod(0o755)
    loop.start()
    until(lambda: loop.stamp("interval") is not None)


def test_a_round_that_succeeds_is_recorded(loop: Loop) -> None:
    (loop.stamps / "failed").write_text("1 1\na x\n\nwords\n")
    loop.start()
    until(lambda: loop.stamp("interval") is not None)
    assert loop.stamp("succeeded") == loop.stamp("checked")
    assert abs(int(loop.stamp("checked") or 0) - time.time()) < 60
    assert loop.stamp("failed") is None
    assert '"--deploy-hook"' in loop.lines("calls")[0]


def test_with_nothing_to_renew_certbot_is_not_called(loop: Loop) -> None:
    (loop.conf / "renewal/a.conf").unlink()
    loop.start()
    until(lambda: loop.stamp("interval") is not None)
    assert loop.stamp("succeeded") == loop.stamp("checked")
    assert loop.lines("calls") == []


def test_a_round_that_fails_keeps_what_failed_and_the_last_success(loop: Loop) -> None:
    loop.issue("a", timedelta(days=90))
    (loop.stamps / "succeeded").write_text("1700000000\n")
    loop.answer((1, FAILED))
    loop.start()
    until(lambda: loop.stamp("interval") is not None)
    assert loop.stamp("succeeded") == "1700000000\n"
    failure = read_failure(loop.stamp("failed") or "")
    assert str(int(failure.at.timestamp()) if failure.at else "") == (loop.stamp("checked") or "").strip()
    digest = hashlib.sha256((loop.conf / "live/a/cert.pem").read_bytes()).hexdigest()
    assert failure.lineages == {"a": digest, "b": ""}
    assert failure.words["a"].endswith("Connection refused")
    assert failure.words["b"] == "its renewal file is broken."


def test_a_failure_names_what_certbot_had_read(loop: Loop) -> None:
    """Not what is there afterwards: a repair meanwhile would seem to have failed."""
    loop.issue("a", timedelta(days=90))
    (loop.conf / "b1.pem").write_text("b")
    (loop.conf / "live/b/cert.pem").symlink_to("../../b1.pem")
    (loop.conf / "live/b/chain.pem").symlink_to("../../b2.pem")
    (loop.conf / "cli.ini").write_text("text\n")
    before = {path: (loop.conf / path).read_bytes() for path in ("cli.ini", "renewal/a.conf", "live/a/cert.pem")}
    loop.issue("a", timedelta(days=90), at="renews")
    loop.answer((1, FAILED))
    loop.start()
    until(lambda: loop.stamp("interval") is not None)
    failure = read_failure(loop.stamp("failed") or "")
    ini = {"cli.ini": b"text\n"}
    assert failure.lineages["a"] == hashlib.sha256(before["live/a/cert.pem"]).hexdigest()
    assert failure.states == {
        "": state_digest(ini),
        "a": state_digest(before, ["live/a/cert.pem"]),
        "b": state_digest({**ini, "renewal/b.conf": None, "live/b/cert.pem": b"b", "live/b/chain.pem": None}),
    }


def test_a_round_that_fails_as_a_whole_has_certbots_last_words(loop: Loop) -> None:
    loop.answer((2, "usage: certbot ...\ncertbot: error: argument --server: expected one argument\n"))
    loop.start()
    until(lambda: loop.stamp("checked") is not None)
    failure = read_failure(loop.stamp("failed") or "")
    assert failure.lineages == {}
    assert failure.problem == "certbot: error: argument --server: expected one argument"


def test_a_long_output_is_kept_from_both_ends(loop: Loop) -> None:
    loop.answer((1, FAILED + "".join(f"line {number}\n" for number in range(9000)) + FAILED))
    loop.start()
    until(lambda: loop.stamp("checked") is not None)
    text = loop.stamp("failed") or ""
    assert len(text) < 17000
    assert set(read_failure(text).lineages) == {"a", "b"}


def test_the_next_success_clears_the_failure(loop: Loop) -> None:
    loop.answer((1, FAILED), (0, ""))
    loop.start(RENEW_SECONDS="1")
    # It is recorded first, and only then is the failure forgotten.
    until(lambda: loop.stamp("succeeded") is not None and loop.stamp("failed") is None)


def test_another_certbot_is_waited_for_and_is_no_failure(loop: Loop) -> None:
    busy = "Another instance of Certbot is already running.\n"
    loop.answer((1, busy), (1, busy), (0, "Congratulations\n"))
    loop.start()
    until(lambda: loop.stamp("checked") is not None)
    assert loop.lines("slept")[:2] == ["10", "10"]
    assert (loop.stamp("failed"), loop.stamp("succeeded")) == (None, loop.stamp("checked"))


@pytest.mark.parametrize("name", ["failed", "succeeded", "checked", "interval"])
def test_a_stamp_that_cannot_be_written_ends_nothing(loop: Loop, name: str) -> None:
    (loop.stamps / f".{name}.new").mkdir()
    (loop.stamps / name).write_text("7\n")
    loop.answer((1, FAILED), (0, ""))
    loop.start(RENEW_SECONDS="1")
    until(lambda: len(loop.lines("calls")) > 3)
    assert loop.stamp(name) != "", "it is the old one or a new one, not an empty one"


@pytest.mark.parametrize(
    ("lifetimes", "seconds"),
    [
        ([], 43200),
        ([90 * 24], 43200),
        ([160], 43200),
        ([90 * 24, 24], 7200),
        ([24, 6], 1800),
        ([1], 300),
        ([0.1], 60),
    ],
)
def test_the_interval_follows_the_shortest_lifetime(loop: Loop, lifetimes: list[float], seconds: int) -> None:
    (loop.conf / "live/README").touch()
    (loop.conf / "live/b/cert.pem").write_text("not a certificate")
    for name, hours in zip("ab", lifetimes, strict=False):
        loop.issue(name, timedelta(hours=hours))
    loop.start()
    until(lambda: loop.stamp("interval") is not None)
    assert loop.stamp("interval") == f"{seconds}\n"


def test_a_certificate_with_a_shorter_lifetime_shortens_a_wait_that_has_begun(loop: Loop) -> None:
    loop.issue("a", timedelta(days=90))
    loop.start()
    until(lambda: loop.stamp("interval") == "43200\n")
    loop.issue("b", timedelta(hours=1))
    (loop.conf / "renewal/b.conf").touch()
    until(lambda: loop.stamp("interval") == "300\n")
    until(lambda: len(loop.lines("calls")) > 1)
    assert len(loop.lines("slept")) < 700


def test_an_image_without_a_usable_python_looks_every_twelve_hours(loop: Loop) -> None:
    loop.issue("a", timedelta(hours=1))
    (loop.home / "bin/certbot").write_text("#!/bin/sh\nexit 0\n")
    (loop.home / "bin/python3").write_text("#!/bin/sh\nexit 1\n")
    (loop.home / "bin/python3").chmod(0o755)
    loop.start()
    until(lambda: loop.stamp("interval") is not None)
    assert loop.stamp("interval") == "43200\n"


def test_the_variable_overrides_the_interval(loop: Loop) -> None:
    loop.issue("a", timedelta(hours=1))
    loop.start(RENEW_SECONDS="5000")
    until(lambda: len(loop.lines("slept")) > 16)
    assert loop.stamp("interval") == "5000\n"
    # Alerts are looked at every five minutes meanwhile.
    assert loop.lines("slept")[:17] == [*["300"] * 16, "200"]


def test_metrics_and_alerts_follow_rounds_that_never_wait_for_them(loop: Loop) -> None:
    (loop.home / "watch").mkdir()
    (loop.home / "watch/look").write_text('echo "$@" >>"$HOME/told"; exec /bin/sleep 9\n')
    loop.answer((1, FAILED), (0, ""))
    loop.start(RENEW_SECONDS="1")
    until(lambda: len(loop.lines("calls")) > 3)
    assert {"round 1", "round 0"} <= {*loop.lines("told")}
    (loop.home / "watch/look").write_text("exit 1\n")
    before = len(loop.lines("calls"))
    until(lambda: len(loop.lines("calls")) > before + 1)


def test_it_ends_at_once_when_it_is_stopped(loop: Loop) -> None:
    (loop.home / "bin/sleep").unlink()
    process = loop.start()
    until(lambda: loop.stamp("interval") is not None)
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=15)
    assert process.returncode == 0
    assert time.monotonic() - began < 2
