"""``adopt`` reads what is in force in the running container, and keeps the files that only it or its image has."""

from __future__ import annotations

import pytest

from stackctl.adopt.proposal import Handling
from stackctl.errors import HostError, InputError
from stackctl.plan.adopt import CopyFolder, CopyTree, WriteKept
from stackctl.usecases.adopt.adoption import Adoption
from stackctl.usecases.adopt.take_over import adopt
from tests.usecases.test_adopt import COMPOSE, CONF, ONE, TWO, certificate, look, write
from tests.usecases.world import World, done

MAIN = b"""\
events {}
http {
    types { text/css css; }
    default_type application/octet-stream;
    include /etc/nginx/conf.d/*.conf;
}
"""
SERVERS = CONF.partition("http {\n")[2].rpartition("}\n")[0]
IN_CONF_D = COMPOSE.replace("./conf/nginx.conf:/etc/nginx/nginx.conf", "./conf.d:/etc/nginx/conf.d")
WITHOUT = COMPOSE.replace("      - ./conf/nginx.conf:/etc/nginx/nginx.conf\n", "")


def texts(adoption: Adoption, handling: Handling) -> list[str]:
    return [remark.line for remark in adoption.proposal.remarks_of(handling)]


def start(world: World, compose: str, files: dict[str, bytes], *, image: str = "nginx:1.30") -> World:
    """The old stack, running, with ``files`` in the proxy's image."""
    write(world, "docker-compose.yml", compose)
    (world.root / "data/certbot/conf").mkdir(parents=True, exist_ok=True)
    certificate(world)
    world.fake.images[image] = ()
    world.fake.looks.files[image] = files
    world.fake.up([])
    world.fake.ca.issued.clear()
    return world


def static(servers: str, root: str) -> str:
    return servers + f"server {{ listen 80; server_name static.example.com; root {root}; }}\n"


def test_the_images_own_nginx_conf_is_read_where_only_conf_d_is_mounted(world: World) -> None:
    write(world, "conf.d/app.conf", static(SERVERS, "/srv"))
    old = start(world, IN_CONF_D, {"/etc/nginx/nginx.conf": MAIN})
    adoption = look(old)
    assert [site.name for site in adoption.proposal.sites] == [ONE, TWO]
    assert "text/css css;" in adoption.proposal.http
    assert adoption.proposal.sites[0].at.startswith("conf.d/app.conf:"), "the user edits it there"


@pytest.mark.parametrize("running", [True, False])
def test_configuration_in_the_image_is_read(world: World, running: bool) -> None:
    files = {"/etc/nginx/nginx.conf": MAIN, "/etc/nginx/conf.d/app.conf": SERVERS.encode()}
    old = start(world, WITHOUT, files)
    if not running:
        old.fake.runs.clear()
    adoption = look(old)
    assert [site.name for site in adoption.proposal.sites] == [ONE, TWO]
    assert adoption.proposal.sites[0].at.startswith("/etc/nginx/conf.d/app.conf in the container:")


def test_what_an_entrypoint_wrote_is_read(world: World) -> None:
    old = start(world, WITHOUT, {"/etc/nginx/nginx.conf": MAIN})
    old.fake.looks.inside["web"] = {"/etc/nginx/conf.d/made.conf": SERVERS.encode()}
    assert [site.name for site in look(old).proposal.sites] == [ONE, TWO]


def test_a_mount_that_hides_the_images_files_hides_them(world: World) -> None:
    write(world, "conf.d/app.conf", SERVERS)
    old = start(world, IN_CONF_D, {"/etc/nginx/nginx.conf": MAIN, "/etc/nginx/conf.d/default.conf": b"not nginx's {"})
    assert len(look(old).proposal.sites) == 2
    old.fake.runs.clear()
    assert len(look(old).proposal.sites) == 2


def test_what_the_container_has_counts_where_the_host_differs(world: World) -> None:
    write(world, "conf.d/app.conf", SERVERS)
    old = start(world, IN_CONF_D, {"/etc/nginx/nginx.conf": MAIN})
    write(world, "other/app.conf", SERVERS.replace(ONE, "new.example.com"))
    write(world, "docker-compose.yml", IN_CONF_D.replace("./conf.d:", "./other:"))
    adoption = look(old)
    assert adoption.proposal.sites[0].name == ONE
    assert any("other/app.conf" in text and "what it serves" in text for text in texts(adoption, Handling.CHANGED))


