"""``adopt`` of a stack whose proxy is HAProxy, on the fake engine."""

from __future__ import annotations

from typing import Any

import pytest

from stackctl.adapters.fakes.haproxy import FakeHaproxy
from stackctl.certs.lineage import read_certificate
from stackctl.errors import ExitCode, InputError
from stackctl.plan.adopt import ImportCertificate, ReplaceProxy, WriteKept
from stackctl.plan.certificates import Issue
from stackctl.usecases.adopt.adoption import Adoption
from stackctl.usecases.adopt.take_over import adopt, undo_adoption
from tests.authority import Authority
from tests.usecases.test_adopt import ONE, certificate, look, write
from tests.usecases.world import World, done

COMPOSE = """\
# Mine.
services:
  edge:
    image: haproxy:3.2
    user: haproxy
    ports: ["80:80", "443:443"]
    volumes:
      - ./ha/haproxy.cfg:MOUNT/haproxy.cfg:ro
      - ./ha/certs:/certs:ro
    environment: {SHOP: one.example.com}
  certbot:
    image: certbot/certbot:v5.6.0
    volumes: ["./letsencrypt:/etc/letsencrypt"]
    entrypoint: /loop.sh
  one:
    image: one:latest
"""
CONF = """\
defaults
  mode http
frontend web
  bind :80
  bind :443 ssl crt /certs/
  acl shop hdr(host) "$SHOP"
  use_backend shop if shop
backend shop
  redirect scheme https code 301 if !{ ssl_fc }
  http-response set-header X-A b
  timeout queue 1m
  server one one:8000 check
"""
MOUNT = "/usr/local/etc/haproxy"


def old(world: World, conf: str | None = CONF, mount: str = MOUNT, *, running: bool = True) -> World:
    """The old stack, with a certificate of certbot's that a script has joined to one file."""
    write(world, "docker-compose.yml", COMPOSE.replace("MOUNT", mount))
    if conf is not None:
        write(world, "ha/haproxy.cfg", conf)
    world.fake.proxy = FakeHaproxy()
    world.fake.images |= {"haproxy:3.2": ()}
    certificate(world)
    tree = world.root / "data/certbot/conf"
    tree.rename(world.root / "letsencrypt")
    join(world, ONE)
    if running:
        world.fake.up([])
    world.fake.ca.issued.clear()
    return world


def join(world: World, name: str) -> None:
    live = world.root / f"letsencrypt/live/{name}"
    write(world, f"ha/certs/{name}.pem", (live / "fullchain.pem").read_text() + (live / "privkey.pem").read_text())


def of(adoption: Adoption, kind: str) -> list[str]:
    return [f"{one.at}: {one.text}" for one in adoption.report().remarks if one.handling == kind]


@pytest.mark.parametrize("mount", [MOUNT, "/etc/haproxy"])
@pytest.mark.parametrize("running", [True, False])
def test_it_is_stackctls_afterwards(world: World, mount: str, running: bool) -> None:
    old(world, mount=mount, running=running)
    before = world.tree()
    adoption = look(world)
    assert world.tree() == before
    assert not any(isinstance(one, Issue | ImportCertificate) for one in adoption.plan.operations)
    (site,) = adoption.report().sites
    assert (site.name, site.upstream, site.certificate) == (ONE, "one:8000", ONE)
    assert of(adoption, "lost") == []
    done(adopt(world.host, adoption))
    assert world.served() == {ONE: "real"}
    assert world.fake.ca.issued == []
    assert (world.root / f"haproxy/custom/{ONE}.cfg").read_text().splitlines()[1:] == [
        "    default-server check",
        "    timeout queue 1m",
    ]
    assert 'headers: {set: {X-A: "b"}}' in world.text
    for word in ("# Mine.", 'proxy: "haproxy"', 'user: "0"', "./ha/certs:/certs:ro", "./haproxy:/etc/haproxy:ro"):
        assert word in world.text
    assert f"{mount}/haproxy.cfg" not in world.text
    assert not running or not world.up(issue=False).plan
    assert not look(world).plan


def test_it_is_given_back(world: World) -> None:
    old(world)
    before = world.tree()
    done(adopt(world.host, look(world)))
    entry = next(one for one in world.host.directory.history.entries() if one.kind == "foreign")
    answer(world)
    undo_adoption(world.host, entry)
    after = world.tree()
    assert {path: after.get(path) for path in before} == before
    assert {run.service.role for run in world.fake.runs.values()} == {None}


