from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from stackctl.certs.dummy import make_dummy
from stackctl.errors import EngineError, HostError, InputError, StackfileError
from stackctl.model.endpoints import PortBinding
from stackctl.model.layout import CERTBOT_MOUNTS, PROXY_MOUNTS, WEBROOT
from stackctl.proxies.nginx.proxy import Nginx
from stackctl.usecases.init import InitOptions
from stackctl.usecases.up_down import up
from tests.usecases.world import OPTIONS, World, done

SHOP = """\
# our shop
name: shop

services:   # two of them
  web:
    image: 'one:latest'  # pinned by ops
    ports: ["8080:8000"]
  db:
    image: two:latest
    volumes:
      - data:/var/lib/db

volumes:
  data: {}   # precious
"""


def test_init_makes_a_stack_from_nothing(world: World) -> None:
    done(world.init())
    assert (*world.host.directory.missing(Nginx.layout), *world.delivery.missing()) == ()
    assert world.fake.loaded_generation == world.published()
    running = {run.service.name: run.container.state for run in world.fake.runs.values()}
    assert running == {"nginx": "running", "certbot": "running"}
    assert "ops@example.com" in world.text


def test_certbot_starts_next_to_the_proxy_and_does_not_stop_it(world: World) -> None:
    world.fake.faults.up_fails.add("certbot")
    result = world.init()
    assert [str(error) for error in result.errors] == ["docker compose up: certbot cannot be started"]
    assert world.fake.loaded_generation == world.published()


def test_a_proxy_that_does_not_answer_is_reported_next_to_a_certbot_that_runs(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world.fake, "generation", lambda _at: None)
    result = world.init()
    assert ["does not answer" in str(error) for error in result.errors] == [True]
    assert {step.operation.text: step.status for step in result.steps}["start service certbot"] == "done"


def test_the_version_of_an_image_is_asked_once_for_all_stacks_of_a_user(tmp_path: Path) -> None:
    cache = tmp_path / "cache/stackctl"
    first, second = World(tmp_path / "first", cache), World(tmp_path / "second", cache)
    for world in (first, second):
        done(world.init())
    assert [len(world.asked("run_once sh -c nginx -V")) for world in (first, second)] == [1, 0]
    second.fake.builds["nginx:1.30"] += 1
    second.fake.proxy.version = "1.26.3"
    done(up(second.host))  # without the look at 'plan' before it, which asks too
    assert len(second.asked("run_once sh -c nginx -V")) == 1
    assert "1.26.3" in (cache / "images.json").read_text()


def test_a_cache_that_is_damaged_or_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.write_text("a file, and no directory")
    done(World(tmp_path / "first", cache).init())
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "images.json").write_text("[1")
    done(World(tmp_path / "second", broken).init())
    assert "1.30.4" in (broken / "images.json").read_text()


def test_init_twice_has_an_empty_plan(stack: World) -> None:
    before = stack.tree()
    result = stack.init()
    assert not result.plan
    assert stack.tree() == before


def test_a_dry_run_of_init_makes_nothing(world: World) -> None:
    result = world.init(dry_run=True)
    assert result.plan
    assert not result.steps
    assert world.tree() == {}
    assert not world.fake.runs


@pytest.mark.parametrize("name", ["docker-compose.yml", "compose.yaml", "compose.yml", "docker-compose.yaml"])
def test_init_next_to_a_compose_file_keeps_every_line_of_it(world: World, name: str) -> None:
    (world.root / name).write_text(SHOP)
    done(world.init())
    assert world.file.name == name
    assert [path.name for path in world.root.glob("*compose*")] == [name]
    left = iter(world.text.splitlines())
    assert all(line in left for line in SHOP.splitlines()), "lines are there in their order"
    assert world.rows() == {}


def test_init_next_to_a_compose_file_keeps_line_endings(world: World) -> None:
    (world.root / "compose.yaml").write_bytes(SHOP.replace("\n", "\r\n").encode())
    done(world.init())
    content = (world.root / "compose.yaml").read_bytes()
    assert content.count(b"\n") == content.count(b"\r\n")
    assert not world.init().plan


def test_init_starts_the_services_that_were_there_too(world: World) -> None:
    (world.root / "compose.yaml").write_text(SHOP)
    done(world.init())
    assert {run.service.name for run in world.fake.runs.values()} == {"web", "db", "nginx", "certbot"}


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (InitOptions(email="other@example.com"), "email:"),
        (InitOptions(ca="letsencrypt-staging"), 'ca: "letsencrypt"'),
        (InitOptions(proxy_image="nginx:1.26"), 'image: "nginx:1.30"'),
        (InitOptions(certbot_image="certbot/certbot:v4.0.0"), 'image: "certbot/certbot:v5.6.0"'),
    ],
)
def test_a_contradicting_option_is_refused_with_the_line_it_contradicts(
    stack: World, options: InitOptions, line: str
) -> None:
    before = stack.tree()
    with pytest.raises(InputError) as refused:
        stack.init(options)
    assert refused.value.where == stack.line_of(line)
    assert refused.value.hint
    assert stack.tree() == before


