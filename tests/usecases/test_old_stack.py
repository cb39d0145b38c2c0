"""A stack that an earlier version made is opened by this one: what ``up`` changes, and that nothing is lost."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from stackctl.certs.lineage import Certificate, read_certificate
from stackctl.engine.backup.sealing import Keys
from stackctl.stackfile.document import Document
from stackctl.stackfile.services import OWNED_KEYS
from stackctl.usecases.restore import RestoreOptions, RestoreReport, open_archive, restore
from stackctl.usecases.result import Result
from tests.old_stack.fixture import FILES, FIXTURE, SECRET, OldStack, stored
from tests.usecases.world import World, done

TREE = stored()
NAMES = ("one.old.example.com", "two.old.example.com")
ENTRIES = sorted(int(path.name) for path in (FILES / ".stackctl/history").iterdir())
IMAGES = {"stackctl/nginx:1.30": (80, 443), "stackctl/certbot:5.5": (), "stackctl-lab/app:latest": (8000,)}


@pytest.fixture
def empty(tmp_path: Path) -> World:
    """A machine with the images that the stack names, an hour after it was recorded."""
    world = World(tmp_path / TREE.project)
    world.clock.now = TREE.made + timedelta(hours=1)
    world.fake.images |= IMAGES
    return world


@pytest.fixture
def laid(empty: World) -> OldStack:
    """The stack's directory; nothing runs."""
    return OldStack(empty.root, empty.clock.now)


@pytest.fixture
def old(empty: World, laid: OldStack) -> World:
    """The stack, as the old version left it running."""
    assert laid.root == empty.root
    empty.fake.up([])
    return empty


def on_disk(root: Path) -> dict[str, Certificate | None]:
    """The certificate of each site."""
    live = root / "data/certbot/conf/live"
    return {name: read_certificate((live / name / "fullchain.pem").read_bytes()) for name in NAMES}


def wire(world: World) -> dict[str, Certificate | None]:
    """What the proxy shows for each site's name."""
    return {name: world.fake.loaded.get(name) for name in NAMES}


def entry(number: int) -> dict[str, Any]:
    """What the old version wrote of a change."""
    read: dict[str, Any] = json.loads((FILES / f".stackctl/history/{number:04d}/entry.json").read_bytes())
    return read


def restored(world: World, archive: bytes, path: Path, *, force: bool = False) -> Result[RestoreReport]:
    path.write_bytes(archive)
    return restore(world.host, open_archive(path, Keys()), RestoreOptions(force=force), lambda: world.host)


def test_the_fixture_holds_no_keys() -> None:
    files = [path for path in FIXTURE.rglob("*") if path.is_file()]
    assert len(files) > len(ENTRIES)
    assert [path.name for path in files if SECRET.search(path.read_bytes())] == []


CHANGED = [
    ("create data/certbot/deploy/pairs, data/metrics, data/watch, nginx/streams", "missing"),
    ("write .gitignore", "keeps private keys out of version control"),
    ("write .dockerignore", "keeps private keys out of images"),
    ("write certbot's deploy hook data/certbot/deploy/copy-certificates", "missing"),
    ("write the program for metrics and alerts data/watch", "missing"),
    ("write docker-compose.yml", "the stack changes"),
    *((f"copy the certificate {name} for the proxy", "the proxy has no copy of it") for name in NAMES),
    (
        "stage nginx.conf, snippets/https.conf, snippets/proxy.conf, snippets/removed.conf, snippets/tls.conf",
        "settings of all sites changed",
    ),
    *((f"stage sites/{name}.conf", f"{name} changed") for name in NAMES),
    ("test the staged configuration and make it live", "the proxy's files change"),
    ("start service certbot", "its definition changed"),
    ("start the proxy nginx", "its definition changed: its ports are closed for about a second"),
    *((f"verify that {name} is served with its real certificate", "the proxy loaded its files") for name in NAMES),
]
"""What ``up`` changes, and why."""


def theirs(content: bytes) -> object:
    """What a Compose file says, but for what this version keeps up to date in its own services."""
    data = Document.parse(content.decode(), "a file").data()
    for name in ("nginx", "certbot"):
        body = data["services"][name]
        data["services"][name] = {key: value for key, value in body.items() if key not in OWNED_KEYS}
        del data["services"][name]["labels"]["stackctl.written"]
    return data


def same(now: bytes, before: bytes, path: str) -> bool:
    return theirs(now) == theirs(before) if path == "docker-compose.yml" else now == before


