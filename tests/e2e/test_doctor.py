"""Every check of ``stackctl doctor`` on a real stack: one fault at a time fails exactly one check."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from stackctl.certs.ledger import Entry
from stackctl.model.acme import LETSENCRYPT
from tests.bench.lab import gateway
from tests.docs.pages import REFERENCE, Page
from tests.e2e.conftest import NewStack
from tests.e2e.helpers import APP_IMAGE, NOBODY, Stack, dns, docker, inspect, listener, wait_until
from tests.e2e.test_obstacles import mounted
from tests.e2e.zone import Answer, server, zone

pytestmark = pytest.mark.e2e

FOREIGN = "203.0.113.77"
"""An unused address (RFC 5737), as the public one of a router is to this host."""

Broken = Iterator[Mapping[str, str] | None]
Break = Callable[["Patient"], Broken]


@dataclass
class Patient:
    """The stack, its site, and an address for another server."""

    stack: Stack
    name: str
    other: str

    def doctor(self, *names: str, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Return what ``doctor`` prints, which must agree with its exit code."""
        done = self.stack.run("doctor", *names, "--output", "json", environment=environment)
        assert done.returncode in {0, 1}, done.stdout + done.stderr
        printed: dict[str, Any] = json.loads(done.stdout)
        assert done.returncode == bool(printed["first"])
        return printed

    def resolve(self, *addresses: str) -> None:
        dns("clear-a", self.name)
        dns("add-a", self.name, *addresses)


def rows(printed: dict[str, Any], verdict: str | None = None) -> list[dict[str, Any]]:
    found = [row for section in printed["sections"] for row in section["checks"]]
    return [row for row in found if verdict is None or row["verdict"] == verdict]


def named(printed: dict[str, Any], verdict: str) -> list[str]:
    return list(dict.fromkeys(row["name"] for row in rows(printed, verdict)))


@pytest.fixture(scope="module")
def patient(new_stack: NewStack, addresses: Iterator[str]) -> Iterator[Patient]:
    stack = new_stack()
    stack.init()
    # A separate image, so that it can be removed.
    image = f"stackctl-lab/{stack.token}:latest"
    docker("tag", APP_IMAGE, image)
    name = stack.domain("app1")
    stack.add_dns(name)
    try:
        stack.ok("add-app", name, "--image", image)
        yield Patient(stack, name, next(addresses))
    finally:
        docker("rmi", image)  # removes only the name: the lab's has the image too


# The faults: each is set up before the yield and repaired after it; the environment is yielded.


def _edited(old: str, new: str) -> Break:
    def edit(patient: Patient) -> Broken:
        before = patient.stack.file.read_text()
        patient.stack.edit(old, new)
        yield None
        patient.stack.file.write_text(before)

    return edit


def _ca(url: Callable[[Patient], str]) -> Break:
    """Switch the stack to another CA."""
    return lambda patient: _edited(patient.stack.lab.directory, url(patient))(patient)


def _engine(_patient: Patient) -> Broken:
    yield {"DOCKER_HOST": "tcp://127.0.0.1:1"}


def _images(patient: Patient) -> Broken:
    image = f"stackctl-lab/{patient.stack.token}:latest"
    docker("rmi", image)
    yield None
    docker("tag", APP_IMAGE, image)


def _stopped(service: str) -> Break:
    def stop(patient: Patient) -> Broken:
        container = patient.stack.container(service)
        docker("stop", "--time", "2", container)
        yield None
        docker("start", container)
        if service == "nginx":
            wait_until(lambda: patient.stack.http(patient.name).status == 301, what="nginx answers again")

    return stop


def _taken(port: int) -> Break:
    def take(patient: Patient) -> Broken:
        for _ in _stopped("nginx")(patient):
            with listener(patient.stack.address, port):
                yield None

    return take


def _clock(patient: Patient) -> Broken:
    """Run a CA with a wrong clock; a test must not change this host's."""
    with _tls_server(patient, patient.other, timedelta(hours=-3)) as url:
        yield from _ca(lambda _patient: url)(patient)


