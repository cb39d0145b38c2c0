"""What real clients and real stores of root certificates make of the local CA."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import ssl
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from stackctl.adapters.trust_stores import FAILED, MISSING, REMOVED, TRUSTED, Root, SystemStore, TrustStores
from stackctl.certs.issuer.local import sign
from stackctl.certs.local_ca import make_ca
from stackctl.model.acme import LOCAL_DOMAINS

NOW = datetime.now(UTC)
GOOD, BAD = "app.localhost", "shop.example.com"
LABEL = "stackctl-0123abcd"

needs_update = pytest.mark.skipif(shutil.which("update-ca-certificates") is None, reason="of Debian and its like")
needs_certutil = pytest.mark.skipif(shutil.which("certutil") is None, reason="libnss3-tools is not installed")


class Made:
    """A CA, and a certificate of it for a name."""

    def __init__(self, folder: Path) -> None:
        self.root, self.issuer = make_ca(LOCAL_DOMAINS, NOW)
        self.folder = folder
        (folder / "root.pem").write_bytes(self.root)

    def leaf(self, *names: str) -> tuple[Path, Path]:
        """Whoever has the key of the issuing CA can sign for any name."""
        pair = sign(self.issuer, names, NOW)
        chain, key = self.folder / f"{names[0]}.pem", self.folder / f"{names[0]}.key"
        chain.write_bytes(pair.fullchain or b"")
        key.write_bytes(pair.privkey or b"")
        return chain, key


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(tmp_path_factory.mktemp("ca"))


def output(*command: str | Path) -> tuple[int, str]:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout + done.stderr


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Server(HTTPServer):
    def handle_error(self, *_: object) -> None:
        """A client that refuses the certificate ends the handshake."""


@contextmanager
def served(chain: Path, key: Path) -> Iterator[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    server = _Server(("127.0.0.1", 0), _Answer)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def curl(name: str, port: int, *options: str | Path) -> tuple[int, str]:
    at = f"{name}:{port}"
    return output("curl", "-sS", "--resolve", f"{at}:127.0.0.1", *options, f"https://{at}/")


def test_curl_accepts_a_local_name_and_refuses_any_other(made: Made) -> None:
    root = made.folder / "root.pem"
    with served(*made.leaf(GOOD)) as port:
        assert curl(GOOD, port, "--cacert", root) == (0, "hello")
        assert curl(GOOD, port)[0] == 60, "nobody else trusts it"
    with served(*made.leaf(BAD)) as port:
        code, said = curl(BAD, port, "--cacert", root)
        assert code == 60
        assert "permitted subtree violation" in said


@pytest.mark.parametrize("name", [BAD, "localhost.example.com", "notlocalhost", "app.testing"])
def test_openssl_refuses_other_names(made: Made, name: str) -> None:
    chain, _ = made.leaf(name)
    code, said = output("openssl", "verify", "-CAfile", made.folder / "root.pem", "-untrusted", chain, chain)
    assert code != 0
    assert "permitted subtree violation" in said


@pytest.mark.parametrize("name", [GOOD, "deep.app.localhost", "app.test", "app.internal", "test"])
def test_openssl_accepts_local_names(made: Made, name: str) -> None:
    chain, _ = made.leaf(name)
    code, said = output("openssl", "verify", "-CAfile", made.folder / "root.pem", "-untrusted", chain, chain)
    assert (code, said.strip().endswith("OK")) == (0, True)


@needs_certutil
def test_nss_accepts_a_local_name_and_refuses_any_other(made: Made, tmp_path: Path) -> None:
    database = profile(tmp_path, ".pki/nssdb")
    TrustStores((), [tmp_path]).add(Root(LABEL, made.root, made.folder / "root.pem"))
    for name, expected in ((GOOD, 0), (BAD, 255)):
        chain, _ = made.leaf(name)
        leaf, issuer = (block + "-----END CERTIFICATE-----\n" for block in chain.read_text().split("-----END")[:2])
        assert leaf
        output("certutil", "-A", "-d", f"sql:{database}", "-n", "issuer", "-t", ",,", "-i", write(tmp_path, issuer))
        output("certutil", "-A", "-d", f"sql:{database}", "-n", name, "-t", ",,", "-i", write(tmp_path, leaf))
        code, said = output("certutil", "-V", "-d", f"sql:{database}", "-n", name, "-u", "V")
        assert code == expected, said


def write(folder: Path, text: str) -> Path:
    path = folder / "one.pem"
    path.write_text(text.removeprefix(" CERTIFICATE-----\n"))
    return path


# Stores


def profile(home: Path, name: str) -> Path:
    """Make the database of a browser."""
    folder = home / name
    folder.mkdir(parents=True)
    assert output("certutil", "-N", "--empty-password", "-d", f"sql:{folder}")[0] == 0
    return folder


def tree(folder: Path) -> dict[str, str]:
    """Return all that is in a folder, byte for byte."""
    found = {}
    for path in sorted(folder.rglob("*")):
        shown = str(path.relative_to(folder))
        if path.is_symlink():
            found[shown] = f"-> {path.readlink()}"
        elif path.is_file():
            found[shown] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


@pytest.fixture
def system(tmp_path: Path) -> SystemStore:
    local, etc, hooks, conf = (tmp_path / name for name in ("local", "etc", "hooks", "conf"))
    for folder in (local, etc, hooks):
        folder.mkdir()
    # Not empty, as on each host: an empty one makes the command remove all links, and make them again.
    conf.write_text("mozilla/Some_Root.crt\n")
    (tmp_path / "share/mozilla").mkdir(parents=True)
    (tmp_path / "share/mozilla/Some_Root.crt").write_bytes(make_ca(("lan",), NOW)[0])
    folders = {"--localcertsdir": local, "--etccertsdir": etc, "--hooksdir": hooks, "--certsdir": tmp_path / "share"}
    command = ("update-ca-certificates", *(str(one) for pair in folders.items() for one in pair))
    bundle = etc / "ca-certificates.crt"
    # As Debian's for Java: it has a store of its own, and is told what comes and goes.
    hook = hooks / "java"
    hook.write_text(f"#!/bin/sh\ncat >>{tmp_path}/told\n")
    hook.chmod(0o755)
    store = SystemStore(local, ".crt", (*command, "--certsconf", str(conf)), bundle, conf)
    for name in ("company", "school"):
        (local / f"{name}.crt").write_bytes(make_ca(("lan",), NOW)[0])
    assert output(*store.command)[0] == 0
    return store


def states(found: Sequence[object]) -> list[str]:
    return [getattr(one, "state") for one in found]  # noqa: B009


@needs_update
def test_the_system_store_is_byte_for_byte_as_before(system: SystemStore, made: Made, tmp_path: Path) -> None:
    stores, root = TrustStores([system], [tmp_path]), Root(LABEL, made.root, made.folder / "root.pem")
    before, told_before = tree(tmp_path), (tmp_path / "told").read_text()
    assert states(stores.look(root)) == [MISSING]
    assert states(stores.add(root)) == [TRUSTED]
    assert states(stores.look(root)) == [TRUSTED]
    assert made.root in (stores.system_bundle() or b"")
    with served(*made.leaf(GOOD)) as port:
        assert curl(GOOD, port, "--cacert", system.bundle) == (0, "hello")
    between = tree(tmp_path)
    assert states(stores.add(root)) == [TRUSTED]
    assert tree(tmp_path) == between, "nothing to do"
    assert states(stores.remove(root)) == [REMOVED]
    told = (tmp_path / "told").read_text().splitlines()
    assert told[-2:] == [f"{sign}{system.bundle.parent / LABEL}.pem" for sign in "+-"]
    (tmp_path / "told").write_text(told_before)
    assert tree(tmp_path) == before
    assert states(stores.remove(root)) == [MISSING]


@needs_update
def test_a_new_root_takes_the_place_of_the_old_one(system: SystemStore, made: Made, tmp_path: Path) -> None:
    stores, root = TrustStores([system], [tmp_path]), Root(LABEL, made.root, made.folder / "root.pem")
    stores.add(root)
    new = replace(root, pem=make_ca(LOCAL_DOMAINS, NOW)[0])
    assert states(stores.add(new)) == [TRUSTED]
    bundle = stores.system_bundle() or b""
    assert new.pem in bundle
    assert root.pem not in bundle


@needs_update
def test_a_user_without_the_right_gets_the_command(
    system: SystemStore, made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda _, mode: mode != os.W_OK)
    stores, root = TrustStores([system], [tmp_path]), Root(LABEL, made.root, made.folder / "root.pem")
    (found,) = stores.add(root)
    assert found.state == FAILED
    assert (found.todo or "").startswith(f"sudo install -m 644 {root.path} {system.folder}/{LABEL}.crt && sudo update-")


def rows(database: Path) -> list[tuple[object, ...]]:
    with sqlite3.connect(database / "cert9.db") as connection:
        found = connection.execute("select * from nssPublic order by id").fetchall()
    connection.close()
    return found


@needs_certutil
def test_the_databases_of_browsers_hold_what_they_held(made: Made, tmp_path: Path) -> None:
    databases = [profile(tmp_path, ".pki/nssdb"), profile(tmp_path, ".mozilla/firefox/abc.default")]
    (tmp_path / ".mozilla/firefox/Crash Reports").mkdir()
    other = write(tmp_path, make_ca(("lan",), NOW)[0].decode())
    for database in databases:
        output("certutil", "-A", "-d", f"sql:{database}", "-n", "company", "-t", "C,,", "-i", other)
    before = [rows(database) for database in databases]
    stores, root = TrustStores((), [tmp_path]), Root(LABEL, made.root, made.folder / "root.pem")
    assert states(stores.add(root)) == [TRUSTED, TRUSTED]
    between = tree(tmp_path)
    assert states(stores.add(root)) == [TRUSTED, TRUSTED]
    assert tree(tmp_path) == between, "nothing to do"
    new = replace(root, pem=make_ca(LOCAL_DOMAINS, NOW)[0])
    assert states(stores.add(new)) == [TRUSTED, TRUSTED]
    assert states(stores.look(root)) == [MISSING, MISSING], "the old one is gone"
    assert states(stores.remove(new)) == [REMOVED, REMOVED]
    assert [rows(database) for database in databases] == before


def test_without_certutil_it_is_named(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".pki/nssdb").mkdir(parents=True)
    (tmp_path / ".pki/nssdb/cert9.db").touch()
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    (found,) = TrustStores((), [tmp_path]).add(Root(LABEL, made.root, made.folder / "root.pem"))
    assert (found.state, "libnss3-tools" in (found.todo or "")) == (FAILED, True)