def test_a_contradicting_port_is_refused_with_its_line(stack: World) -> None:
    with pytest.raises(InputError) as refused:
        stack.init(InitOptions(http=PortBinding(None, 8080)))
    assert refused.value.where == stack.line_of("ports:")


@pytest.mark.parametrize(
    ("options", "field"),
    [
        (InitOptions(http=PortBinding(None, 443)), "http"),
        (InitOptions(https=PortBinding("127.0.0.2", 80)), "https"),
        (InitOptions(http=PortBinding("127.0.0.2", 8080), https=PortBinding("127.0.0.2", 8080)), "https"),
    ],
)
def test_one_place_for_both_ports_is_refused(world: World, options: InitOptions, field: str) -> None:
    with pytest.raises(InputError) as refused:
        world.init(options)
    assert refused.value.field == field
    assert not list(world.root.iterdir())


def test_agreement_may_be_given_later(world: World) -> None:
    done(world.init(InitOptions(email="ops@example.com")))
    assert "agree-tos: false" in world.text
    done(world.init(OPTIONS))
    assert "agree-tos: true" in world.text


def test_a_missing_setting_may_be_added_later(world: World) -> None:
    done(world.init(InitOptions(agree_tos=True)))
    done(world.init(OPTIONS))
    assert "ops@example.com" in world.text
    assert not world.init(OPTIONS).plan


def move_the_webroot(patch: pytest.MonkeyPatch) -> None:
    """Mount the webroot elsewhere in both services, as another version of stackctl might."""
    moved = replace(WEBROOT, mount="/var/www/acme")
    mounts = {"proxies.nginx.proxy.PROXY_MOUNTS": PROXY_MOUNTS, "stackfile.services.CERTBOT_MOUNTS": CERTBOT_MOUNTS}
    for name, places in mounts.items():
        patch.setattr(f"stackctl.{name}", tuple(moved if place == WEBROOT else place for place in places))


def test_init_refreshes_what_an_older_version_wrote(stack: World, monkeypatch: pytest.MonkeyPatch) -> None:
    older = stack.text
    with monkeypatch.context() as patch:
        move_the_webroot(patch)
        patch.setattr("stackctl.proxies.nginx.proxy.MARKER_PATH", "/.well-known/stackctl/marker")
        done(stack.init())
        newer = stack.text
    assert "./data/certbot/www:/var/www/acme:ro" in newer
    assert newer != older
    done(stack.init())
    assert stack.text == older, "and back again: nothing of the refresh is lost or doubled"


def test_init_leaves_a_service_changed_by_hand_and_says_so(stack: World, monkeypatch: pytest.MonkeyPatch) -> None:
    stack.edit("    stop_signal: SIGTERM\n", "    stop_signal: SIGQUIT\n")
    done(stack.up())
    move_the_webroot(monkeypatch)
    stack.report.notes.clear()
    done(stack.init())
    assert "stop_signal: SIGQUIT" in stack.text
    assert "./data/certbot/www:/var/www/certbot:ro" in stack.text
    noted = [note for note in stack.report.notes if "edited by hand" in note]
    assert [note.partition(": ")[0] for note in noted] == [stack.line_of("  nginx:")]
    assert "./data/certbot/www:/var/www/acme" in stack.text, "certbot's service was not changed by hand"


@pytest.mark.parametrize("name", ["nginx", "certbot"])
def test_a_service_with_our_name_that_is_not_ours_is_refused(world: World, name: str) -> None:
    (world.root / "compose.yaml").write_text(f"services:\n  web:\n    image: one:latest\n  {name}:\n    image: x:1\n")
    before = world.tree()
    with pytest.raises(InputError) as refused:
        world.init()
    assert refused.value.where == "compose.yaml:4"
    assert world.tree() == before


def test_a_taken_port_is_named_before_anything_is_written(world: World) -> None:
    world.fake.taken[443] = "apache2 (pid 7)"
    with pytest.raises(HostError, match=r"443.*apache2") as refused:
        world.init()
    assert "stackctl init --http" in str(refused.value.hint)
    assert world.tree() == {}


def test_a_taken_port_of_a_stack_is_changed_where_it_is_written(world: World) -> None:
    world.init()
    world.fake.down()
    world.fake.taken[443] = "apache2 (pid 7)"
    before = world.tree()
    for command in (world.up, world.init):
        with pytest.raises(HostError, match=r"443.*apache2") as refused:
            command()
        assert re.search(r"edit the ports in docker-compose\.yml:\d+ and run 'stackctl up'", str(refused.value.hint))
    assert world.tree() == before


