"""A developer's stack: no CA, no DNS; its root in a throw-away store; renewed by the loop; and all of it taken back."""

from __future__ import annotations

import hashlib
import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from stackctl.certs.issuer.copies import STORED, copy
from stackctl.certs.issuer.local import sign
from stackctl.certs.local_ca import make_ca
from stackctl.model.acme import LOCAL_DOMAINS
from tests.e2e.conftest import NewStack
from tests.e2e.helpers import APP_IMAGE, CERTBOT_IMAGE, NGINX_IMAGE, Stack, docker, wait_until
from tests.e2e.loops import SHORT_INTERVALS

pytestmark = pytest.mark.e2e

NOW = datetime.now(UTC)

NO_NETWORK = {"STACKCTL_RESOLVER": "127.0.0.250:53"}
"""Nothing listens there: whatever asked DNS would fail."""


@pytest.fixture(scope="module")
def local(new_stack: NewStack) -> Stack:
    made = new_stack()
    made.environment = NO_NETWORK
    (made.directory / "docker-compose.override.yml").write_text(SHORT_INTERVALS)
    # One that has been there for a while, so that it can have signed what is near its end.
    folder = made.directory / "data/ca/local"
    folder.mkdir(parents=True)
    for file, content in zip(("root.pem", "issuer.pem"), make_ca(LOCAL_DOMAINS, NOW - timedelta(days=60)), strict=True):
        (folder / file).write_bytes(content)
    (folder / "issuer.pem").chmod(0o600)
    ports = ["--http", f"{made.address}:80", "--https", f"{made.address}:443"]
    made.ok("init", "--local", *ports, "--nginx-image", NGINX_IMAGE, "--certbot-image", CERTBOT_IMAGE)
    made.ok("add-app", name(made), "--image", APP_IMAGE)
    return made


def name(stack: Stack) -> str:
    return f"app.{stack.token}.localhost"


def curl(stack: Stack, bundle: Path) -> int:
    at = f"{name(stack)}:443"
    command = ["curl", "-sS", "-o", os.devnull, "--cacert", str(bundle), "--resolve", f"{at}:{stack.address}"]
    return subprocess.run([*command, f"https://{at}/"], check=False, timeout=60).returncode


def tree(folder: Path) -> dict[str, str]:
    def content(path: Path) -> str:
        return str(path.readlink()) if path.is_symlink() else hashlib.sha256(path.read_bytes()).hexdigest()

    return {str(path.relative_to(folder)): content(path) for path in folder.rglob("*") if not path.is_dir()}


def test_it_is_trusted_in_a_store_that_is_then_as_before(local: Stack, tmp_path: Path) -> None:
    anchors, etc, hooks = (tmp_path / one for one in ("anchors", "etc", "hooks"))
    for folder in (anchors, etc, hooks):
        folder.mkdir()
    for other in ("company", "school"):
        (anchors / f"{other}.crt").write_bytes(make_ca(("lan",), NOW)[0])
    conf, bundle = tmp_path / "conf", etc / "ca-certificates.crt"
    conf.write_text("")
    options = {"certsconf": conf, "localcertsdir": anchors, "etccertsdir": etc, "hooksdir": hooks}
    command = ("update-ca-certificates", *(word for key, at in options.items() for word in (f"--{key}", str(at))))
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    prelude = (
        "from pathlib import Path; from stackctl.adapters import trust_stores as t; "
        f"store = t.SystemStore(Path({str(anchors)!r}), '.crt', {command!r}, Path({str(bundle)!r})); "
        f"t.TrustStores.__init__.__defaults__ = ((store,), (Path({str(tmp_path)!r}),))"
    )
    before = tree(tmp_path)
    assert curl(local, bundle) == 60
    done = local.run_after(prelude, "trust")
    assert done.returncode == 0, done.stderr
    assert f"{anchors}: trusted" in done.stdout
    assert curl(local, bundle) == 0
    done = local.run_after(prelude, "untrust")
    assert done.returncode == 0, done.stderr
    assert tree(tmp_path) == before
    assert curl(local, bundle) == 60


def test_the_loop_renews_it_and_nothing_else_changes(local: Stack) -> None:
    app, home = name(local), local.directory / "data/certbot/deploy/pairs"
    issuer = (local.directory / "data/ca/local/issuer.pem").read_bytes()
    first = local.serial(app)
    near = sign(issuer, (app,), NOW - timedelta(days=21))
    assert copy(home, STORED, app, near)
    wait_until(lambda: local.serial(app) != first, 30, "the loops renew and load it")
    assert local.certificate(app).not_valid_after_utc > NOW + timedelta(days=29)
    assert curl(local, local.directory / "data/ca/local/root.pem") == 0
    assert "nothing to do" in local.ok("up").stdout, "what the loop renewed is what stackctl knows"
    assert not (local.directory / "data/certbot/deploy/failed").exists()


def test_doctor_asks_nobody_and_a_container_cannot_see_the_key_of_the_ca(local: Stack) -> None:
    shown = local.ok("doctor").stdout
    assert "issues for names below .localhost" in shown
    assert "run 'stackctl trust'" in shown
    found = docker("exec", local.container("nginx"), "find", "/etc", "/var", "-name", "issuer.pem")
    assert not found


def test_a_service_trusts_it(local: Stack) -> None:
    before = local.file.read_bytes()
    local.ok("trust", "--service", "app")
    ask = "cat /etc/stackctl/trust/bundle.pem; echo $SSL_CERT_FILE"
    said = docker("exec", local.container("app"), "sh", "-c", ask)
    assert (local.directory / "data/ca/local/root.pem").read_text().strip() in said
    assert said.endswith("/etc/stackctl/trust/bundle.pem")
    local.ok("untrust", "--service", "app")
    assert local.file.read_bytes() == before