def test_a_configuration_where_the_new_one_goes_is_put_back(world: World) -> None:
    old(world)
    write(world, "docker-compose.yml", COMPOSE.replace("./ha/haproxy.cfg:MOUNT", f"./haproxy/haproxy.cfg:{MOUNT}"))
    write(world, "haproxy/haproxy.cfg", CONF)
    world.fake.up([])
    before = world.tree()
    done(adopt(world.host, look(world)))
    assert (world.root / "haproxy/haproxy.cfg").is_symlink()
    answer(world)
    entry = next(one for one in world.host.directory.history.entries() if one.kind == "foreign")
    undo_adoption(world.host, entry)
    after = world.tree()
    assert {path: after.get(path) for path in before} == before


def test_a_refused_configuration_leaves_everything_as_it_was(world: World) -> None:
    old(world, CONF.replace("http-response set-header X-A b", "not_a_directive on"))
    before, started = world.tree(), world.asked("up ")
    result = adopt(world.host, look(world))
    assert result.code is ExitCode.PROXY_REJECTED
    assert "the old stack keeps running" in " ".join(result.notes)
    after = world.tree()
    assert {path: after.get(path) for path in before} == before
    assert world.asked("up ") == started


def test_a_joined_file_that_certbot_has_not_is_imported(world: World) -> None:
    old(world)
    ca = Authority()
    leaf = ca.leaf(ONE)
    pem = leaf.pem + ca.middle.pem + leaf.key_pem()
    write(world, f"ha/certs/{ONE}.pem", pem.decode())
    adoption = look(world)
    (one,) = (one for one in adoption.plan.operations if isinstance(one, ImportCertificate))
    assert read_certificate(one.chain).fingerprint == read_certificate(leaf.pem).fingerprint
    assert b"PRIVATE KEY" not in one.chain
    assert b"CERTIFICATE" not in one.key
    assert any(f"is not the certificate of certbot's {ONE}" in text for text in of(adoption, "changed"))
    assert f'certificate: {{file: "ha/certs/{ONE}.pem", fallback: acme}}' in adoption.loaded.doc.text


def test_a_placeholder_is_no_certificate(world: World) -> None:
    old(world)
    leaf = Authority().leaf("placeholder.example.net")
    write(world, f"ha/certs/{ONE}.pem", (leaf.pem + leaf.key_pem()).decode())
    adoption = look(world)
    (site,) = adoption.report().sites
    assert site.certificate is None


def test_every_handling_of_a_kept_file_is_copied_with_it(world: World) -> None:
    old(world, CONF.replace("http-response set-header X-A b", f"http-request deny if {{ src -f {MOUNT}/bad.lst }}"))
    write(world, "docker-compose.yml", COMPOSE.replace("./ha/haproxy.cfg:MOUNT/haproxy.cfg", f"./ha:{MOUNT}"))
    write(world, "ha/bad.lst", "192.0.2.1\n")
    world.fake.up([])
    kept = {one.name: one.content for one in look(world).plan.operations if isinstance(one, WriteKept)}
    assert kept["bad.lst"] == b"192.0.2.1\n"
    assert b"-f /etc/haproxy/custom/bad.lst" in kept[f"{ONE}.cfg"]


def test_it_stops_at_what_has_no_equivalent(world: World) -> None:
    old(world, CONF.replace("http-response set-header X-A b", "reqrep ^A B"))
    adoption = look(world)
    assert adoption.stops
    assert of(adoption, "lost") == ["ha/haproxy.cfg:10: 'reqrep ^A B': HAProxy has no such line any more"]
    forced = look(world, force=True)
    assert not forced.stops
    assert any(isinstance(one, ReplaceProxy) for one in forced.plan.operations)


@pytest.mark.parametrize(
    ("conf", "cause"),
    [
        (CONF.replace("if shop", "if nobody"), "ha/haproxy.cfg:7: there is no ACL 'nobody'"),
        (CONF.replace("backend shop", "backend"), "ha/haproxy.cfg:8: 'backend' has no name"),
        (None, "the service edge has no configuration of HAProxy"),
    ],
)
def test_a_configuration_that_cannot_be_read_is_named(world: World, conf: str | None, cause: str) -> None:
    with pytest.raises(InputError, match=cause) as error:
        look(old(world, conf, running=conf is not None))
    assert error.value.code is ExitCode.INPUT


def answer(world: World) -> None:
    """The fake knows only stackctl's proxies; the old one answers all the same."""
    fake: Any = world.fake
    shown = world.host.directory.lineage(ONE).certificate
    fake.responds = lambda _: True
    fake.served = lambda _at, names, **_: dict.fromkeys(names, shown)


