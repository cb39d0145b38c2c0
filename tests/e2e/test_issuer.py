"""The batch issuer in real certbot containers, against a real CA (Pebble) and a real nginx."""

from __future__ import annotations

import json
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stackctl.certs.issuer import program
from tests.e2e.helpers import certbot

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
CA = ROOT / ".lab" / "ca"
ADDRESS = "127.0.0.30"
URN = "urn:ietf:params:acme:error:"
SITE = "server { listen 80 default_server; location /.well-known/acme-challenge/ { root /var/www/certbot; } }\n"


def docker(*words: str, text: str | None = None, check: bool = True) -> str:
    """Run docker; its output."""
    result = subprocess.run(
        ["docker", *words], input=text, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    assert not check or result.returncode == 0, result.stdout
    return result.stdout


def point(name: str, address: str = ADDRESS) -> str:
    """Give a name this one A record in the test's DNS."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for action in ("clear-a", "add-a"):
        body = json.dumps({"host": name, "addresses": [address]}).encode()
        opener.open(urllib.request.Request(f"http://127.0.0.1:8055/{action}", body), timeout=10).close()
    return name


@dataclass
class Box:
    """A certbot container and its directories on the host."""

    container: str
    conf: Path
    version: str

    def name(self, label: str) -> str:
        """A name of this container's own, which leads to the web server."""
        return point(f"{label}.v{self.version.replace('.', '')}.issuer.example.com")

    def certbot(self, *words: str) -> str:
        """Run certbot as the user would."""
        return certbot(self.container, *words)

    def issue(self, *jobs: dict[str, Any], concurrency: int = 16) -> list[dict[str, Any]]:
        """Run the issuer; its events."""
        spec = {"config_dir": "/etc/letsencrypt", "concurrency": concurrency, "jobs": list(jobs)}
        command = ["docker", "exec", "-i", self.container, "python3", "-"]
        result = subprocess.run(command, input=program.text(spec), text=True, capture_output=True, check=False)
        assert result.returncode == 0, result.stderr
        return [json.loads(line) for line in result.stdout.splitlines()]

    def text(self, path: str) -> str:
        """A file in the container's /etc/letsencrypt."""
        return (self.conf / path).read_text()


def job(name: str, *others: str, extra: tuple[str, ...] = ()) -> dict[str, Any]:
    """A job as the host writes it."""
    server = (CA / "directory").read_text().strip()
    argv = ["certonly", "--non-interactive", "--webroot", "-w", "/var/www/certbot", "--cert-name", name]
    argv += [word for domain in (name, *others) for word in ("-d", domain)]
    argv += ["--server", server, "--agree-tos", "--email", "me@example.com", "--keep-until-expiring"]
    # Asked for none, Pebble takes any profile: some certificates would be due at once.
    argv += ["--renew-with-new-domains", "--key-type", "ecdsa", "--preferred-profile", "default"]
    return {"lineage": name, "argv": [*argv, *extra]}


def ends(events: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """How it ended for each lineage."""
    return {event["lineage"]: event for event in events if "lineage" in event}


def names_of(pem: Path) -> set[str]:
    """The names in a certificate."""
    decode = ssl._ssl._test_decode_cert  # type: ignore[attr-defined]
    return {value for _, value in decode(str(pem))["subjectAltName"]}


@pytest.fixture(scope="module")
def webroot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory that nginx serves the challenges from."""
    if not (CA / "directory").exists():
        pytest.skip("the test CA does not run: tests/lab/ca.sh up")
    home = tmp_path_factory.mktemp("issuer")
    home.chmod(0o755)
    (home / "www").mkdir()
    (home / "nginx").mkdir()
    (home / "nginx" / "site.conf").write_text(SITE)
    docker("rm", "--force", "stackctl-issuer-nginx", check=False)
    start = 'rm -f /etc/nginx/sites-enabled/*; exec nginx -g "daemon off;"'
    mounts = ("-v", f"{home}/www:/var/www/certbot:ro", "-v", f"{home}/nginx:/etc/nginx/conf.d:ro")
    options = ("--detach", "--name", "stackctl-issuer-nginx", "-p", f"{ADDRESS}:80:80", *mounts)
    docker("run", *options, "stackctl/nginx:1.30", "sh", "-c", start)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.monotonic() + 30
    while True:
        try:
            opener.open(f"http://{ADDRESS}/", timeout=2).close()
            break
        except urllib.error.HTTPError as error:
            error.close()
            break
        except OSError:
            assert time.monotonic() < end, "nginx does not answer"
    yield home / "www"
    docker("rm", "--force", "stackctl-issuer-nginx")


@pytest.fixture(scope="module", params=["5.5", "4.0"])
def box(request: pytest.FixtureRequest, webroot: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """A certbot container that waits, as the one of a stack does."""
    conf = tmp_path_factory.mktemp("conf")
    container = f"stackctl-issuer-certbot-{request.param}"
    docker("rm", "--force", container, check=False)
    mounts = ("-v", f"{webroot}:/var/www/certbot", "-v", f"{conf}:/etc/letsencrypt", "-v", f"{CA}/ca.pem:/ca.pem:ro")
    options = ("--detach", "--name", container, "-e", "REQUESTS_CA_BUNDLE=/ca.pem", *mounts, "--entrypoint", "sleep")
    docker("run", *options, f"stackctl/certbot:{request.param}", "3600")
    yield Box(container, conf, request.param)
    docker("exec", container, "sh", "-c", "rm -rf /etc/letsencrypt/* /etc/letsencrypt/.[!.]* /var/www/certbot/.[!.]*")
    docker("rm", "--force", container)


def test_twenty_at_once_are_certbots_own_afterwards(box: Box, webroot: Path) -> None:
    names = [box.name(f"many{i}") for i in range(20)]
    events = box.issue(*(job(name) for name in names))
    assert {name: end["event"] for name, end in ends(events).items()} == dict.fromkeys(names, "issued")
    steps = [event["event"] for event in events if event.get("lineage") == names[7]]
    assert steps == ["queued", "started", "ordered", "challenged", "issued"]
    listed = box.certbot("certificates")
    assert all(f"Certificate Name: {name}\n" in listed for name in names)
    assert "INVALID" not in listed
    assert "0001" not in listed
    assert sorted(path.name for path in (box.conf / ".stackctl-issuer").iterdir()) == ["lock"]
    assert not list((webroot / ".well-known" / "acme-challenge").iterdir())
    box.certbot("renew", "--force-renewal", "--cert-name", names[3], "--no-random-sleep-on-renew")
    assert (box.conf / "live" / names[3] / "privkey.pem").readlink().name == "privkey2.pem"
    assert ".stackctl-issuer" not in box.text(f"renewal/{names[3]}.conf")
    box.certbot("delete", "--cert-name", names[4], "--non-interactive")
    assert not (box.conf / "archive" / names[4]).exists()
    box.certbot("revoke", "--cert-name", names[5], "--non-interactive", "--no-delete-after-revoke")


def test_valid_ones_are_unchanged_and_the_issuer_renews_on_demand(box: Box) -> None:
    name = box.name("keep")
    assert ends(box.issue(job(name)))[name]["event"] == "issued"
    serial = (box.conf / "live" / name / "cert.pem").read_text()
    assert ends(box.issue(job(name)))[name]["event"] == "unchanged"
    assert (box.conf / "live" / name / "cert.pem").read_text() == serial
    events = box.issue(job(name, extra=("--force-renewal",)))
    assert ends(events)[name]["event"] == "issued"
    assert not any(event["event"] == "registered" for event in events)
    assert (box.conf / "live" / name / "fullchain.pem").readlink().name == "fullchain2.pem"
    box.certbot("renew", "--cert-name", name)


def test_other_names_come_under_the_same_lineage(box: Box) -> None:
    name, other = box.name("names"), box.name("www.names")
    box.issue(job(name))
    assert ends(box.issue(job(name, other)))[name]["event"] == "issued"
    assert names_of(box.conf / "live" / name / "cert.pem") == {name, other}
    assert ends(box.issue(job(name)))[name]["event"] == "issued"
    assert names_of(box.conf / "live" / name / "cert.pem") == {name}
    assert not list(box.conf.glob("live/names*-0001"))


def test_a_wrong_a_record_fails_alone_with_its_problem_type(box: Box) -> None:
    good, bad, blocked = box.name("good"), box.name("bad"), "www.blocked-domain.example"
    point(bad, "127.0.0.39")  # nothing listens there
    found = ends(box.issue(job(good), job(bad), job(blocked)))
    assert found[good]["event"] == "issued"
    assert found[bad]["event"] == "failed"
    assert found[bad]["type"] == f"{URN}connection"
    assert found[bad]["detail"].startswith(f"{bad}: ")
    assert found[blocked]["type"] == f"{URN}rejectedIdentifier"
    assert not (box.conf / "live" / bad).exists()
    assert (box.conf / ".stackctl-issuer" / "logs" / f"{bad}.log").exists()
    point(bad)
    assert ends(box.issue(job(bad)))[bad]["event"] == "issued"


def test_profile_and_key_type_stay_in_the_renewal_file(box: Box) -> None:
    name = box.name("profile")
    extra = ("--preferred-profile", "shortlived", "--key-type", "rsa", "--rsa-key-size", "2048")
    assert ends(box.issue(job(name, extra=extra)))[name]["event"] == "issued"
    text = box.text(f"renewal/{name}.conf")
    assert "preferred_profile = shortlived" in text
    assert "key_type = rsa" in text
    assert "(VALID: 5 days)" in box.certbot("certificates", "--cert-name", name)


def test_a_lost_live_directory_is_brought_back(box: Box) -> None:
    name = box.name("lost")
    box.issue(job(name))
    docker("exec", box.container, "rm", "-r", f"/etc/letsencrypt/live/{name}")
    events = box.issue(job(name))
    assert [event["event"] for event in events if event.get("lineage")] == ["queued", "started", "issued"]
    assert "VALID" in box.certbot("certificates", "--cert-name", name)


def test_a_running_certbot_is_waited_for(box: Box) -> None:
    name = box.name("locked")
    hold = (
        "import fcntl, os, time\n"
        "path = '/etc/letsencrypt/.certbot.lock'\n"
        "fd = os.open(path, os.O_CREAT | os.O_WRONLY)\n"
        "fcntl.lockf(fd, fcntl.LOCK_EX)\n"
        "print('held', flush=True)\n"
        "input()\n"
        "os.remove(path)\n"
    )
    command = ["docker", "exec", "-i", box.container, "python3", "-c", hold]
    spec = {"config_dir": "/etc/letsencrypt", "concurrency": 2, "jobs": [job(name)]}
    run = ["docker", "exec", "-i", box.container, "python3", "-"]
    with (
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder,
        subprocess.Popen(run, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as issuing,
    ):
        assert holder.stdin
        assert holder.stdout
        assert issuing.stdin
        assert issuing.stdout
        assert holder.stdout.readline() == "held\n"
        issuing.stdin.write(program.text(spec))
        issuing.stdin.close()
        assert any("waiting" in line for line in issuing.stdout)
        assert not (box.conf / "live" / name).exists()
        holder.stdin.write("\n")
        holder.stdin.close()
        assert '"issued"' in issuing.stdout.readlines()[-1]
    assert (box.conf / "live" / name / "fullchain.pem").exists()
