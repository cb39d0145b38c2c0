"""The batch issuer on the host: a certbot of a few lines, real files, no network."""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from stackctl.certs.issuer import accounts, batch, locks, merge, program, worker
from stackctl.certs.issuer.merge import KINDS, ConfigDir, merge_lineage

pytestmark = pytest.mark.slow

NAME = "app.example.com"
SERVER = "https://ca.example.com/dir"

# Keeps certbot's rules that matter here: -0001 where a name is taken, four links, numbered files.
FAKE_CERTBOT = r"""
import json, os, re, sys, time
from pathlib import Path
from acme import client as acme

def opt(argv, name):
    return argv[argv.index(name) + 1]

def main(argv):
    print("this is not an event")
    root = Path(opt(argv, "--config-dir"))
    server = opt(argv, "--server")
    accounts = root / "accounts" / server.partition("://")[2]
    if argv[0] == "register":
        if "refused" in server:
            raise acme.Problem("externalAccountRequired", "no key, no account")
        (accounts / "one").mkdir(parents=True)
        for file in ("meta", "private_key", "regr"):
            (accounts / "one" / f"{file}.json").write_text(json.dumps(argv))
        return None
    assert any(accounts.glob("*/regr.json")), "no account"
    name, domains = opt(argv, "--cert-name"), [b for a, b in zip(argv, argv[1:]) if a == "-d"]
    if name.startswith("usage"):
        print("certbot: error: unrecognized arguments: --nonsense", file=sys.stderr)
        raise SystemExit(2)
    if name.startswith("dies"):
        os._exit(3)
    while name.startswith("waits") and not Path(os.environ["GO"]).exists():
        draft = Path(f"{os.environ['GO']}.{os.getpid()}")
        draft.write_text(str(os.getpid()))
        draft.rename(os.environ["GO"] + ".waiting")  # whole at every moment
        time.sleep(0.01)
    conf = root / "renewal" / f"{name}.conf"
    live, archive = root / "live" / name, root / "archive" / name
    kinds, version = ("cert", "privkey", "chain", "fullchain"), 1
    if conf.exists():
        assert all((live / f"{k}.pem").exists() for k in kinds), "broken lineage"
        current = os.readlink(live / "cert.pem")
        if (archive / Path(current).name).read_text().split()[1:] == domains and "--force-renewal" not in argv:
            return None
        version = 1 + max(int(re.search(r"\d+", p.name)[0]) for p in archive.iterdir() if p.suffix == ".pem")
    client = acme.ClientV2()
    order = client.new_order(name)
    client.answer_challenge(order)
    client.poll(order)
    archive.mkdir(parents=True, exist_ok=True)
    live.mkdir(parents=True, exist_ok=True)
    conf.parent.mkdir(exist_ok=True)
    key = f"key-{os.getpid()}"
    for kind in kinds:
        (archive / f"{kind}{version}.pem").write_text(" ".join([key, *domains]))
        (live / f"{kind}.pem").unlink(missing_ok=True)
        (live / f"{kind}.pem").symlink_to(f"../../archive/{name}/{kind}{version}.pem")
    (root / "live" / "README").write_text("read me")
    (live / "README").write_text("read me")
    paths = "".join(f"{k} = {live}/{k}.pem\n" for k in kinds)
    own = "".join(f"{d}_dir = {opt(argv, f'--{d}-dir')}\n" for d in ("config", "work", "logs"))
    conf.write_text(f"archive_dir = {archive}\n{paths}[renewalparams]\n{own}server = {server}\n")
    return None
"""

FAKE_ACME = r"""
import os
from types import SimpleNamespace as S

class Problem(Exception):
    def __init__(self, code, detail, identifier=None):
        self.typ, self.detail, self.subproblems = f"urn:ietf:params:acme:error:{code}", detail, None

class ClientNetwork:
    refusals = 3
    def __init__(self, *key, **more):
        self.key = key
    def get(self, url):
        return S(json=lambda: url)
    def post(self):
        if ClientNetwork.refusals:
            ClientNetwork.refusals -= 1
            raise Problem("badNonce", "an old one")

class ClientV2:
    def __init__(self, directory="", net=None):
        self.directory, self.net = directory, net
    def new_account(self, asked):
        if "stranger" in self.directory:
            raise Problem("externalAccountRequired", "who are you?")
        with open(os.environ["GO"] + ".known", "a") as file:
            file.write(f"{self.net.key[0].text} {asked.email} {asked.external_account_binding}\n")
        return S(uri="https://ca.example.com/account/2")
    def new_order(self, name):
        ClientNetwork().post()
        if name.startswith("forgotten") and not os.path.exists(os.environ["GO"] + ".known"):
            raise Problem("accountDoesNotExist", "no such account")
        if name.startswith("limited"):
            raise Problem("rateLimited", "too many certificates")
        body = S(status=S(name="pending"), identifier=S(value=name), challenges=[])
        return S(uri="order", authorizations=[S(body=body)], body=body)
    def answer_challenge(self, order):
        pass
    def poll(self, order):
        if order.body.identifier.value.startswith("nodns"):
            order.body.status = S(name="invalid")
            order.body.challenges.append(S(error=Problem("dns", "NXDOMAIN looking up A")))
        return order, None
"""


