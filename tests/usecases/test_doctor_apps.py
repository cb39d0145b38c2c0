"""``doctor`` about apps and certificates: one fault fails exactly one check, and it is named first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from stackctl.certs.dummy import make_dummy
from stackctl.diagnose.apps import RefusedTls
from stackctl.errors import EngineError, ExitCode
from stackctl.model.values import Domain
from stackctl.observed.reply import Response
from stackctl.observed.sockets import ListeningSocket
from stackctl.usecases.doctor import site_checks
from stackctl.usecases.doctor.doctor import doctor
from tests.usecases.world import World, data, done

NAME = "one.example.com"
LIVE = f"data/certbot/conf/live/{NAME}"


def looked(world: World, *names: str) -> tuple[ExitCode, list[dict[str, Any]], list[dict[str, Any]]]:
    """The exit code, all rows, and those that are wrong."""
    result = doctor(world.host, [Domain(name) for name in names])
    rows = [row for section in data(result)["sections"] for row in section["checks"]]
    return result.code, rows, [row for row in rows if row["verdict"] == "wrong"]


def verdict(rows: list[dict[str, Any]], name: str, subject: str = NAME) -> str:
    (found,) = [row["verdict"] for row in rows if (row["name"], row["subject"]) == (name, subject)]
    return str(found)


def test_a_healthy_stack(site: World) -> None:
    code, rows, wrong = looked(site)
    assert (code, wrong) == (ExitCode.OK, [])
    names = [row["name"] for row in rows if row["subject"] == NAME]
    for name in ("app-container", "app-port", "cert-issued", "cert-wire", "cert-renewal"):
        assert verdict(rows, name) == "ok"
    assert names.index("app-container") < names.index("cert-issued")
    assert verdict(rows, "renewal-loop", "certbot") == "ok"


def seen(service: str = "one", **facts: Any) -> Callable[[World], None]:
    return lambda world: world.fake.looks.seen.update({service: facts})


def at(*listeners: tuple[str, int]) -> tuple[ListeningSocket, ...]:
    return tuple(ListeningSocket(ip_address(address), port) for address, port in listeners)


def _mode(world: World) -> None:
    (world.root / LIVE / "privkey.pem").chmod(0o644)


def _no_renewal_file(world: World) -> None:
    (world.root / f"data/certbot/conf/renewal/{NAME}.conf").unlink()


def _no_key(world: World) -> None:
    (world.root / LIVE / "privkey.pem").unlink()


def _other_account(world: World) -> None:
    file = world.root / f"data/certbot/conf/renewal/{NAME}.conf"
    file.write_text(file.read_text().replace("account = fake", "account = gone"))


def _other_on_disk(world: World) -> None:
    chain, key = make_dummy([NAME], world.clock.now)
    for kind, content in (("cert", chain), ("fullchain", chain), ("privkey", key)):
        (world.root / LIVE / f"{kind}.pem").resolve().write_bytes(content)


def _not_loaded(world: World) -> None:
    _other_on_disk(world)
    world.host.directory.copy_lineage(NAME, world.clock.now)


def _old_stamp(world: World) -> None:
    stamp = world.root / "data/certbot/deploy/checked"
    stamp.write_text(f"{int((world.clock.now - timedelta(hours=30)).timestamp())}\n")
    seen("certbot", started=world.clock.now - timedelta(days=9))(world)


@pytest.mark.parametrize(
    ("breaks", "name", "text"),
    [
        (seen(state="exited", exit_code=3), "app-container", "exited with code 3"),
        (seen(listeners=at(("0.0.0.0", 9000))), "app-port", "wrong port: nothing listens on 8000"),
        (seen(listeners=at(("127.0.0.1", 8000))), "app-port", "127.0.0.1:8000 only"),
        (seen(networks={"other": "10.8.0.2"}), "app-network", "shares no network with the proxy"),
        (seen(health="unhealthy"), "app-health", "unhealthy"),
        (seen(state="restarting", restarts=3), "app-container", "crash loop"),
        (seen("certbot", state="exited"), "renewal-loop", "its container is exited"),
        (_mode, "cert-key-file", "0644"),
        (_no_renewal_file, "cert-renewal", "is missing"),
        (_no_key, "cert-issued", "privkey.pem is missing"),
        (_other_account, "cert-renewal", "account gone is changed to fake"),
        (_other_on_disk, "cert-copy", "the proxy has another copy of it: certbot's deploy hook did not run"),
        (_not_loaded, "cert-wire", "a reload is missing"),
        (_old_stamp, "renewal-loop", "30 h ago"),
    ],
)
def test_one_fault_fails_exactly_one_check(site: World, breaks: Callable[[World], None], name: str, text: str) -> None:
    done(site.add("two.example.com"))
    breaks(site)
    code, rows, wrong = looked(site)
    assert [row["name"] for row in wrong] == [name]
    assert text in wrong[0]["text"]
    assert wrong[0]["todo"]
    assert code == ExitCode.FAILED
    # The other app is checked, and healthy.
    assert verdict(rows, "app-port", "two.example.com") == "ok"
    assert looked(site, "two.example.com")[2] == [row for row in wrong if row["subject"] == "certbot"]


def test_only_the_given_names_are_checked(site: World) -> None:
    done(site.add("two.example.com", "www.two.example.com"))
    rows = looked(site, "www.two.example.com")[1]
    assert "two.example.com" in {row["subject"] for row in rows}
    assert NAME not in {row["subject"] for row in rows}


def test_an_app_that_is_not_issued_yet(stack: World) -> None:
    done(stack.add(NAME, issue=False))
    code, rows, wrong = looked(stack)
    assert [(row["name"], row["todo"]) for row in wrong] == [("cert-issued", "run 'stackctl up'")]
    assert "a dummy is served" in wrong[0]["text"]
    assert (verdict(rows, "cert-renewal"), verdict(rows, "app-port")) == ("unknown", "ok")
    assert code == ExitCode.FAILED


def test_a_stack_that_is_down_fails_one_check(site: World) -> None:
    done(site.down())
    rows, wrong = looked(site)[1:]
    assert wrong[0]["name"] == "proxy"
    assert not [row for row in wrong if row["name"].startswith(("app-", "cert-", "renewal-"))]
    assert {verdict(rows, name) for name in ("app-container", "app-port", "cert-wire")} == {"unknown"}
    assert verdict(rows, "cert-renewal") == "ok"


def test_without_an_engine_apps_are_not_judged(site: World) -> None:
    site.fake.faults.away = True
    rows, wrong = looked(site)[1:]
    assert wrong[0]["name"] == "engine"
    assert not [row for row in wrong if row["subject"] is not None]
    assert {verdict(rows, name) for name in ("app-container", "cert-issued", "cert-wire")} == {"unknown"}


def test_a_missing_image_is_reported_and_not_the_missing_container(site: World) -> None:
    (container,) = [id_ for id_, run in site.fake.runs.items() if run.service.name == "one"]
    site.fake.remove([container])
    assert [row["name"] for row in looked(site)[2]] == ["app-container"]
    del site.fake.images["one:latest"]
    assert [row["name"] for row in looked(site)[2]] == ["images"]


def test_a_service_whose_profile_is_not_active(site: World) -> None:
    site.edit("  one:\n", "  one:\n    profiles: [extra]\n")
    site.fake.remove([id_ for id_, run in site.fake.runs.items() if run.service.name == "one"])
    assert not done(site.up()).steps
    (row,) = looked(site)[2]
    assert (row["name"], row["text"]) == (
        "app-container",
        "the service one has no container: its profile is not active",
    )
    assert "COMPOSE_PROFILES" in row["todo"]


def test_a_service_that_is_to_have_no_container(site: World) -> None:
    site.edit('image: "one:latest"\n', 'image: "one:latest"\n    deploy: {replicas: 0}\n')
    done(site.up())
    (row,) = looked(site)[2]
    assert (row["name"], row["text"]) == (
        "app-container",
        "the service one has no container: the Compose file says that it has none",
    )
    # 'up' alone would change nothing.
    assert row["todo"] == "give one 'deploy: {replicas: 1}' or more, then run 'stackctl up'"


def test_a_listener_on_ipv6_only(site: World) -> None:
    seen(listeners=at(("::", 8000)))(site)
    assert looked(site)[2] == []
    site.fake.faults.silent.add("one")
    (row,) = looked(site)[2]
    assert (row["name"], "for IPv6 only" in row["text"]) == ("app-port", True)
    assert "0.0.0.0:8000" in row["todo"]
    # Another socket listens on IPv4: the port is reachable.
    seen(listeners=at(("::", 8000), ("0.0.0.0", 8000)))(site)
    assert looked(site)[2] == []


def test_an_upstream_outside_compose(stack: World) -> None:
    stack.fake.outside.add(("10.0.0.5", 8080))
    done(stack.add(NAME, upstream="10.0.0.5:8080"))
    assert looked(stack)[2] == []
    stack.fake.outside.clear()
    (row,) = looked(stack)[2]
    assert row["name"] == "app-outside"
    assert "docker-compose.yml:" in row["todo"]


def test_sockets_are_read_inside_the_container_as_a_fallback(site: World, monkeypatch: pytest.MonkeyPatch) -> None:
    del site.fake.images["one:latest"]
    site.fake.images["one:latest"] = ()
    execute = site.fake.execute
    assert verdict(looked(site)[1], "app-port") == "ok"  # a connection is accepted

    class Sockets:
        code = 0
        text = "local_address\n 0: 00000000:2328 00000000:0000 0A 0\n"

    monkeypatch.setattr(
        site.fake, "execute", lambda container, words: Sockets if words[0] == "cat" else execute(container, words)
    )
    (row,) = looked(site)[2]
    assert "but on 9000" in row["text"]


def test_certbots_tree_is_read_through_its_container(site: World, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.iterdir

    def iterdir(path: Path) -> Iterator[Path]:
        if path.name in {"live", "accounts"}:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    rows, wrong = looked(site)[1:]
    assert wrong == []
    assert (verdict(rows, "cert-key-file"), verdict(rows, "cert-renewal")) == ("unknown", "unknown")
    assert verdict(rows, "cert-wire") == "ok"

    def refused(role: str, path: str) -> dict[str, bytes]:
        raise EngineError(f"no {role} container to read {path} through")

    monkeypatch.setattr(site.fake, "read_tree", refused)
    rows, wrong = looked(site)[1:]
    assert (wrong, verdict(rows, "cert-issued")) == ([], "unknown")


def test_a_lineage_without_links_is_reported(site: World) -> None:
    for path in (site.root / LIVE).glob("*.pem"):
        content = path.read_bytes()
        path.unlink()
        path.write_bytes(content)
        path.chmod(0o600)
    assert [row["name"] for row in looked(site)[2]] == ["cert-renewal"]


def test_an_app_below_a_path_stays_there(site: World) -> None:
    assert "app-prefix" not in {row["name"] for row in looked(site)[1]}
    site.edit("      port: 8000\n", "      port: 8000\n      routes:\n        - {path: /grafana, port: 8000}\n")
    done(site.up())
    html = (("content-type", "text/html"),)
    site.fake.looks.answers[f"443 {NAME}/grafana/"] = Response(200, html, body=b'<script src="app.js"></script>')
    assert verdict(looked(site)[1], "app-prefix") == "ok"
    site.fake.looks.answers[f"443 {NAME}/grafana/"] = Response(200, html, body=b'<script src="/app.js"></script>')
    (row,) = looked(site)[2]
    assert (row["name"], row["text"]) == ("app-prefix", "the page at /grafana/ leaves it: it refers to /app.js")
    seen(state="exited", exit_code=2)(site)
    assert verdict(looked(site)[1], "app-prefix") == "unknown"


def test_the_handshake_of_an_app_that_speaks_https(site: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "app-tls" not in {row["name"] for row in looked(site)[1]}
    site.edit("      port: 8000\n", "      port: 8000\n      protocol: https\n")
    done(site.up())
    assert verdict(looked(site)[1], "app-tls") == "ok"
    refused = RefusedTls("upstream SSL certificate verify error", "add it")
    monkeypatch.setattr(site_checks, "refused_tls", lambda *_: refused)
    (row,) = looked(site)[2]
    assert (row["name"], row["todo"]) == ("app-tls", "add it")
    assert "refuses https://one:8000: upstream SSL certificate verify error" in row["text"]
    seen(state="exited", exit_code=2)(site)
    assert verdict(looked(site)[1], "app-tls") == "unknown"
