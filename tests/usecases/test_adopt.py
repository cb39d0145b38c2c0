"""``adopt`` on the fake engine: its plan, when it stops, and that a failure restores the old stack."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from stackctl.adapters.fakes.faults import Killed
from stackctl.certs.lineage import Certificate
from stackctl.errors import ExitCode, InputError, StackctlError
from stackctl.model.endpoints import PortBinding
from stackctl.model.values import Domain
from stackctl.plan.adopt import ImportCertificate, ReplaceProxy, RewriteRenewal
from stackctl.plan.certificates import Issue
from stackctl.plan.operations import MakeDummy, RemoveContainers, WriteStackfile
from stackctl.stackfile import edit
from stackctl.stackfile.document import Document
from stackctl.usecases.adopt.adoption import Adoption, AdoptOptions
from stackctl.usecases.adopt.survey import prepare
from stackctl.usecases.adopt.take_over import adopt, undo_adoption
from tests.authority import Authority
from tests.usecases.test_crash import Fuse
from tests.usecases.world import Notes, World, data, done

ONE, TWO = "one.example.com", "two.example.com"
OPERATIONS = 18
"""Of an adoption of the stack below."""
COMPOSE = """\
# Mine.
services:
  web:
    image: nginx:1.30
    ports:
      - "80:80"
      - "443:443"
    volumes:
      - ./conf/nginx.conf:/etc/nginx/nginx.conf
      - ./data/certbot/conf:/etc/letsencrypt
      - ./data/certbot/www:/var/www/certbot
    command: nginx -g 'daemon off;'   # in front
  certbot:
    image: certbot/certbot:v5.6.0
    volumes:
      - ./data/certbot/conf:/etc/letsencrypt
      - ./data/certbot/www:/var/www/certbot
    entrypoint: /loop.sh
  one:
    image: one:latest
  two:
    image: two:latest
