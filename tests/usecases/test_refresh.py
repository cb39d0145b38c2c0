"""``up`` brings stackctl's own services up to date, and leaves what the user edited in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackctl.errors import StackfileError
from stackctl.model.layout import HOOK
from stackctl.stackfile.document import Document
from stackctl.stackfile.services import OWNED_KEYS
from stackctl.usecases.refresh import refreshed
from tests.old_stack.fixture import OldStack, stored
from tests.usecases.test_old_stack import IMAGES
from tests.usecases.world import World, done

TREE = stored()
EARLIER = "date +%s.%N >/var/lib/stackctl/renewed"


@pytest.fixture
def old(tmp_path: Path) -> World:
    """A stack as an earlier version left it running."""
    world = World(tmp_path / TREE.project)
    world.clock.now = TREE.made
    world.fake.images |= IMAGES
    OldStack(world.root, world.clock.now)
    world.fake.up([])
    return world


def service(world: World, name: str) -> dict[str, object]:
    body: dict[str, object] = Document.parse(world.text, "file").data(("services", name))
    return body


def targets(world: World, name: str) -> list[str]:
    volumes = service(world, name)["volumes"]
    assert isinstance(volumes, list)
    return [volume.split(":")[-1 if ":" not in volume else 1] for volume in volumes]


def test_the_services_are_as_init_writes_them(old: World, tmp_path: Path) -> None:
    done(old.up())
    new = World(tmp_path / "new")
    done(new.init())
    for name in ("nginx", "certbot"):
        body, wanted = service(old, name), service(new, name)
        assert {key: body.get(key) for key in OWNED_KEYS} == {key: wanted.get(key) for key in OWNED_KEYS}
    assert service(old, "nginx")["image"] == "stackctl/nginx:1.30"
    text = old.text
    done(old.up())
    assert old.text == text


def test_a_proxy_service_that_the_user_edited_stays_and_works(old: World) -> None:
    old.edit("      - ./nginx:/etc/nginx:ro\n", "      - ./nginx:/etc/nginx:ro\n      - ./html:/html:ro\n")
    before = service(old, "nginx")
    done(old.up())
    assert service(old, "nginx") == before
    assert "/etc/letsencrypt" in targets(old, "nginx")
    assert set(old.served().values()) == {"real"}
    assert not old.up().plan


def test_a_certbot_service_that_the_user_edited_gets_the_hook(old: World) -> None:
    old.edit(
        "      - ./data/certbot/www:/var/www/certbot\n", "      - ./data/certbot/www:/var/www/certbot\n      - ./x:/x\n"
    )
    assert old.text.count(EARLIER) == 1
    done(old.up())
    entrypoint = service(old, "certbot")["entrypoint"]
    assert isinstance(entrypoint, list)
    script = entrypoint[2]
    assert f"--deploy-hook 'sh {HOOK.mount}'" in script
    assert EARLIER not in old.text
    assert "/x" in targets(old, "certbot")
    assert not old.up().plan


def test_lines_that_cannot_be_edited_are_named_and_the_command_goes_on(old: World) -> None:
    doc = Document.parse(old.text, old.file.name)
    start, end = doc.text.index("    cap_drop:\n"), doc.text.index("    cap_add:\n")
    assert start < end
    aliased = doc.text.replace("    cap_drop:\n      - ALL\n", "    cap_drop: [ALL]\n")
    old.file.write_text(aliased)
    done(old.up())
    assert set(old.served().values()) == {"real"}


def test_a_directive_that_needs_certbots_tree_keeps_its_mount(old: World) -> None:
    old.custom("http.conf", "ssl_dhparam /etc/letsencrypt/dhparams.pem;\n")
    (old.root / "data/certbot/conf/dhparams.pem").write_text("")
    done(old.up())
    assert "/etc/letsencrypt" in targets(old, "nginx")
    assert any("names a file below /etc/letsencrypt" in note for note in old.report.notes)
    old.custom("http.conf", "# ssl_certificate /etc/letsencrypt/live/x/fullchain.pem;\n")
    done(old.up())
    assert "/etc/letsencrypt" not in targets(old, "nginx")
    assert b"/var/lib/stackctl/pairs/lineages/x/fullchain.pem" in old.live()["snippets/http.custom"]


def test_nothing_is_written_where_nothing_differs(site: World) -> None:
    doc = Document.parse(site.text, site.file.name)
    assert refreshed(site.host, doc).text == site.text
    assert site.report.notes == []


def test_a_fault_has_its_line_in_the_file_of_the_user_where_services_change(old: World) -> None:
    head, tail = old.text.replace("x-stackctl:\n", "x-stackctl:\n  proxy: haproxy\n", 1).rsplit("      port: ", 1)
    old.file.write_text(f"{head}      buffering: true\n      port: {tail}")
    with pytest.raises(StackfileError, match="the key 'buffering'") as caught:
        old.up()
    assert caught.value.where == old.line_of("buffering: true")