def _limited(patient: Patient) -> Broken:
    """Resolve Let's Encrypt, the only CA with known limits, to the test's own server."""
    container = inspect(patient.stack.container("certbot"))
    hosts, host = Path(container["HostsPath"]), urlsplit(LETSENCRYPT).hostname
    before = hosts.read_text()
    now = datetime.now(UTC)
    failures = [Entry(now, LETSENCRYPT, (patient.name,), issued=False).line()] * 5
    with _tls_server(patient, gateway(), name=str(host), port=443):
        # Written, not replaced: this file is mounted into the container.
        hosts.write_text(f"{before}{gateway()}\t{host}\n")
        try:
            for _ in _ledger(patient, failures):
                for _ in _without(f"data/certbot/conf/live/{patient.name}/privkey.pem")(patient):
                    yield from _ca(lambda _patient: "letsencrypt")(patient)
        finally:
            hosts.write_text(before)


def _ledger(patient: Patient, lines: Sequence[str]) -> Broken:
    file = patient.stack.directory / ".stackctl/ledger"
    before = file.read_text()
    file.write_text("".join(f"{line}\n" for line in lines))
    yield None
    file.write_text(before)


def _without(path: str) -> Break:
    def take(patient: Patient) -> Broken:
        file = patient.stack.directory / path
        aside = file.with_name(f"{file.name}.aside")
        file.rename(aside)
        yield None
        aside.rename(file)

    return take