def test_a_file_that_was_edited_since_the_last_reload_is_remarked(world: World) -> None:
    write(world, "conf.d/app.conf", SERVERS)
    old = start(world, IN_CONF_D, {"/etc/nginx/nginx.conf": MAIN})
    assert not any("edited" in text for text in texts(look(old), Handling.CHANGED))
    old.fake.looks.edited.add("conf.d/app.conf")
    assert any("conf.d/app.conf: it was edited" in text for text in texts(look(old), Handling.CHANGED))


BUILT = WITHOUT.replace("    image: nginx:1.30\n", "    build: ./web\n")


def test_an_image_that_the_project_builds_is_kept(world: World) -> None:
    html = {"/srv/site/index.html": b"hello", "/etc/nginx/secret.txt": b"ann:x"}
    served = (
        SERVERS + "server { listen 80; server_name s.example.com; root /srv/site; auth_basic_user_file secret.txt; }"
    )
    files = {"/etc/nginx/nginx.conf": MAIN, "/etc/nginx/conf.d/app.conf": served.encode(), **html}
    old = start(world, BUILT, files, image="stack-web")
    adoption = look(old)
    text = adoption.loaded.doc.text
    assert 'image: "stack-web"' in text
    assert "build: ./web" in text
    assert "root /srv/site;" in adoption.proposal.http, "it is in the image, which is kept"
    assert "auth_basic_user_file /etc/nginx/custom/secret.txt;" in adoption.proposal.http
    [kept] = [one for one in adoption.plan.operations if isinstance(one, WriteKept) and one.name == "secret.txt"]
    assert (kept.content, kept.mode) == (b"ann:x", 0o644)
    done(adopt(old.host, adoption))
    assert not old.up(issue=False).plan


def test_files_of_an_image_that_is_replaced_are_copied(world: World) -> None:
    served = SERVERS + "server { listen 80; server_name s.example.com; root /srv/site; }"
    site = {"/srv/site/index.html": b"hello", "/srv/site/css/a.css": b"a {}"}
    files = {"/etc/nginx/nginx.conf": MAIN, "/etc/nginx/conf.d/app.conf": served.encode(), **site}
    old = start(world, BUILT, files, image="stack-web")
    old.fake.images["nginx:1.30"] = ()
    old.fake.looks.files["nginx:1.30"] = {}
    adoption = look(old, proxy_image="nginx:1.30")
    assert "root /etc/nginx/custom/site;" in adoption.proposal.http
    assert [one.source for one in adoption.plan.operations if isinstance(one, CopyFolder)] == ["/srv/site"]
    assert "build:" not in adoption.loaded.doc.text
    done(adopt(old.host, adoption))
    assert (old.root / "nginx/custom/site/css/a.css").read_text() == "a {}"
    assert not old.up(issue=False).plan


MOUNTED = "    volumes:\n      - ./site/static:/srv/site/static:ro\n"


def test_a_folder_that_only_holds_mounts_stays_where_it_is(world: World) -> None:
    write(world, "site/static/a.css", "a {}")
    compose = IN_CONF_D.replace("    volumes:\n", MOUNTED, 1)
    write(world, "conf.d/app.conf", static(SERVERS, "/srv/site"))
    old = start(world, compose, {"/etc/nginx/nginx.conf": MAIN})
    adoption = look(old)
    assert "root /srv/site;" in adoption.proposal.http
    assert not any(isinstance(one, CopyFolder) for one in adoption.plan.operations)


def test_a_folder_with_mounts_and_files_of_an_image_that_is_replaced_is_not_copied(world: World) -> None:
    write(world, "site/static/a.css", "a {}")
    compose = BUILT.replace("    volumes:\n", MOUNTED, 1)
    files = {"/etc/nginx/nginx.conf": MAIN, "/etc/nginx/conf.d/app.conf": static(SERVERS, "/srv/site").encode()}
    old = start(world, compose, {**files, "/srv/site/index.html": b"hello"}, image="stack-web")
    old.fake.images["nginx:1.30"] = ()
    old.fake.looks.files["nginx:1.30"] = {}
    adoption = look(old, proxy_image="nginx:1.30")
    assert not any(isinstance(one, CopyFolder) for one in adoption.plan.operations), "a copy would not follow the mount"
    assert any("root /srv/site" in text for text in texts(adoption, Handling.UNSUPPORTED))