FAKE_JOSEPY = """
class JWK:
    typ = "RSA"
    @classmethod
    def json_loads(cls, text):
        self = cls()
        self.text = text
        return self
    def public_key(self):
        return "public"
RS256 = None
"""

FAKE_MESSAGES = """
from types import SimpleNamespace as S
class Directory:
    from_json = staticmethod(lambda data: data)
class ExternalAccountBinding:
    from_data = staticmethod(lambda *words: "/".join(words))
class NewRegistration:
    from_data = staticmethod(lambda **more: S(**{"external_account_binding": None, **more}))
"""


@pytest.fixture
def fake(tmp_path: Path) -> Path:
    """A directory for PYTHONPATH with a certbot in it."""
    root = tmp_path / "fake"
    invalid = (
        '    if order.body.status.name == "invalid":\n        raise RuntimeError("Some challenges have failed.")\n'
    )
    certbot = FAKE_CERTBOT.replace("    client.poll(order)\n", "    client.poll(order)\n" + invalid)
    files = {
        "certbot/__init__.py": "",
        "certbot/main.py": certbot,
        "acme/__init__.py": "",
        "acme/client.py": FAKE_ACME,
        "acme/errors.py": "class ConflictError(Exception): pass\n",
        "acme/messages.py": FAKE_MESSAGES,
        "josepy.py": FAKE_JOSEPY,
        "requests.py": "class Session: pass\n",
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(textwrap.dedent(text))
    return root


def job(name: str, *domains: str, extra: tuple[str, ...] = (), server: str = SERVER) -> dict[str, Any]:
    """A job as the host writes it."""
    names = [word for domain in domains or (name,) for word in ("-d", domain)]
    argv = ["certonly", "--non-interactive", "--cert-name", name, *names, "--server", server, "--agree-tos"]
    return {"lineage": name, "argv": [*argv, "--email", "me@example.com", *extra]}


def launch(fake: Path, root: Path, *jobs: dict[str, Any], **more: Any) -> subprocess.Popen[str]:
    """Start the issuer as the container would, from its standard input."""
    environment = {**os.environ, "PYTHONPATH": str(fake), "GO": str(fake / "go")}
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**environment, **more.pop("env", {})},
    )
    assert process.stdin
    longest = more.pop("longest", None)
    text = program.text({"config_dir": str(root), "concurrency": 4, "jobs": list(jobs), **more})
    if longest is not None:
        assert text.count("LONGEST_ORDER = 900.0") == 1
        text = text.replace("LONGEST_ORDER = 900.0", f"LONGEST_ORDER = {longest}")
    process.stdin.write(text)
    process.stdin.close()
    process.stdin = None
    return process