def test_a_compose_file_that_lost_its_settings_gets_them_back(world: World) -> None:
    old(world)
    done(adopt(world.host, look(world)))
    lines = world.text.replace("    x-stackctl:", "    x-mine:").replace("x-stackctl:", "x-not-stackctl:")
    world.file.write_text(lines)
    adoption = look(world)
    (site,) = adoption.report().sites
    assert (site.name, site.upstream, site.certificate) == (ONE, "one:8000", ONE)
    assert of(adoption, "lost") == []
    done(adopt(world.host, adoption))
    assert world.served() == {ONE: "real"}
    assert not any(isinstance(one, ReplaceProxy) for one in adoption.plan.operations)


HOSTILE = [
    "timeout server 0",
    "timeout connect 99999999999999999999d",
    "cookie 'a b' insert",
    "balance url_param 'a b'",
    "option httpchk GET '/a b' # x",
    "http-check expect rstatus ^2",
    "default-server weight 999 maxconn 0 sni str(a;b) ssl",
    "http-response set-header X-A 'x\\ny: #{}'",
]


@pytest.mark.parametrize("line", HOSTILE)
def test_an_odd_line_is_named_or_kept_and_the_file_stays_good(world: World, line: str) -> None:
    adoption = look(old(world, CONF.replace("http-response set-header X-A b", line)), force=True)
    done(adopt(world.host, adoption))
    assert any(one.at in {"ha/haproxy.cfg:10", "ha/haproxy.cfg:11"} for one in adoption.report().remarks)
    assert not world.up(issue=False).plan


@pytest.mark.parametrize(
    "rule",
    [
        "use_backend shop if { hdr(host) '*.*.example.com' }",
        "use_backend shop if { path_beg '/a b' }",
        "use_backend shop if { path_beg //x }",
        "use_backend shop if { path_beg api }",
        "use_backend shop if { path_reg '([' }",
        "use_backend shop if { hdr(X_A) '~b' }",
        "use_backend shop if { src not-an-address }",
        "use_backend shop if { hdr(host),map(/x) a }",
        "use_backend shop if { path_beg /x } { path_end .php } { src 10.0.0.0/8 }",
        "redirect location http://%[req.hdr(host)]/x if { path /y }",
        "redirect prefix javascript:alert(1) if { hdr(host) b.example.com }",
        "redirect location /x/%[path] code 999 if { hdr(host) b.example.com }",
    ],
)
def test_an_odd_rule_is_named_or_kept_and_the_file_stays_good(world: World, rule: str) -> None:
    conf = CONF.replace("  use_backend shop if shop", f"  {rule}\n  use_backend shop if shop")
    adoption = look(old(world, conf), force=True)
    done(adopt(world.host, adoption))
    assert any(one.at == "ha/haproxy.cfg:7" for one in adoption.report().remarks)
    assert world.served()[ONE] == "real"
    assert not world.up(issue=False).plan


def test_an_old_image_names_the_way_out_and_is_replaced(world: World) -> None:
    old(world)
    world.fake.proxy.version = "1.8.30"
    with pytest.raises(InputError, match=r"HAProxy 1\.8\.30 is too old") as caught:
        look(world)
    assert "stackctl adopt --proxy-image haproxy:3.2" in str(caught.value.hint)


def test_a_container_that_joins_the_files_is_named(world: World) -> None:
    old(world)
    text = (world.root / "docker-compose.yml").read_text()
    write(world, "docker-compose.yml", f"{text}  joiner:\n    image: one:latest\n")
    world.fake.looks.programs = {
        "joiner": "sh -c while :; do cat /le/live/a/fullchain.pem /le/live/a/privkey.pem > /c/a.pem"
    }
    world.fake.up([])
    assert ": the service joiner renews certificates, as stackctl's certbot does: remove it" in of(
        look(world), "changed"
    )


def test_the_files_of_the_running_process_are_read_in_their_order(world: World) -> None:
    old(world, running=False)
    text = COMPOSE.replace("./ha/haproxy.cfg:MOUNT/haproxy.cfg", "./ha:/srv")
    write(world, "docker-compose.yml", text)
    defaults, web = CONF.partition("frontend")[0], CONF.partition("frontend")[2].partition("\nbackend")
    write(world, "ha/main.cfg", defaults)
    write(world, "ha/sites/20.cfg", f"backend{web[2]}")
    write(world, "ha/sites/10.cfg", f"frontend{web[0]}\n")
    write(world, "ha/sites/10.cfg.old", "frontend web\n")
    world.fake.looks.programs = {"edge": "haproxy -W -db -f /srv/main.cfg -f /srv/sites -sf 7"}
    world.fake.up([])
    (site,) = look(world).report().sites
    assert (site.name, site.upstream, site.at) == (ONE, "one:8000", "ha/sites/10.cfg:5")