"""
CONF = f"""\
events {{}}
http {{
    server {{ listen 80; server_name {ONE}; location / {{ return 301 https://$host$request_uri; }} }}
    server {{
        listen 443 ssl;
        server_name {ONE};
        ssl_certificate /etc/letsencrypt/live/{ONE}/fullchain.pem;
        ssl_certificate_key /etc/letsencrypt/live/{ONE}/privkey.pem;
        location / {{ proxy_pass http://one:8000; proxy_set_header Host $host; }}
    }}
    server {{
        listen 80;
        server_name {TWO};
        location / {{ proxy_pass http://two:3000; proxy_set_header Host $host; }}
    }}
}}
"""


@pytest.fixture
def old(world: World) -> World:
    """The old stack, running, with a certificate for the first of two sites."""
    write(world, "docker-compose.yml", COMPOSE)
    write(world, "conf/nginx.conf", CONF)
    (world.root / "data/certbot/conf").mkdir(parents=True)
    certificate(world)
    world.fake.up([])
    world.fake.ca.issued.clear()
    return world


def certificate(world: World) -> None:
    """As certbot writes it; nothing has to be reachable for it."""
    chain, key = world.fake.ca.issue([ONE], world.clock())
    world.fake._certbot._store(ONE, chain, key, ["--server", "https://ca.test/dir", "--key-type", "rsa"])
    renewal = world.root / f"data/certbot/conf/renewal/{ONE}.conf"
    renewal.write_text(renewal.read_text().replace("authenticator = webroot\n", "authenticator = standalone\n"))
    write(world, "data/certbot/conf/accounts/ca.test/dir/1/private_key.json", "{}")


def write(world: World, path: str, text: str) -> None:
    at = world.root / path
    at.parent.mkdir(parents=True, exist_ok=True)
    at.write_text(text)


def look(world: World, **options: Any) -> Adoption:
    return prepare(world.host, AdoptOptions(**options))


def test_looking_changes_nothing(old: World) -> None:
    before = old.tree()
    adoption = look(old)
    assert old.tree() == before
    assert [site.name for site in adoption.report().sites] == [ONE, TWO]
    assert not any(isinstance(operation, Issue) for operation in adoption.plan.operations)
    assert [one.site for one in adoption.plan.operations if isinstance(one, MakeDummy)] == [TWO]


def test_what_can_fail_comes_before_what_runs_is_touched(old: World) -> None:
    kinds = [type(operation).__name__ for operation in look(old).plan.operations]
    assert kinds[0] == "KeepOldState"
    assert kinds.index("Publish") < kinds.index("WriteStackfile") < kinds.index("ReplaceProxy")
    assert set(kinds[kinds.index("ReplaceProxy") + 1 :]) == {"VerifySite"}


def test_it_is_stackctls_afterwards(old: World) -> None:
    done(adopt(old.host, look(old)))
    assert old.served() == {ONE: "real", TWO: "dummy"}
    assert old.on_http(TWO)
    assert old.fake.ca.issued == []
    assert "authenticator = webroot" in (old.root / f"data/certbot/conf/renewal/{ONE}.conf").read_text()
    assert "# Mine." in old.text
    assert not old.up(issue=False).plan
    assert not look(old).plan
    done(old.up())
    assert old.served() == {ONE: "real", TWO: "real"}
    assert old.fake.ca.issued == [(TWO,)], "an existing certificate is not requested again"


def test_it_is_given_back(old: World) -> None:
    before = old.tree()
    done(adopt(old.host, look(old)))
    entry = next(one for one in old.host.directory.history.entries() if one.kind == "foreign")
    _answer(old)
    undo_adoption(old.host, entry)
    after = old.tree()
    assert {path: after.get(path) for path in before} == before
    assert {run.service.name for run in old.fake.runs.values()} == {"web", "certbot", "one", "two"}
    assert {run.service.role for run in old.fake.runs.values()} == {None}


def test_giving_it_back_can_be_taken_back_too(old: World) -> None:
    done(adopt(old.host, look(old)))
    adopted = old.text
    _answer(old)
    assert data(done(old.rollback()))["entry"] == 1
    assert old.text == COMPOSE
    entries = old.host.directory.history.entries()
    assert [entry.kind for entry in entries] == ["foreign", "change", "foreign"]
    assert entries[-1].changes == ("restored the old stack of entry 1",)
    # The same once more changes nothing, and is no other state.
    done(old.rollback(1))
    assert len(old.host.directory.history.entries()) == 3
    shown = done(old.rollback(dry_run=True))
    assert data(shown) == {"entry": 2}
    (write,) = (one for one in shown.plan.operations if isinstance(one, WriteStackfile))
    assert write.content == adopted


def _answer(world: World) -> None:
    """The fake knows only stackctl's proxies; the old one answers all the same."""
    fake = world.fake
    shown = world.host.directory.lineage(ONE).certificate
    fake.responds = lambda _: True  # type: ignore[method-assign,assignment]
    fake.served = lambda _at, names, **_: dict.fromkeys(names, shown)  # type: ignore[method-assign]


def test_a_refused_configuration_leaves_everything_as_it_was(old: World) -> None:
    write(old, "conf/nginx.conf", CONF.replace("http {", "http {\n    not_a_directive on;"))
    before, started = old.tree(), old.asked("up ")
    result = adopt(old.host, look(old))
    assert result.code is ExitCode.PROXY_REJECTED
    assert "the old stack keeps running" in " ".join(result.notes)
    after = old.tree()
    assert {path: after.get(path) for path in before} == before
    assert old.asked("up ") == started


def test_a_proxy_that_does_not_start_is_replaced_by_the_old_one(old: World) -> None:
    before = old.tree()
    adoption = look(old)
    old.fake.faults.up_fails = {"web"}
    up = old.fake.up

    def fails_once(services: list[str]) -> None:
        try:
            up(services)
        except StackctlError:
            old.fake.faults.up_fails = set()
            _answer(old)
            raise

    old.fake.up = fails_once  # type: ignore[method-assign,assignment]
    result = adopt(old.host, adoption)
    assert result.code is ExitCode.ENGINE
    assert "the old stack is restored" in result.notes
    after = old.tree()
    assert {path: after.get(path) for path in before} == before


def test_what_would_be_lost_stops_it(old: World) -> None:
    write(old, "conf/nginx.conf", "stream { server { listen 1; } }\n" + CONF)
    before = old.tree()
    adoption = look(old)
    assert adoption.stops
    assert adoption.shown.code is ExitCode.FAILED
    with pytest.raises(StackctlError, match="not adopted: some of its settings are not supported"):
        adopt(old.host, adoption)
    assert old.tree() == before
    done(adopt(old.host, look(old, force=True)))
    assert old.served()[ONE] == "real"


def test_old_proxy_files_under_nginx_are_put_aside_and_back(old: World) -> None:
    (old.root / "conf").rename(old.root / "nginx")
    write(old, "docker-compose.yml", COMPOSE.replace("./conf/nginx.conf", "./nginx/nginx.conf"))
    old.fake.up(["web"])
    before = old.tree()
    done(adopt(old.host, look(old)))
    assert (old.root / "nginx/nginx.conf").is_symlink()
    entry = next(one for one in old.host.directory.history.entries() if one.kind == "foreign")
    _answer(old)
    undo_adoption(old.host, entry)
    after = old.tree()
    assert {path: after.get(path) for path in before} == before


def test_a_stack_of_stackctls_that_lost_its_settings_keeps_its_proxy(old: World) -> None:
    done(adopt(old.host, look(old)))
    doc = Document.parse(old.text, "f")
    for path in (("x-stackctl",), ("services", "one", "x-stackctl"), ("services", "two", "x-stackctl")):
        doc = edit.remove(doc, path)
    old.file.write_text(doc.text)
    before = old.tree()
    result = done(adopt(old.host, look(old)))
    assert not data(result)["replaced"]
    assert [type(operation).__name__ for operation in result.plan.operations] == ["KeepOldState", "WriteStackfile"]
    entry = next(one for one in reversed(old.host.directory.history.entries()) if one.kind == "foreign")
    undo_adoption(old.host, entry)
    assert old.tree() == before


def test_a_proxy_that_stays_loads_what_its_lost_settings_change(old: World) -> None:
    done(adopt(old.host, look(old)))
    old.edit("agree-tos: true", "default: 404\n  agree-tos: true")
    done(old.up())
    doc = Document.parse(old.text, "f")
    for path in (("x-stackctl",), ("services", "one", "x-stackctl"), ("services", "two", "x-stackctl")):
        doc = edit.remove(doc, path)
    old.file.write_text(doc.text)
    result = done(adopt(old.host, look(old)))
    assert not data(result)["replaced"]
    assert old.host.wire.generation(PortBinding(None, 80)) == old.published()
    assert "ReloadProxy" in [type(step.operation).__name__ for step in result.steps if step.status == "done"]


def test_a_tree_of_the_hosts_is_copied(old: World, tmp_path: Path) -> None:
    elsewhere = tmp_path / "etc-letsencrypt"
    (old.root / "data/certbot/conf").rename(elsewhere)
    adoption = look(old, letsencrypt=elsewhere)
    done(adopt(old.host, adoption))
    assert old.served()[ONE] == "real"
    assert (old.root / f"data/certbot/conf/live/{ONE}/fullchain.pem").is_symlink()
    assert (elsewhere / f"live/{ONE}/fullchain.pem").is_symlink()
    assert [one.lineage for one in adoption.plan.operations if isinstance(one, RewriteRenewal)] == [ONE]


def from_elsewhere(old: World, mounted: str = "./certs", chain: bytes | None = None) -> None:
    """Let the old proxy serve a certificate that is not certbot's; ``chain`` in its place, with the same key."""
    conf = old.root / "data/certbot/conf"
    folder = old.root / mounted
    folder.mkdir(parents=True)
    for kind in ("fullchain", "privkey"):
        (folder / f"one.{kind}").write_bytes((conf / f"live/{ONE}/{kind}.pem").read_bytes())
    if chain is not None:
        (folder / "one.fullchain").write_bytes(chain)
    text = CONF.replace(f"/etc/letsencrypt/live/{ONE}/fullchain.pem", "/certs/one.fullchain")
    write(old, "conf/nginx.conf", text.replace(f"/etc/letsencrypt/live/{ONE}/privkey.pem", "/certs/one.privkey"))
    old.edit("    command: nginx", f"      - {mounted}:/certs:ro\n    command: nginx")
    old.fake.up(["web"])
    for part in ("live", "archive", "renewal"):
        (conf / part).rename(old.root / f"gone-{part}")


@pytest.mark.parametrize(
    ("mounted", "key"),
    [
        ("./certs", 'certificate: {file: "certs/one.fullchain", key: "certs/one.privkey", fallback: acme}'),
        ("./my certs", f'certificate: {{imported: "{ONE}", fallback: acme}}'),
    ],
)
def test_a_certificate_from_elsewhere_is_named_and_has_a_fallback(old: World, mounted: str, key: str) -> None:
    from_elsewhere(old, mounted)
    adoption = look(old)
    assert [one.site for one in adoption.plan.operations if isinstance(one, ImportCertificate)] == [ONE]
    done(adopt(old.host, adoption))
    assert key in old.text
    assert old.served()[ONE] == "real"
    assert not old.on_http(ONE)
    old.edit("agree-tos: false", "agree-tos: true")
    done(old.up())
    assert old.fake.ca.issued == [(TWO,)]
    assert not old.up().plan
    old.clock.now += old.fake.ca.lifetime - timedelta(days=6)
    done(old.up())
    assert (ONE,) in old.fake.ca.issued, "it is near its end"
    assert old.served()[ONE] == "real"


def test_one_that_no_import_would_take_is_served_until_it_is_due(old: World) -> None:
    ca, conf = Authority(), old.root / f"data/certbot/conf/live/{ONE}/privkey.pem"
    key = serialization.load_pem_private_key(conf.read_bytes(), None)
    from_elsewhere(old, chain=ca.leaf(ONE, key=key).pem)  # it says where its intermediate is, and lacks it
    done(adopt(old.host, look(old)))
    assert "certificate:" not in old.text
    assert old.served()[ONE] == "real"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("services:\n  one:\n    image: one:latest\n", "no service runs nginx"),
        (
            'services:\n  web:\n    image: nginx:1.30\n    ports: ["80:80"]\n',
            "the nginx configuration of the service web has no server",
        ),
    ],
)
def test_where_there_is_nothing_to_adopt_it_says_so(world: World, text: str, said: str) -> None:
    write(world, "docker-compose.yml", text)
    with pytest.raises(InputError, match=said):
        look(world)


def test_an_empty_directory_has_no_stack(world: World) -> None:
    with pytest.raises(InputError, match="there is no stack"):
        look(world)


def test_the_gap_is_only_reported_if_there_was_one(old: World) -> None:
    result = done(adopt(old.host, look(old)))
    assert data(result)["replaced"]
    assert any(isinstance(operation, ReplaceProxy) for operation in result.plan.operations)


def test_a_proxy_that_was_restarted_once_is_not_removed_before_the_measurement(
    old: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    inspect = old.fake.inspect
    monkeypatch.setattr(old.fake, "inspect", lambda one: replace(inspect(one), restarts=1))
    plan = look(old).plan
    assert not any(isinstance(operation, RemoveContainers) for operation in plan.operations)
    assert "it keeps restarting" not in str(plan)


def test_a_proxy_that_compose_replaces_together_with_certbot_is_measured(
    old: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it does where certbot depends on the proxy."""
    seconds = 0.2
    down, up, served = Event(), old.fake.up, old.fake.served
    shown = old.host.directory.lineage(ONE).certificate

    def both(services: Sequence[str]) -> None:
        if list(services) == ["certbot"]:
            down.set()
            assert not Event().wait(seconds)  # what it takes
            up(["web", "certbot"])
            down.clear()
        else:
            up(services)

    def seen(https: PortBinding, names: Sequence[Domain]) -> dict[Domain, Certificate | None]:
        if down.is_set():
            return dict.fromkeys(names)
        return served(https, names) if old.fake._proxy(443) else dict.fromkeys(names, shown)

    monkeypatch.setattr(old.fake, "up", both)
    monkeypatch.setattr(old.fake, "served", seen)
    result = done(adopt(old.host, look(old)))
    assert result.payload.gap_ms is not None
    assert result.payload.gap_ms >= seconds * 1000


@pytest.mark.slow
@pytest.mark.parametrize("when", ["begins", "ends"])
@pytest.mark.parametrize("at", range(OPERATIONS))
def test_cut_short_anywhere_the_same_command_finishes(old: World, when: str, at: int) -> None:
    text = old.text
    adoption = look(old)
    assert len(adoption.plan.operations) == OPERATIONS
    old.report = Fuse(begins_at=at) if when == "begins" else Fuse(ends_at=at)
    with pytest.raises(Killed):
        adopt(old.host, adoption)
    old.report = Notes()

    again = look(old)
    if again.plan:
        done(adopt(old.host, again))

    assert old.served() == {ONE: "real", TWO: "dummy"}
    assert old.fake.ca.issued == []
    assert not look(old).plan
    assert not old.up(issue=False).plan
    foreign = [one for one in old.host.directory.history.entries() if one.kind == "foreign"]
    _answer(old)
    undo_adoption(old.host, foreign[0])
    assert old.text == text


def test_what_governs_renewals_of_the_old_host_is_reported_disabled_and_given_back(old: World) -> None:
    conf = old.root / "data/certbot/conf"
    write(old, "data/certbot/conf/cli.ini", "max-log-backups = 0\npre-hook = systemctl stop nginx\n")
    write(old, "data/certbot/conf/renewal-hooks/deploy/reload.sh", "#!/bin/sh\nsystemctl reload nginx\n")
    hook = conf / "renewal-hooks/deploy/reload.sh"
    hook.chmod(0o755)
    before = old.tree()
    adoption = look(old)
    texts = [operation.text for operation in adoption.plan.operations]
    assert "change cli.ini: 'pre-hook = systemctl stop nginx' is disabled" in texts
    assert (
        "rename renewal-hooks/deploy/reload.sh to renewal-hooks/deploy/reload.sh~, which certbot does not run" in texts
    )

    done(adopt(old.host, adoption))
    assert (conf / "cli.ini").read_text().endswith("\n# disabled by stackctl: pre-hook = systemctl stop nginx\n")
    assert [path.name for path in hook.parent.iterdir()] == ["reload.sh~"]
    assert not old.up(issue=False).plan
    assert old.doctor()["certificates"]["renewal-settings"] == "ok"

    entry = next(one for one in old.host.directory.history.entries() if one.kind == "foreign")
    _answer(old)
    undo_adoption(old.host, entry)
    assert {path: content for path, content in old.tree().items() if path in before} == before
    assert hook.stat().st_mode & 0o111, "certbot runs it again"


STREAMS = """\
stream {
    server { listen 5432; proxy_pass db:5432; allow 192.0.2.0/24; deny all; }
    server { listen 22; proxy_pass git:22; }
}
"""


def with_streams(world: World, *ports: str) -> None:
    write(world, "conf/nginx.conf", STREAMS + CONF)
    added = "".join(f'      - "{port}"\n' for port in ("443:443", *ports))
    write(world, "docker-compose.yml", COMPOSE.replace('      - "443:443"\n', added))
    world.fake.up(["web"])


def test_streams_are_adopted_with_the_ports_that_the_proxy_publishes(old: World) -> None:
    with_streams(old, "5432:5432", "127.0.0.1:2222:22")
    adoption = look(old)
    assert not adoption.stops
    body = Document.parse(adoption.loaded.doc.text, "docker-compose.yml")
    assert body.data(("services", "web", "ports")) == ["80:80", "443:443", "5432:5432", "127.0.0.1:2222:2222"]
    assert body.data(("x-stackctl", "streams")) == [
        {"listen": "5432", "upstream": "db:5432", "allow": ["192.0.2.0/24"]},
        {"listen": "127.0.0.1:2222", "upstream": "git:22"},
    ]
    done(adopt(old.host, adoption))
    assert not old.up(issue=False).plan