def run(fake: Path, root: Path, *jobs: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    """Run the issuer; its events."""
    root.mkdir(exist_ok=True)
    output, errors = launch(fake, root, *jobs, **more).communicate(timeout=30)
    events = [json.loads(line) for line in output.splitlines()]
    assert [e["event"] for e in events if e["event"] == "queued"] == ["queued"] * len(jobs), errors
    assert all({"type", "detail", "retry_after"} <= event.keys() for event in events)
    return events


def of(events: list[dict[str, Any]], name: str) -> list[str]:
    """What happened to one lineage."""
    return [event["event"] for event in events if event.get("lineage") == name]


def last(events: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """How it ended for one lineage."""
    return [event for event in events if event.get("lineage") == name][-1]


def notes(events: list[dict[str, Any]]) -> str:
    """All notes, as one text."""
    return "\n".join(event["detail"] for event in events if event["event"] == "note")


def check_whole(root: Path, name: str, version: int) -> None:
    """A lineage as certbot would have left it, and nothing next to it."""
    tree = ConfigDir(root)
    assert tree.version(name) == version
    assert tree.shows(name, version)
    assert (tree.live(name) / "privkey.pem").read_text() == (tree.live(name) / "fullchain.pem").read_text()
    text = tree.conf(name).read_text()
    assert f"archive_dir = {root}/archive/{name}\n" in text
    assert f"fullchain = {root}/live/{name}/fullchain.pem\n" in text
    assert merge.HOME not in text
    assert not re.search(r"^(config|work|logs)_dir", text, re.MULTILINE)
    assert not list(root.glob("*/*-0001*"))
    assert not list((root / merge.HOME).glob("run-*"))


def wait_for(condition: Callable[[], object]) -> None:
    """Poll with a deadline."""
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "nothing came of it"
        time.sleep(0.01)


# The run


def test_a_run_reports_every_step_and_leaves_certbots_own_tree(fake: Path, tmp_path: Path) -> None:
    names = [f"a{i}.example.com" for i in range(6)]
    events = run(fake, tmp_path / "le", *(job(name) for name in names))
    assert [e["detail"] for e in events if e["event"] == "registered"] == [SERVER]
    for name in names:
        assert of(events, name) == ["queued", "started", "ordered", "challenged", "issued"]
        check_whole(tmp_path / "le", name, 1)
    assert sorted(p.name for p in (tmp_path / "le").iterdir() if p.name[0] != ".") == [
        *("accounts", "archive", "live", "renewal"),
    ]
    assert (tmp_path / "le/live/README").exists()


def test_what_is_valid_is_unchanged_and_other_names_are_issued_under_the_same_name(fake: Path, tmp_path: Path) -> None:
    root = tmp_path / "le"
    run(fake, root, job(NAME))
    events = run(fake, root, job(NAME))
    assert of(events, NAME) == ["queued", "started", "unchanged"]
    assert "registered" not in [event["event"] for event in events]
    check_whole(root, NAME, 1)
    assert of(run(fake, root, job(NAME, NAME, "www.example.com")), NAME)[-1] == "issued"
    check_whole(root, NAME, 2)
    assert of(run(fake, root, job(NAME, NAME, "www.example.com", extra=("--force-renewal",))), NAME)[-1] == "issued"
    check_whole(root, NAME, 3)
    assert (root / "archive" / NAME / "privkey1.pem").exists()


def test_one_that_fails_stops_no_other_and_has_the_words_of_the_ca(fake: Path, tmp_path: Path) -> None:
    bad = ["nodns.example.com", "limited.example.com", "usage.example.com", "dies.example.com"]
    events = run(fake, tmp_path / "le", *(job(name) for name in [*bad, NAME]))
    urn = "urn:ietf:params:acme:error:"
    ends = {name: last(events, name) for name in bad}
    assert {end["event"] for end in ends.values()} == {"failed"}
    assert [ends[name]["type"] for name in bad] == [f"{urn}dns", f"{urn}rateLimited", None, None]
    assert ends[bad[0]]["detail"] == "nodns.example.com: NXDOMAIN looking up A"
    assert ends[bad[1]]["detail"] == "too many certificates"
    assert "--nonsense" in ends[bad[2]]["detail"]
    assert "wait status" in ends[bad[3]]["detail"]
    check_whole(tmp_path / "le", NAME, 1)
    assert not (tmp_path / "le/live" / bad[0]).exists()


def test_a_refused_registration_fails_the_jobs_of_that_server_only(fake: Path, tmp_path: Path) -> None:
    other = job("other.example.com", server="https://refused.example.com/dir")
    events = run(fake, tmp_path / "le", other, job(NAME))
    assert of(events, "other.example.com") == ["queued", "failed"]
    assert last(events, "other.example.com")["type"].endswith(":externalAccountRequired")
    assert last(events, "other.example.com")["detail"] == "no key, no account"
    check_whole(tmp_path / "le", NAME, 1)


def test_registering_takes_over_the_account_options_only() -> None:
    words = ["certonly", "--webroot", "-w", "/www", "-d", "a.example", "--server", "https://x/dir", "--agree-tos"]
    more = ["--user-agent-comment=x", "-m", "a@example.com", "--non-interactive"]
    assert accounts.registration([*words, *more]) == ["register", *words[6:], *more]


def test_a_forgotten_account_is_registered_again_by_its_own_key(fake: Path, tmp_path: Path) -> None:
    root = tmp_path / "le"
    run(fake, root, job("first.example.com"))
    account = root / "accounts/ca.example.com/dir/one"
    before = {path.name: path.read_text() for path in account.iterdir()}
    names = ("forgotten1.example.com", "forgotten2.example.com")
    events = run(fake, root, *(job(name) for name in names), eab={SERVER: {"kid": "k", "hmac_key": "s"}})
    for name in names:
        assert last(events, name)["event"] == "issued"
        check_whole(root, name, 1)
    assert notes(events) == f"{SERVER} did not know the account any more: its key is registered again"
    assert [path.name for path in account.parent.iterdir()] == ["one"]
    assert json.loads((account / "regr.json").read_text()) == {"body": {}, "uri": "https://ca.example.com/account/2"}
    assert {p.name: p.read_text() for p in account.iterdir() if p.name != "regr.json"} == {
        name: text for name, text in before.items() if name != "regr.json"
    }
    kept = list((root / merge.HOME / "orphans").glob("*/regr.json"))
    assert [path.read_text() for path in kept] == [before["regr.json"]]
    key = before["private_key.json"]
    assert Path(f"{fake}/go.known").read_text() == f"{key} me@example.com public/k/s/{SERVER}\n"


def test_a_forgotten_account_that_the_ca_does_not_take_again_fails_its_jobs_once(fake: Path, tmp_path: Path) -> None:
    root, server = tmp_path / "le", "https://stranger.example.com/dir"
    run(fake, root, job("first.example.com", server=server))
    events = run(fake, root, job("forgotten.example.com", server=server))
    assert of(events, "forgotten.example.com") == ["queued", "started", "failed"]
    problem = last(events, "forgotten.example.com")
    assert problem["type"].endswith(":externalAccountRequired")
    assert "does not know the account" in problem["detail"]
    assert problem["detail"].endswith("who are you?")


def test_with_several_accounts_none_is_chosen_to_be_registered_again(fake: Path, tmp_path: Path) -> None:
    root = tmp_path / "le"
    run(fake, root, job("first.example.com"))
    accounts_of_ca = root / "accounts/ca.example.com/dir"
    shutil.copytree(accounts_of_ca / "one", accounts_of_ca / "two")
    events = run(fake, root, job("forgotten.example.com"))
    assert last(events, "forgotten.example.com")["type"].endswith(":accountDoesNotExist")
    assert not Path(f"{fake}/go.known").exists()


def test_of_several_accounts_the_one_that_is_passed_is_registered_again(fake: Path, tmp_path: Path) -> None:
    root = tmp_path / "le"
    run(fake, root, job("first.example.com"))
    home = root / "accounts/ca.example.com/dir"
    shutil.copytree(home / "one", home / "two")
    (home / "two/private_key.json").write_text("{}")
    named = job("forgotten.example.com")
    events = run(fake, root, {**named, "argv": [*named["argv"], "--account", "one"]})
    assert last(events, "forgotten.example.com")["event"] == "issued"
    assert (home / "two/regr.json").read_text() != (home / "one/regr.json").read_text()


def test_an_account_with_a_file_cut_short_is_none(fake: Path, tmp_path: Path) -> None:
    root = tmp_path / "le"
    run(fake, root, job("first.example.com"))
    account = root / "accounts/ca.example.com/dir/one"
    account.rename(account.with_name("old"))
    (account.with_name("old") / "private_key.json").write_text('{"n": "cut')
    assert last(run(fake, root, job(NAME)), NAME)["event"] == "issued"
    assert accounts.usable(ConfigDir(root), SERVER) == [account]


def test_the_same_lineage_twice_harms_nothing(fake: Path, tmp_path: Path) -> None:
    run(fake, tmp_path / "le", job("b.example.com"))
    events = run(fake, tmp_path / "le", job(NAME), job(NAME))
    assert sorted(e["event"] for e in events if e.get("lineage") == NAME)[:2] == ["challenged", "failed"]
    check_whole(tmp_path / "le", NAME, 1)


def test_without_a_certbot_to_import_the_command_does_the_jobs(tmp_path: Path) -> None:
    command = tmp_path / "bin" / "certbot"
    command.parent.mkdir()
    command.write_text(
        "#!/bin/sh\n"
        "case $* in *bad*) printf '  Domain: bad\\n  Type:   dns\\n  Detail: no such name\\n'; exit 1;; esac\n"
        'echo "$@" >>"$CALLS"\n'
        'while [ $# -gt 0 ]; do [ "$1" = --config ] && cat "$2" >>"$CALLS.bound"; shift; done\n'
        "exit 0\n"
    )
    command.chmod(0o755)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "certbot.py").write_text("raise ImportError('none here')")
    environment = {"PATH": f"{command.parent}:{os.environ['PATH']}", "CALLS": str(tmp_path / "calls")}
    eab = {SERVER: {"kid": "k", "hmac_key": "secret"}}
    events = run(tmp_path / "empty", tmp_path / "le", job("bad.example.com"), job(NAME), env=environment, eab=eab)
    assert notes(events).count("one certificate at a time") == 1
    assert last(events, NAME)["event"] == "unchanged"  # this one wrote nothing
    assert last(events, "bad.example.com")["type"] == "urn:ietf:params:acme:error:dns"
    assert last(events, "bad.example.com")["detail"] == "no such name"
    assert (tmp_path / "calls").read_text().endswith(f"--config-dir {tmp_path}/le\n")
    assert "secret" not in (tmp_path / "calls").read_text()
    assert (tmp_path / "calls.bound").read_text() == "eab-kid = k\neab-hmac-key = secret\n"


@pytest.mark.parametrize(
    ("first_line", "expected"),
    [
        ("#!{bin}/other/python3.12", "other/python3.12 -u -"),
        ("#! {bin}/other/python3.12 -I\r", "other/python3.12 -I -u -"),
        ("#!/usr/bin/env python3.12", "python3.12 -u -"),
        ("#!/usr/bin/env -S python3.12 -s", "python3.12 -s -u -"),
        ("#!/bin/sh", "python3 -u -"),
        ("\x7fELF\0\x02 python * ?", "python3 -u -"),
        ("", "python3 -u -"),
        (None, "python3 -u -"),
    ],
)
def test_the_python_that_runs_it_is_that_of_the_certbot_command(
    tmp_path: Path, first_line: str | None, expected: str
) -> None:
    for name in ("python3", "python3.12", "other/python3.12"):
        fake = tmp_path / name
        fake.parent.mkdir(exist_ok=True)
        fake.write_text(f'#!/bin/sh\nread -r line\necho "{name} $* got $line"\n')
        fake.chmod(0o755)
    if first_line is not None:
        (tmp_path / "certbot").write_text(first_line.format(bin=tmp_path) + "\nimport certbot\n", newline="")
        (tmp_path / "certbot").chmod(0o755)
    done = subprocess.run(
        program.COMMAND,
        input="the program\n",
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        cwd=tmp_path,
    )
    assert done.stdout == f"{expected} got the program\n"


def test_where_it_cannot_work_it_says_so(fake: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    process = launch(fake, tmp_path / "file", job(NAME))
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "cannot use" in json.loads(output.splitlines()[-1])["detail"]


def test_nobody_listening_does_not_stop_the_work(fake: Path, tmp_path: Path) -> None:
    (tmp_path / "le").mkdir()
    process = launch(fake, tmp_path / "le", job(NAME))
    assert process.stdout
    process.stdout.close()
    assert process.wait(30) == 0
    check_whole(tmp_path / "le", NAME, 1)
    assert process.stderr
    process.stderr.close()


# Other processes


def test_adoption_waits_for_certbots_own_lock(fake: Path, tmp_path: Path) -> None:
    root = tmp_path / "le"
    run(fake, root, job("first.example.com"))
    with locks.config_lock(root) as held:
        assert held
        process = launch(fake, root, job(NAME))
        assert process.stdout
        assert any("waiting" in line for line in process.stdout)
        assert list(root.glob(f"{merge.HOME}/run-*/{NAME}/done"))
        assert not (root / "live" / NAME).exists()
    process.communicate(timeout=30)
    check_whole(root, NAME, 1)
    assert not (root / ".certbot.lock").exists()


def test_what_could_not_be_put_in_place_is_put_there_by_the_next_run(fake: Path, tmp_path: Path) -> None:
    root = tmp_path / "le"
    run(fake, root, job("first.example.com"))
    with locks.config_lock(root):
        events = run(fake, root, job(NAME), patience=0.1)
    assert last(events, NAME)["event"] == "failed"
    assert "next run" in last(events, NAME)["detail"]
    events = run(fake, root, job(NAME))
    assert of(events, NAME) == ["queued", "started", "issued"]  # no second order
    check_whole(root, NAME, 1)


def test_two_issuers_work_one_after_the_other(fake: Path, tmp_path: Path) -> None:
    root = tmp_path / "le"
    run(fake, root, job("first.example.com"))
    with (root / merge.HOME / "lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        events = run(fake, root, job(NAME), patience=0.1)
        assert of(events, NAME) == ["queued"]
        assert "another issuer" in notes(events)
    assert of(run(fake, root, job(NAME)), NAME)[-1] == "issued"


def test_a_ca_that_never_finishes_an_order_is_left(fake: Path, tmp_path: Path) -> None:
    name = "waits.example.com"
    events = run(fake, tmp_path / "le", job(name), job(NAME), longest=1.5)
    assert last(events, name)["event"] == "failed"
    assert "did not finish the order within 2 s" in last(events, name)["detail"]
    assert of(events, NAME)[-1] == "issued"


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_children_end_with_the_parent_and_the_next_run_clears_up(
    fake: Path, tmp_path: Path, number: signal.Signals
) -> None:
    root, name = tmp_path / "le", "waits.example.com"
    run(fake, root, job("first.example.com"))
    process = launch(fake, root, job(name), job(NAME))
    waiting = fake / "go.waiting"
    wait_for(lambda: waiting.exists() and waiting.read_text() and (root / "renewal" / f"{NAME}.conf").exists())
    child = int(waiting.read_text())
    process.send_signal(number)
    process.communicate(timeout=30)
    wait_for(lambda: not Path(f"/proc/{child}").exists())
    assert list(root.glob(f"{merge.HOME}/run-*/{name}"))
    (fake / "go").touch()
    assert of(run(fake, root, job(name)), name)[-1] == "issued"
    check_whole(root, name, 1)


# Adoption


def write(tree: ConfigDir, name: str, version: int, words: str) -> None:
    """A lineage whose four links show this version."""
    for directory in (tree.live(name), tree.pem(name, "cert", 1).parent, tree.conf(name).parent):
        directory.mkdir(parents=True, exist_ok=True)
    for kind in KINDS:
        tree.pem(name, kind, version).write_text(words)
        (tree.live(name) / f"{kind}.pem").unlink(missing_ok=True)
        (tree.live(name) / f"{kind}.pem").symlink_to(f"../../archive/{name}/{kind}{version}.pem")
    paths = "".join(f"{kind} = {tree.live(name)}/{kind}.pem\n" for kind in KINDS)
    params = f"[renewalparams]\nserver = https://ca.test/dir\nwords = {words}\n"
    tree.conf(name).write_text(f"# mine\narchive_dir = {tree.root}/archive/{name}\n{paths}{params}")


def staged(root: Path, name: str = NAME) -> tuple[ConfigDir, Path]:
    """A stage that holds what ``seed`` gives certbot."""
    stage = root / merge.HOME / "run-x" / name
    (stage / "config").mkdir(parents=True)
    return ConfigDir(stage / "config"), stage


class Killed(BaseException):
    """Stands for SIGKILL: nothing in the code under test handles it."""


COUNTDOWN: list[int] = []
CHANGES = {"os.link", "os.rename", "os.symlink", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "os.chown", "open"}


def _count(event: str, args: tuple[Any, ...]) -> None:
    """Raise before the change to the file system which the countdown ends at."""
    if COUNTDOWN and event in CHANGES and (event != "open" or (isinstance(args[2], int) and args[2] & 3)):
        COUNTDOWN[0] -= 1
        if COUNTDOWN[0] == 0:
            COUNTDOWN.clear()
            raise Killed


@pytest.fixture(scope="module")
def _hook() -> None:
    sys.addaudithook(_count)


def kill_at(step: int, action: Callable[[], object]) -> bool:
    """Run something up to a step; whether it was killed there."""
    COUNTDOWN[:] = [step]
    try:
        action()
    except Killed:
        return True
    finally:
        COUNTDOWN.clear()
    return False


@pytest.mark.parametrize("libc", ["renameat2", "syscall"])
def test_directories_are_swapped_with_and_without_help_of_the_c_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, libc: str
) -> None:
    real = ctypes.CDLL(None, use_errno=True)
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: SimpleNamespace(**{libc: getattr(real, libc)}))
    for name in ("one", "other"):
        (tmp_path / name / name).mkdir(parents=True)
    assert merge.exchange(tmp_path / "one", tmp_path / "other")
    assert (tmp_path / "one" / "other").exists()
    assert (tmp_path / "other" / "one").exists()
    assert not merge.exchange(tmp_path / "one", tmp_path / "none")


def nothing(_text: str) -> None:
    """Hear a note and do nothing."""


@pytest.fixture(params=["exchange", "links"])
def switch(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to switch: two directories at once, and link by link where the disk cannot."""
    if request.param == "links":
        monkeypatch.setattr(merge, "exchange", lambda *_: False)
    return str(request.param)


@pytest.mark.slow
@pytest.mark.usefixtures("_hook")
def test_killed_anywhere_a_renewal_leaves_a_whole_lineage(tmp_path: Path, switch: str) -> None:
    for step in range(1, 200):
        root = tmp_path / f"le{step}"
        shared = ConfigDir(root)
        write(shared, NAME, 1, "old")
        (shared.live(NAME) / "haproxy.pem").write_text("a file of the user's")
        mine, stage = staged(root)
        assert merge.seed(shared, mine, NAME)
        write(mine, NAME, 2, "new")
        killed = kill_at(step, partial(merge_lineage, shared, stage, NAME, nothing))
        pems = {kind: (shared.live(NAME) / f"{kind}.pem").read_text() for kind in KINDS}
        journal = all((shared.live(NAME) / f"previous_{kind}.pem").exists() for kind in KINDS)
        assert len(set(pems.values())) == 1 or (switch == "links" and journal)
        assert shared.conf(NAME).read_text().endswith(("words = old\n", "words = new\n"))
        merge_lineage(shared, stage, NAME, nothing)
        assert shared.shows(NAME, 2)
        assert shared.conf(NAME).read_text().endswith("words = new\n")
        assert not list(shared.live(NAME).glob("previous_*"))
        assert (shared.live(NAME) / "haproxy.pem").exists()
        assert {path.read_text() for path in shared.pem(NAME, "cert", 1).parent.glob("*1.pem")} == {"old"}
        assert not merge_lineage(shared, stage, NAME, nothing), "and once more changes nothing"
        if not killed:
            assert step > 10
            return
    pytest.fail("never came to an end")


@pytest.mark.slow
@pytest.mark.usefixtures("_hook")
def test_killed_anywhere_a_new_lineage_is_wholly_there_or_not_there(tmp_path: Path) -> None:
    for step in range(1, 200):
        root = tmp_path / f"le{step}"
        shared = ConfigDir(root)
        mine, stage = staged(root)
        write(mine, NAME, 1, "new")
        killed = kill_at(step, partial(merge_lineage, shared, stage, NAME, nothing))
        if shared.live(NAME).exists():
            assert shared.shows(NAME, 1)
        if shared.conf(NAME).exists():
            assert shared.shows(NAME, 1)
        merge_lineage(shared, stage, NAME, nothing)
        assert shared.shows(NAME, 1)
        assert shared.conf(NAME).exists()
        assert shared.numbers(NAME) == {1}
        if not killed:
            return
    pytest.fail("never came to an end")


def test_a_lost_live_directory_comes_back_without_a_new_order(fake: Path, tmp_path: Path) -> None:
    root = tmp_path / "le"
    run(fake, root, job(NAME))
    for path in (root / "live" / NAME).iterdir():
        path.unlink()
    (root / "live" / NAME).rmdir()
    assert of(run(fake, root, job(NAME)), NAME) == ["queued", "started", "issued"]
    check_whole(root, NAME, 1)


def test_a_half_switched_lineage_is_finished(fake: Path, tmp_path: Path) -> None:
    root = tmp_path / "le"
    run(fake, root, job(NAME))
    run(fake, root, job(NAME, extra=("--force-renewal",)))
    (root / "live" / NAME / "privkey.pem").unlink()
    (root / "live" / NAME / "privkey.pem").symlink_to(f"../../archive/{NAME}/privkey1.pem")
    run(fake, root, job(NAME))
    check_whole(root, NAME, 2)


def test_without_its_renewal_file_the_old_files_stay_and_the_numbers_go_on(fake: Path, tmp_path: Path) -> None:
    root = tmp_path / "le"
    run(fake, root, job(NAME))
    old = (root / "archive" / NAME / "privkey1.pem").read_text()
    (root / "renewal" / f"{NAME}.conf").unlink()
    assert of(run(fake, root, job(NAME)), NAME)[-1] == "issued"
    check_whole(root, NAME, 2)
    assert (root / "archive" / NAME / "privkey1.pem").read_text() == old


def test_files_that_are_not_certbots_are_kept_aside(tmp_path: Path, switch: str) -> None:
    root = tmp_path / "le"
    (root / "live" / NAME).mkdir(parents=True)
    (root / "live" / NAME / "privkey.pem").write_text("a key of somebody's")
    (root / "live" / NAME / "fullchain.pem").write_text("a dummy")
    mine, stage = staged(root)
    write(mine, NAME, 1, "new")
    heard: list[str] = []
    assert merge_lineage(ConfigDir(root), stage, NAME, heard.append)
    assert ConfigDir(root).shows(NAME, 1)
    kept = list((root / merge.HOME / "orphans").glob(f"*/{NAME}/privkey.pem"))
    assert [path.read_text() for path in kept] == ["a key of somebody's"]
    assert str(kept[0].parent) in heard[0], switch


def test_a_renewal_file_that_leads_nowhere_is_kept_aside_and_no_0001_is_made(fake: Path, tmp_path: Path) -> None:
    root = tmp_path / "le"
    (root / "renewal").mkdir(parents=True)
    (root / "renewal" / f"{NAME}.conf").write_text("version = 1\n")
    events = run(fake, root, job(NAME))
    assert "complete lineage" in notes(events)
    check_whole(root, NAME, 1)


def test_a_lineage_with_files_elsewhere_is_left_to_the_command(fake: Path, tmp_path: Path) -> None:
    root = tmp_path / "le"
    run(fake, root, job(NAME))
    conf = root / "renewal" / f"{NAME}.conf"
    conf.write_text(conf.read_text().replace(f"{root}/archive", "/srv/archive"))
    events = run(fake, root, job(NAME), env={"PATH": ""})
    assert "one certificate at a time" in notes(events)
    assert last(events, NAME)["event"] == "failed"  # there is no command here
    assert not list((root / merge.HOME).glob("run-*"))


def test_a_renewal_by_certbot_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    root = tmp_path / "le"
    shared = ConfigDir(root)
    write(shared, NAME, 1, "old")
    mine, stage = staged(root)
    merge.seed(shared, mine, NAME)
    write(mine, NAME, 2, "ours")
    write(shared, NAME, 2, "certbot's")
    assert merge_lineage(shared, stage, NAME, nothing)
    assert shared.shows(NAME, 3)
    assert shared.pem(NAME, "cert", 2).read_text() == "certbot's"
    write(shared, NAME, 4, "certbot's again")
    assert not merge_lineage(shared, stage, NAME, nothing)
    assert shared.shows(NAME, 4)


def test_old_versions_that_certbot_drops_are_dropped(tmp_path: Path) -> None:
    root = tmp_path / "le"
    shared = ConfigDir(root)
    for version in range(1, 8):
        write(shared, NAME, version, f"v{version}")
    mine, stage = staged(root)
    merge.seed(shared, mine, NAME)
    write(mine, NAME, 8, "new")
    for kind in KINDS:
        mine.pem(NAME, kind, 1).unlink()
    merge_lineage(shared, stage, NAME, nothing)
    assert shared.numbers(NAME) == set(range(2, 9))


def test_directories_the_user_set_in_the_renewal_file_stay(tmp_path: Path) -> None:
    root = tmp_path / "le"
    shared = ConfigDir(root)
    write(shared, NAME, 1, "old")
    with shared.conf(NAME).open("a") as file:
        file.write("logs_dir = /srv/logs\n")
    mine, stage = staged(root)
    merge.seed(shared, mine, NAME)
    write(mine, NAME, 2, "new")
    with mine.conf(NAME).open("a") as file:
        file.write(f"logs_dir = {stage}/logs\nwork_dir = {stage}/work\n")
    merge_lineage(shared, stage, NAME, nothing)
    assert shared.conf(NAME).read_text().endswith("words = new\nlogs_dir = /srv/logs\n")


# What certbot says


def test_subproblems_and_retry_after_are_passed_on() -> None:
    names = [SimpleNamespace(identifier=SimpleNamespace(value=n), detail="blocked") for n in ("a.test", "b.test")]
    problem = SimpleNamespace(typ="urn:x:rejectedIdentifier", detail="two names", subproblems=names)
    error = RuntimeError("certbot's words")
    error.error = problem  # type: ignore[attr-defined]
    outer = ValueError("outer")
    outer.__cause__ = error
    watcher = worker.Watcher(nothing)
    watcher.retry_after = "120"
    assert worker.failure_of(outer, watcher) == {
        "type": "urn:x:rejectedIdentifier",
        "detail": "two names; a.test: blocked; b.test: blocked",
        "retry_after": 120.0,
    }
    watcher.retry_after = "Thu, 01 Jan 1970 00:00:00 GMT"
    plain = worker.failure_of(KeyError("x"), watcher)
    assert plain == {"type": None, "detail": "'x'", "retry_after": 0.0}
    watcher.retry_after = "soon"
    assert worker.failure_of(RuntimeError(), watcher)["retry_after"] is None
    watcher.finalization_requested(None, None)
    watcher.finalizing -= 90
    detail = "the CA did not finalize the order within 90 s"
    assert worker.failure_of(TimeoutError(), watcher)["detail"] == detail


def test_the_challenge_directory_stays_while_others_work(tmp_path: Path) -> None:
    jobs = [batch.Job(NAME, ["certonly", "-w", str(tmp_path), "--webroot-path=/does/not/exist"], SERVER)]
    home = tmp_path / ".well-known" / "acme-challenge"
    with program.webroots(jobs):
        assert [path.name for path in home.iterdir()] == [merge.HOME]
    assert not list(home.iterdir())
