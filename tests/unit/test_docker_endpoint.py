"""The engine that stackctl uses is the one that the command docker uses."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.errors import DockerException

from stackctl.adapters.docker.client import Client
from stackctl.adapters.docker.endpoint import DockerEndpoint, find_endpoint
from stackctl.errors import EngineError

DEFAULT = DockerEndpoint("unix:///var/run/docker.sock")


def config(home: Path, current: object) -> None:
    (home / ".docker").mkdir(exist_ok=True)
    (home / ".docker/config.json").write_text(json.dumps({"currentContext": current}))


def context(home: Path, name: str, meta: object, *files: str, folder: str = ".docker") -> Path:
    key = hashlib.sha256(name.encode()).hexdigest()
    at = home / folder / "contexts/meta" / key
    at.mkdir(parents=True)
    (at / "meta.json").write_text(meta if isinstance(meta, str) else json.dumps(meta))
    tls = home / folder / "contexts/tls" / key / "docker"
    for file in files:
        tls.mkdir(parents=True, exist_ok=True)
        (tls / file).write_text("pem")
    return tls


def meta(name: str, host: object, **more: object) -> dict[str, Any]:
    return {"Name": name, "Metadata": {}, "Endpoints": {"docker": {"Host": host, "SkipTLSVerify": False, **more}}}


def test_the_context_in_use_names_the_engine(tmp_path: Path) -> None:
    assert find_endpoint({}, tmp_path) == DEFAULT
    context(tmp_path, "rootless", meta("rootless", "unix:///run/user/1000/docker.sock"))
    context(tmp_path, "other", meta("other", "unix:///tmp/other.sock"))
    config(tmp_path, "rootless")
    found = find_endpoint({}, tmp_path)
    assert (found.url, found.origin, found.rootless) == (
        "unix:///run/user/1000/docker.sock",
        "context rootless",
        True,
    )
    assert find_endpoint({"DOCKER_CONTEXT": "other"}, tmp_path).url == "unix:///tmp/other.sock"
    assert find_endpoint({"DOCKER_CONTEXT": "default"}, tmp_path) == DEFAULT
    assert find_endpoint({"DOCKER_CONTEXT": ""}, tmp_path).origin == "context rootless"
    by_host = find_endpoint({"DOCKER_CONTEXT": "other", "DOCKER_HOST": "unix:///x.sock"}, tmp_path)
    assert (by_host.url, by_host.origin) == ("unix:///x.sock", "DOCKER_HOST")
    assert find_endpoint({"DOCKER_HOST": ""}, tmp_path).origin == "context rootless"


def test_another_directory_of_the_configuration_has_other_contexts(tmp_path: Path) -> None:
    config(tmp_path, "rootless")
    context(tmp_path, "there", meta("there", "unix:///there.sock"), folder="elsewhere")
    environ = {"DOCKER_CONFIG": str(tmp_path / "elsewhere")}
    assert find_endpoint(environ, tmp_path) == DEFAULT
    assert find_endpoint({**environ, "DOCKER_CONTEXT": "there"}, None).url == "unix:///there.sock"


def test_a_context_with_tls_has_its_certificates(tmp_path: Path) -> None:
    tls = context(tmp_path, "secure", meta("secure", "tcp://127.0.0.1:2376"), "ca.pem", "cert.pem", "key.pem")
    found = find_endpoint({"DOCKER_CONTEXT": "secure"}, tmp_path)
    assert (found.certificates, found.verify) == (tls, True)
    context(tmp_path, "lax", meta("lax", "tcp://127.0.0.1:2376", SkipTLSVerify=True), "ca.pem")
    assert not find_endpoint({"DOCKER_CONTEXT": "lax"}, tmp_path).verify


def test_variables_name_the_certificates_of_docker_host(tmp_path: Path) -> None:
    host = {"DOCKER_HOST": "tcp://localhost:2376"}
    assert find_endpoint(host, tmp_path).certificates is None
    found = find_endpoint({**host, "DOCKER_TLS_VERIFY": "1"}, tmp_path)
    assert (found.certificates, found.verify) == (tmp_path / ".docker", True)
    found = find_endpoint({**host, "DOCKER_CERT_PATH": "/certs"}, tmp_path)
    assert (found.certificates, found.verify) == (Path("/certs"), False)


@pytest.mark.parametrize(
    "url",
    [
        "ssh://deploy@sites.example.com",
        "ssh://localhost",
        "tcp://192.0.2.7:2375",
        "tcp://[2001:db8::1]:2376",
        "tcp://docker.example.com:2376",
        "https://192.0.2.7",
        "tcp://",
        "tcp://[::",
        "nonsense",
    ],
)
def test_an_engine_of_another_host_is_refused(tmp_path: Path, url: str) -> None:
    context(tmp_path, "far", meta("far", url))
    for environ in ({"DOCKER_CONTEXT": "far"}, {"DOCKER_HOST": url}):
        with pytest.raises(EngineError, match="is not on this host") as refused:
            find_endpoint(environ, tmp_path)
        assert url in refused.value.message
        assert "docker context use default" in (refused.value.hint or "")


@pytest.mark.parametrize("url", ["tcp://127.0.0.1:2375", "tcp://localhost:2375", "tcp://[::1]:2375", "unix:///a b"])
def test_an_engine_of_this_host_is_used(tmp_path: Path, url: str) -> None:
    assert find_endpoint({"DOCKER_HOST": url}, tmp_path).url == url


@pytest.mark.parametrize(
    "broken",
    [
        "",
        "{",
        "[]",
        "null",
        "[" * 5000,
        {},
        {"Endpoints": []},
        {"Endpoints": {"docker": 1}},
        meta("x", ""),
        meta("x", 7),
    ],
    ids=str,
)
def test_a_broken_context_is_one_message(tmp_path: Path, broken: object) -> None:
    context(tmp_path, "x", broken)
    with pytest.raises(EngineError, match="the Docker context 'x'"):
        find_endpoint({"DOCKER_CONTEXT": "x"}, tmp_path)


@pytest.mark.parametrize("name", ["gone", "../../etc", "ä", "\udcff", "a\x1b[31m"])
def test_a_missing_context_is_one_message(tmp_path: Path, name: str) -> None:
    for home in (tmp_path, None):
        with pytest.raises(EngineError, match="does not exist or cannot be read"):
            find_endpoint({"DOCKER_CONTEXT": name}, home)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "[" * 5000, '{"currentContext": 7}', '{"currentContext": null}', "\udcff"]
)
def test_a_configuration_that_cannot_be_read_names_no_context(tmp_path: Path, text: str) -> None:
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker/config.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert find_endpoint({}, tmp_path) == DEFAULT


def test_an_engine_that_does_not_answer_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config(tmp_path, "rootless")
    context(tmp_path, "rootless", meta("rootless", "unix:///run/user/424242/docker.sock"))
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))

    def fail(**_: object) -> None:
        raise DockerException("no such file")

    monkeypatch.setattr(docker, "DockerClient", fail)
    with pytest.raises(EngineError, match=r"at unix:///run/user/424242/docker.sock \(context rootless\)") as refused:
        _ = Client().sdk
    assert "systemctl --user start docker" in (refused.value.hint or "")


@pytest.mark.skipif(shutil.which("docker") is None, reason="the command docker is not installed")
@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"DOCKER_CONTEXT": "two"},
        {"DOCKER_CONTEXT": "default"},
        {"DOCKER_CONTEXT": "two", "DOCKER_HOST": "unix:///h"},
    ],
    ids=str,
)
def test_docker_itself_uses_the_same_engine(tmp_path: Path, environ: dict[str, str]) -> None:
    config(tmp_path, "one")
    for name in ("one", "two"):
        context(tmp_path, name, meta(name, f"unix:///tmp/{name}.sock"))
    listed = subprocess.run(
        ["docker", "context", "ls", "--format", "{{.Current}} {{.DockerEndpoint}}"],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), **environ},
        capture_output=True,
        text=True,
        check=True,
    )
    used = next(line.split()[1] for line in listed.stdout.splitlines() if line.startswith("true"))
    assert find_endpoint(environ, tmp_path).url == used