def test_its_own_services_and_the_proxys_files_change_and_nothing_else(old: World) -> None:
    before, certificates, calls = old.tree(), wire(old), len(old.fake.calls)
    result = done(old.up())
    assert [(operation.text, operation.cause) for operation in result.plan.operations] == CHANGED
    assert theirs(old.file.read_bytes()) == theirs(before["docker-compose.yml"])
    own = (
        "nginx/generations/",
        "nginx/live",
        "nginx/streams",
        ".stackctl/",
        "data/certbot/deploy/",
        "data/metrics",
        "data/watch",
        "docker-compose.yml",
        ".gitignore",
    )
    assert _without(old.tree(), (*own, ".dockerignore")) == _without(before, own)
    assert wire(old) == certificates == on_disk(old.root)
    assert old.served() == dict.fromkeys(NAMES, "real")
    acting = ("up ", "signal", "issue", "remove", "execute", "stream", "run_once nginx -e")
    acts = [call for call in old.fake.calls[calls:] if call.startswith(acting)]
    assert [" ".join(call.split()[:2]) for call in acts] == ["run_once nginx", "up certbot", "up nginx"]
    assert [one.number for one in old.host.directory.history.entries()] == [*ENTRIES, ENTRIES[-1] + 1]
    assert not old.up().plan


def _without(tree: dict[str, bytes], prefixes: tuple[str, ...]) -> dict[str, bytes]:
    return {path: content for path, content in tree.items() if not path.startswith(prefixes)}


def test_a_stack_that_is_down_is_started_with_the_same_certificates(empty: World, laid: OldStack) -> None:
    done(empty.up())
    assert wire(empty) == on_disk(laid.root)
    assert empty.served() == dict.fromkeys(NAMES, "real")
    assert empty.asked("issue") == []


@pytest.mark.parametrize("number", ENTRIES)
def test_every_old_entry_can_be_gone_back_to(old: World, number: int) -> None:
    certificates = on_disk(old.root)
    done(old.up())
    now = old.published()
    done(old.rollback(number))
    for path, content in old.host.directory.history.files(number).items():
        assert same((old.root / path).read_bytes(), content, path)
    # The files of users are those of then; the proxy's are rendered by this version.
    assert old.published() == old.fake.loaded_generation
    served = set(entry(number)["lineages"])
    assert old.served() == dict.fromkeys(served, "real")
    assert {name: wire(old)[name] for name in served} == {name: certificates[name] for name in served}
    assert on_disk(old.root) == certificates
    assert old.asked("issue") == []

    done(old.rollback(ENTRIES[-1]))
    assert old.published() == now
    assert wire(old) == certificates


def test_rollback_without_a_number_takes_the_last_old_change_back(old: World) -> None:
    done(old.rollback())
    for path, content in old.host.directory.history.files(ENTRIES[-2]).items():
        assert same((old.root / path).read_bytes(), content, path)
    assert "tls: modern" not in old.text


def test_the_stack_goes_on_from_there(old: World) -> None:
    certificates = wire(old)
    done(old.add("three.example.com", image="three:latest", port=3000))
    assert old.served() == dict.fromkeys((*NAMES, "three.example.com"), "real")
    done(old.remove(NAMES[1]))
    done(old.renew())
    assert wire(old)[NAMES[0]] == certificates[NAMES[0]]
    assert old.asked("issue") == ["issue three.example.com"]
    done(old.rollback(ENTRIES[-1]))
    assert wire(old) == certificates


def test_an_old_archive_is_restored_where_nothing_was(empty: World, tmp_path: Path) -> None:
    source = OldStack(tmp_path / "source", empty.clock.now)
    done(restored(empty, source.archive(), tmp_path / "old.tar.gz"))
    assert wire(empty) == on_disk(source.root)
    assert empty.served() == dict.fromkeys(NAMES, "real")
    assert empty.asked("issue") == []
    assert not done(empty.up()).plan
    done(empty.rollback(ENTRIES[1]))
    assert empty.served() == {NAMES[0]: "real"}


def test_an_old_archive_is_restored_over_what_came_after(old: World, laid: OldStack, tmp_path: Path) -> None:
    archive, certificates, before = laid.archive(), on_disk(old.root), old.tree()
    done(old.remove(NAMES[1], delete_cert=True))
    old.custom("http.conf", "# of today\n")
    done(old.up())
    done(restored(old, archive, tmp_path / "old.tar.gz", force=True))
    assert wire(old) == on_disk(old.root) == certificates
    kept = [name for name in before if name.startswith(("docker-compose", "nginx/custom", "data/certbot/conf/archive"))]
    assert [name for name in kept if not same(old.tree()[name], before[name], name)] == []