@contextmanager
def _tls_server(
    patient: Patient, address: str, ahead: timedelta = timedelta(), *, name: str = "", port: int = 0
) -> Iterator[str]:
    """A server in place of a CA, with its clock ahead; the stack trusts the certificate for its address or name."""
    date = format_datetime(datetime.now(UTC) + ahead, usegmt=True)
    bundle = patient.stack.directory / "data/ca/bundle.pem"
    before = bundle.read_bytes()
    folder = patient.stack.directory.parent / f"stackctl-lab-{patient.stack.token}-ca"
    folder.mkdir()
    program = (
        "import http.server, ssl, sys\n"
        "class Handler(http.server.BaseHTTPRequestHandler):\n"
        "    def do_GET(self):\n"
        "        self.send_response_only(200)\n"
        f"        self.send_header('Date', {date!r})\n"
        "        self.end_headers()\n"
        "        self.wfile.write(b'{}')\n"
        "made = http.server.HTTPServer((sys.argv[1], int(sys.argv[2])), Handler)\n"
        "context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)\n"
        "context.load_cert_chain('cert.pem', 'key.pem')\n"
        "made.socket = context.wrap_socket(made.socket, server_side=True)\n"
        "print(made.server_address[1], flush=True)\n"
        "made.serve_forever()\n"
    )
    make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=ca"
    make += f" -addext subjectAltName={f'DNS:{name}' if name else f'IP:{address}'}"
    make += " -addext keyUsage=critical,digitalSignature,keyCertSign"
    try:
        command = [*make.split(), "-keyout", "key.pem", "-out", "cert.pem"]
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=30)
        bundle.write_bytes(before + (folder / "cert.pem").read_bytes())
        argv = [sys.executable, "-c", program, address, str(port)]
        with subprocess.Popen(argv, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                yield f"https://{address}:{process.stdout.readline().strip()}/dir"
            finally:
                process.terminate()
    finally:
        bundle.write_bytes(before)
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()


def _mode(path: str, mode: int) -> Break:
    def change(patient: Patient) -> Broken:
        file = patient.stack.directory / path.format(name=patient.name)
        before = file.stat().st_mode
        file.chmod(mode)
        yield None
        file.chmod(before)

    return change


def _read_only(patient: Patient) -> Broken:
    if os.geteuid() != 0:
        pytest.skip("mounting takes root")
    at = patient.stack.directory
    subprocess.run(["mount", "--bind", at, at], check=True, timeout=20)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", at], check=True, timeout=20)
        yield None
    finally:
        subprocess.run(["umount", "--lazy", at], check=True, timeout=20)


def _draft(patient: Patient) -> Broken:
    draft = patient.stack.directory / "nginx/generations/.0123456789abcdef.tmp"
    draft.mkdir()
    yield None
    draft.rmdir()


def _killed(patient: Patient) -> Broken:
    lock = patient.stack.directory / ".stackctl/lock"
    with subprocess.Popen(["true"]) as ended:
        pass
    lock.write_text(json.dumps({"pid": ended.pid, "command": "up", "since": "2026-08-01T12:00:00+00:00"}))
    yield None
    lock.write_text("")


def _webroot_made_anew(patient: Patient) -> Broken:
    """The container still has the old directory mounted."""
    webroot = patient.stack.directory / "data/certbot/www"
    old = webroot.rename(webroot.with_name("www.old"))
    webroot.mkdir()
    yield None
    webroot.rmdir()
    old.rename(webroot)


def _zone(records: Callable[[Patient], dict[tuple[str, str], str]]) -> Break:
    def answer(patient: Patient) -> Broken:
        with zone(records(patient)) as resolver:
            yield {"STACKCTL_RESOLVER": resolver}

    return answer


def _here(patient: Patient, **more: str) -> dict[tuple[str, str], str]:
    return {(patient.name, "A"): patient.stack.address} | {(patient.name, kind): text for kind, text in more.items()}


def _servfail(patient: Patient) -> Broken:
    dns("set-servfail", patient.name)
    yield None
    dns("clear-servfail", patient.name)


def _pointing(*addresses: str) -> Break:
    def point(patient: Patient) -> Broken:
        patient.resolve(*(address.format(other=patient.other, here=patient.stack.address) for address in addresses))
        yield None
        patient.resolve(patient.stack.address)

    return point


def _answering(answer: Callable[[Patient, str, str], Answer]) -> Break:
    """Resolve the name to another server."""

    def serve(patient: Patient) -> Broken:
        with server(patient.other, lambda name, path: answer(patient, name, path)):
            yield from _pointing("{other}")(patient)

    return serve


def _passed_on(patient: Patient, name: str, path: str) -> Answer:
    reply = patient.stack.http(name, path)
    return Answer(reply.status, reply.body, CF_RAY="8a0-FRA", Server="cloudflare")


def _login(patient: Patient, _name: str, path: str) -> Answer:
    if path == "/login":
        return Answer(200, b"Who are you?")
    return Answer(302, Location=f"http://{patient.other}/login")


def _redirected(patient: Patient, _name: str, path: str) -> Answer:
    return Answer(301, Location=f"http://{patient.stack.address}{path}")


def _six(patient: Patient) -> Broken:
    dns("add-aaaa", patient.name, "::1")
    yield None
    dns("clear-aaaa", patient.name)


def _walled(patient: Patient) -> Broken:
    """As behind a router without hairpin NAT."""
    rule = f"-d {FOREIGN} -p tcp --dport 80 -j REJECT --reject-with tcp-reset".split()
    subprocess.run(["iptables", "-w", "-I", "OUTPUT", *rule], check=True, capture_output=True, timeout=20)
    try:
        yield from _pointing(FOREIGN)(patient)
    finally:
        subprocess.run(["iptables", "-w", "-D", "OUTPUT", *rule], check=True, capture_output=True, timeout=20)


WRONG: dict[str, tuple[Break, str]] = {
    "the engine does not answer": (_engine, "engine"),
    "the Compose file has a wrong key": (_edited("agree-tos", "agree-to"), "compose-file"),
    "Compose does not take the file": (_edited("restart: always", "restarts: no"), "compose-file"),
    "an image is gone": (_images, "images"),
    "another program has port 80": (_taken(80), "http-port"),
    "another program has port 443": (_taken(443), "https-port"),
    "the proxy is stopped": (_stopped("nginx"), "proxy"),
    "the clock is off": (_clock, "clock"),
    "the CA's limit is used up": (_limited, "limits"),
    "the directory is read-only": (_read_only, "directory"),
    "others can read the ledger": (_mode(".stackctl", 0o755), "permissions"),
    "others can read a dummy's key": (_mode("data/certs/{name}/privkey.pem", 0o644), "permissions"),
    "the webroot is closed": (_mode("data/certbot/www", 0o700), "webroot"),
    "a crash left a draft": (_draft, "leftovers"),
    "a command was killed": (_killed, "leftovers"),
    "the webroot was made anew": (_webroot_made_anew, "challenge"),
    "the name does not exist": (_zone(lambda _p: {}), "dns"),
    "the name has no address": (_zone(lambda p: {(p.name, "TXT"): '"hello"'}), "dns"),
    "the name's DNS servers fail": (_servfail, "dns"),
    "an alias of nothing": (_zone(lambda p: {(p.name, "CNAME"): "gone.example.net."}), "cname"),
    "a loop of aliases": (
        _zone(lambda p: {(p.name, "CNAME"): "b.example.net.", ("b.example.net", "CNAME"): f"{p.name}."}),
        "cname",
    ),
    "CAA names another CA": (_zone(lambda p: _here(p, CAA='0 issue "other.example"')), "caa"),
    "CAA above names another CA": (
        _zone(lambda p: {**_here(p), ("example.com", "CAA"): '0 issue "other.example"'}),
        "caa",
    ),
    "CAA cannot be looked up": (_zone(lambda p: {**_here(p), ("example.com", "*"): "SERVFAIL"}), "caa"),
    "another server answers": (_answering(lambda *_: Answer(404, b"Not here", Server="Apache")), "reach"),
    "a CDN keeps the challenge": (_answering(lambda *_: Answer(403, CF_RAY="8a0-FRA", Server="cloudflare")), "reach"),
    "the challenge is redirected": (_answering(_login), "reach"),
    "no answer at an address of this host": (_pointing(NOBODY), "reach"),
    "one of two addresses does not answer": (_pointing("{here}", NOBODY), "reach"),
    "an AAAA record that answers nothing": (_six, "reach"),
    "certbot is stopped": (_stopped("certbot"), "certbot"),
    "the CA's name cannot be resolved": (_ca(lambda _p: "https://ca.invalid/dir"), "certbot-dns"),
    "the CA cannot be reached": (_ca(lambda _p: f"https://{gateway()}:1/dir"), "certbot-route"),
}

RIGHT: dict[str, tuple[Break, str, str]] = {
    "a chain of aliases": (
        _zone(lambda p: {(p.name, "CNAME"): "edge.example.net.", ("edge.example.net", "A"): p.stack.address}),
        "cname",
        "ok",
    ),
    "CAA names this CA": (_zone(lambda p: _here(p, CAA='0 issue "pebble.letsencrypt.org"')), "caa", "ok"),
    "a CDN passes the challenge on": (_answering(_passed_on), "reach", "ok"),
    "a redirect to this proxy": (_answering(_redirected), "reach", "ok"),
    "a router without hairpin NAT": (_walled, "reach", "unknown"),
    "no resolver answers": (lambda _p: iter([{"STACKCTL_RESOLVER": "127.0.0.1:1"}]), "dns", "unknown"),
}


@contextmanager
def broken(patient: Patient, how: Break) -> Iterator[Mapping[str, str] | None]:
    """Set up the fault for the block, and repair it afterwards in any case."""
    steps = how(patient)
    try:
        yield next(steps)
    finally:
        next(steps, None)


def test_a_healthy_stack_passes_every_documented_check_and_is_not_changed(patient: Patient) -> None:
    before = patient.stack.state()
    printed = patient.doctor()
    assert named(printed, "wrong") == named(printed, "unknown") == []
    page = Page(REFERENCE / "doctor.md")
    documented = [row[0] for heading in ("The checks", "apps", "certificates") for row in page.table(heading)]
    # These checks do not apply to this stack.
    apps = {"app-answer", "app-outside", "app-prefix", "app-tls", "health-checks", "deploy", "maintenance", "parked"}
    elsewhere = {*apps, "cname", "dns-zone", "dns-delegation", "dns-servers", "dns-write", "certbot-dns"}
    elsewhere |= {"cert-trust", "cert-unused", "cert-second", "http3", "owners", "client-files"}
    elsewhere |= {"alerts", "alert-receiver"}
    of_this_host = {"engine-boot", "firewall", "selinux"}
    assert sorted({*named(printed, "ok"), *elsewhere} - of_this_host) == sorted(documented)
    assert patient.stack.state() == before


@pytest.mark.parametrize("what", WRONG)
def test_one_fault_fails_exactly_one_check(patient: Patient, what: str) -> None:
    how, expected = WRONG[what]
    with broken(patient, how) as environment:
        printed = patient.doctor(environment=environment)
    found = named(printed, "wrong")
    if expected == "limits":  # which only matters where a certificate is needed: its key is missing
        found.remove("cert-issued")
    if expected in {"clock", "certbot-dns", "certbot-route"}:  # by another 'ca', at which there is no account
        found.remove("cert-renewal")
    assert found == [expected], rows(printed, "wrong")
    assert printed["first"]["name"] == expected
    assert printed["first"]["todo"]


@pytest.mark.parametrize("what", RIGHT)
def test_an_unusual_or_unknown_state_fails_no_check(patient: Patient, what: str) -> None:
    how, check, verdict = RIGHT[what]
    with broken(patient, how) as environment:
        printed = patient.doctor(environment=environment)
    assert named(printed, "wrong") == [], rows(printed, "wrong")
    (row,) = [row for row in rows(printed) if row["name"] == check]
    assert row["verdict"] == verdict
    assert row["todo"] or verdict == "ok"


def test_the_stack_is_healthy_after_all_faults(patient: Patient) -> None:
    assert named(patient.doctor(), "wrong") == []
    assert patient.stack.trusted(patient.name)


@pytest.mark.parametrize(("options", "expected"), [("size=8m", "disk"), ("size=1g,nr_inodes=64", "inodes")])
def test_a_nearly_full_disk_is_reported_without_a_stack(patient: Patient, options: str, expected: str) -> None:
    if os.geteuid() != 0:
        pytest.skip("mounting takes root")
    size, _, more = options.removeprefix("size=").partition(",")
    with mounted(f"{size},{more}" if more else size) as disk:
        printed = patient.doctor("--directory", str(disk))
    assert named(printed, "wrong") == [expected]
    assert {"compose-file"} <= set(named(printed, "unknown")) <= {"compose-file", "clock"}  # the CA may be out of reach


def test_an_overdue_renewal_loop_is_reported(patient: Patient) -> None:
    """Fourteen hours later, without a run of the loop in between."""
    done = patient.stack.run_at(14, "doctor", "--output", "json")
    assert done.returncode == 1, done.stdout + done.stderr
    printed = json.loads(done.stdout)
    assert named(printed, "wrong") == ["renewal-loop"], rows(printed, "wrong")
    assert "the renewal loop is overdue: its last run was 14 h ago" in printed["first"]["text"]


def test_a_missing_compose_is_reported(patient: Patient, tmp_path: Path) -> None:
    prelude = "import sys; sys.executable = '/nowhere/python'"
    done = patient.stack.run_after(prelude, "doctor", "--output", "json", environment={"PATH": str(tmp_path)})
    assert done.returncode == 1, done.stdout + done.stderr
    assert named(json.loads(done.stdout), "wrong") == ["compose"]


# Before the CA is asked


def test_a_certain_failure_is_not_requested_unless_forced(patient: Patient) -> None:
    stack = patient.stack
    name = stack.domain("app2")
    command = ("add-app", name, "--image", APP_IMAGE)
    ledger = stack.directory / ".stackctl/ledger"
    before = ledger.read_bytes()
    with zone({}) as resolver:
        done = stack.fails(7, *command, environment={"STACKCTL_RESOLVER": resolver})
        assert "the name does not exist" in done.stderr
        assert ledger.read_bytes() == before
        assert stack.http(name).status == 200
        assert stack.trusted(patient.name)
        # The lab's resolver, which the CA asks, knows the name.
        stack.add_dns(name)
        assert stack.run(*command, "--force", environment={"STACKCTL_RESOLVER": resolver}).returncode == 0
    assert stack.trusted(name)
    assert list((stack.directory / "data/certbot/www").rglob("stackctl-*")) == []