def test_without_the_proxy_image_nothing_is_written(world: World) -> None:
    del world.fake.images["nginx:1.30"]
    with pytest.raises(EngineError, match=r"nginx:1\.30"):
        world.init()
    assert world.tree() == {}


def test_an_image_that_the_registry_has_is_pulled(world: World) -> None:
    world.fake.registry = {name: world.fake.images.pop(name) for name in ("nginx:1.30", "certbot/certbot:v5.6.0")}
    done(world.init())
    assert world.asked("pull") == ["pull nginx:1.30", "pull certbot/certbot:v5.6.0"]


def test_init_refuses_a_file_that_is_no_yaml(world: World) -> None:
    (world.root / "compose.yaml").write_text("services:\n  web: [\n")
    before = world.tree()
    with pytest.raises(StackfileError) as refused:
        world.init()
    assert (refused.value.where or "").startswith("compose.yaml:")
    assert world.tree() == before


def test_a_ca_bundle_is_copied_into_the_stack(world: World, tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_bytes(make_dummy(["ca.example"], world.clock())[0])
    options = InitOptions(agree_tos=True, ca="https://ca.example/dir", ca_bundle=bundle)
    done(world.init(options))
    assert (world.root / "data/ca/bundle.pem").read_bytes() == bundle.read_bytes()
    assert not world.init(options).plan
    assert not world.init(InitOptions()).plan, "what is there stays, asked for again or not"


def test_an_account_binding_is_kept_apart_from_the_file_that_names_it(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG4"
    (tmp_path / "key").write_text(f"{secret}\n")
    options = InitOptions(
        agree_tos=True, ca="https://ca.example/dir", eab_kid="kid-1", eab_hmac_key_file=tmp_path / "key"
    )
    result = world.init(options)
    done(result)
    assert secret not in repr(result)
    kept = world.root / "data/ca/eab-hmac-key"
    assert kept.read_text() == f"{secret}\n"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert 'eab-kid: "kid-1"' in world.file.read_text()
    assert secret not in world.file.read_text()
    assert not world.init(options).plan
    secret = secret.replace("z", "y")
    (tmp_path / "key").write_text(secret)
    assert str(world.init(options).plan) == "store the key of the external account binding in data/ca  (requested)"

    told: list[str] = []
    stream = world.fake.stream

    def listening(service: str, command: Sequence[str], stdin: str) -> Iterator[str]:
        told.append(stdin)
        assert secret not in " ".join(command)
        return stream(service, command, stdin)

    monkeypatch.setattr(world.fake, "stream", listening)
    done(world.add("a.example.com", upstream="10.0.0.5:80"))
    bound = {"https://ca.example/dir": {"kid": "kid-1", "hmac_key": secret}}
    assert f'"eab": {json.dumps(bound)}' in told[-1]
    assert told[-1].count(secret) == 1


@pytest.mark.parametrize(
    ("kid", "content", "field"),
    [
        ("kid-1", None, "eab_kid"),
        (None, "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajV", "eab_hmac_key_file"),
        ("kid-1", "", "eab_hmac_key_file"),
        ("kid-1", "short", "eab_hmac_key_file"),
        ("kid-1", "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajV and more", "eab_hmac_key_file"),
        ("kid-1", "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajV\nserver = x", "eab_hmac_key_file"),
        ("kid-1", "\u00e4WNDZM6eQGHWpSRTPal5eIUYFTu7EajV", "eab_hmac_key_file"),
    ],
)
def test_half_an_account_binding_is_refused(
    world: World, tmp_path: Path, kid: str | None, content: str | None, field: str
) -> None:
    path = tmp_path / "key"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError) as refused:
        world.init(InitOptions(eab_kid=kid, eab_hmac_key_file=None if content is None else path))
    assert refused.value.field == field
    assert "zWND" not in str(refused.value), "a key is not told, even where it is none"
    assert world.tree() == {}


def test_a_bundle_without_a_certificate_is_refused(world: World, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("hello")
    with pytest.raises(InputError) as refused:
        world.init(InitOptions(ca_bundle=tmp_path / "ca.pem"))
    assert refused.value.field == "ca_bundle"
    assert world.tree() == {}


@pytest.mark.parametrize("include", ["[part/compose.yml]", "[{path: [part/compose.yml]}]"])
def test_keys_of_an_included_file_are_refused_where_they_are(world: World, include: str) -> None:
    (world.root / "part").mkdir()
    (world.root / "part/compose.yml").write_text("services:\n  web:\n    image: one:latest\n    x-stackctl: {}\n")
    world.file.write_text(f"include: {include}\n")
    before = world.tree()
    with pytest.raises(StackfileError) as refused:
        world.init()
    assert str(refused.value) == "part/compose.yml:4: x-stackctl is only read from docker-compose.yml"
    assert world.tree() == before