def test_a_folder_below_the_proxys_own_is_copied_with_what_is_mounted_there(world: World) -> None:
    write(world, "files/a.css", "a {}")
    compose = IN_CONF_D.replace("    volumes:\n", "    volumes:\n      - ./files:/etc/nginx/www/files:ro\n", 1)
    write(world, "conf.d/app.conf", static(SERVERS, "/etc/nginx/www"))
    old = start(world, compose, {"/etc/nginx/nginx.conf": MAIN})
    old.fake.looks.inside["web"] = {"/etc/nginx/www/files/a.css": b"a {}"}
    adoption = look(old)
    assert [one.source for one in adoption.plan.operations if isinstance(one, CopyFolder)] == ["/etc/nginx/www"]
    assert not adoption.proposal.remarks_of(Handling.UNSUPPORTED)


def test_a_kept_directive_that_the_proxy_rejects_is_named(world: World) -> None:
    write(world, "conf.d/app.conf", f"not_a_directive on;\n{SERVERS}")
    old = start(world, IN_CONF_D, {"/etc/nginx/nginx.conf": MAIN})
    [error] = adopt(old.host, look(old)).errors
    assert "not_a_directive" in error.message
    assert error.where is not None
    assert error.where.startswith("nginx/custom/http.conf:")


def test_an_image_that_is_not_built_yet_is_named(world: World) -> None:
    write(world, "docker-compose.yml", BUILT.replace("    volumes:", "    volumes:\n      - ./x:/etc/nginx/x", 1))
    with pytest.raises(InputError, match="is not built yet") as caught:
        look(world)
    assert "docker compose build web" in str(caught.value.hint)


def test_an_image_that_is_too_old_names_the_way_out(world: World) -> None:
    write(world, "conf.d/app.conf", SERVERS)
    old = start(world, IN_CONF_D, {"/etc/nginx/nginx.conf": MAIN})
    old.fake.proxy.version = "1.15.12"
    with pytest.raises(InputError, match=r"nginx 1\.15\.12 is too old") as caught:
        look(old)
    assert "stackctl adopt --proxy-image nginx:1.30" in str(caught.value.hint)


@pytest.mark.parametrize("running", [True, False])
def test_certificates_in_a_named_volume_are_taken_over(world: World, running: bool) -> None:
    compose = IN_CONF_D.replace("./data/certbot/conf:", "certs:") + "volumes:\n  certs:\n"
    write(world, "conf.d/app.conf", SERVERS)
    old = start(world, compose, {"/etc/nginx/nginx.conf": MAIN})
    (old.root / "volumes").mkdir()
    (old.root / "data/certbot/conf").rename(old.root / "volumes/certs")
    if not running:
        old.fake.down()
        with pytest.raises(HostError, match="no container mounts it") as caught:
            look(old)
        assert "docker compose create" in str(caught.value.hint)
        return
    adoption = look(old)
    [copied] = [one for one in adoption.plan.operations if isinstance(one, CopyTree)]
    assert copied.source == "the volume certs"
    done(adopt(old.host, adoption))
    live = old.root / f"data/certbot/conf/live/{ONE}/privkey.pem"
    assert live.is_symlink()
    assert (live.resolve().stat().st_mode & 0o777) == 0o600
    assert old.served()[ONE] == "real"
    assert not old.up(issue=False).plan


def test_a_tree_that_the_proxy_mounts_elsewhere_is_found_by_the_paths_of_its_certificates(world: World) -> None:
    compose = IN_CONF_D.replace("./data/certbot/conf:/etc/letsencrypt", "./tls:/certs", 1)
    compose = compose.replace("      - ./data/certbot/conf:/etc/letsencrypt\n", "")
    write(world, "conf.d/app.conf", SERVERS.replace("/etc/letsencrypt/", "/certs/"))
    old = start(world, compose, {"/etc/nginx/nginx.conf": MAIN})
    (old.root / "data/certbot/conf").rename(old.root / "tls")
    adoption = look(old)
    [copied] = [one for one in adoption.plan.operations if isinstance(one, CopyTree)]
    assert copied.source == "tls"
    done(adopt(old.host, adoption))
    assert old.served()[ONE] == "real"
    assert not old.up(issue=False).plan
