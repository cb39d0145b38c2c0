"""``trust --service`` edits a service so that it trusts the stack's own CA, and ``untrust`` takes that back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from stackctl.adapters.trust_stores import TrustStores
from stackctl.errors import InputError, StackfileError
from stackctl.usecases.init import InitOptions
from stackctl.usecases.trust import print_root, trust, trust_in, untrust
from tests.usecases.world import World, done

APP = "one.localhost"
BUNDLE = Path("data/ca/trust/bundle.pem")
ROOT = Path("data/ca/local/root.pem")


@pytest.fixture
def local(world: World) -> World:
    done(world.init(replace(InitOptions(), ca="local")))
    done(world.add(APP))
    return world


def text(world: World) -> str:
    return (world.root / "docker-compose.yml").read_text()


@pytest.mark.parametrize(
    "environment", ["", "    environment:\n      COLOR: red\n", "    environment:\n      - COLOR=red\n"]
)
def test_a_service_trusts_it_and_is_as_before_without(local: World, environment: str) -> None:
    local.edit('    image: "one:latest"\n', f'    image: "one:latest"\n{environment}')
    done(local.up())
    before = text(local)
    done(trust_in(local.host, ["one"]))
    assert f"./{BUNDLE.parent}:/etc/stackctl/trust:ro" in text(local)
    assert text(local).count("/etc/stackctl/trust/bundle.pem") == 3
    assert (local.root / BUNDLE).read_bytes().endswith((local.root / ROOT).read_bytes())
    assert not trust_in(local.host, ["one"]).plan
    assert not local.up().plan
    done(trust_in(local.host, ["one"], remove=True))
    assert text(local) == before


def test_what_it_writes_into_a_service_of_stackctls_is_no_edit_by_hand(local: World) -> None:
    done(trust_in(local.host, ["nginx"]))
    before = text(local)
    local.report.notes.clear()
    done(local.init(InitOptions(ca="local")))
    assert not [note for note in local.report.notes if "edited by hand" in note]
    assert text(local) == before


def test_a_new_root_reaches_the_services(local: World) -> None:
    done(trust_in(local.host, ["one"]))
    done(local.init(replace(InitOptions(), new_root=True)))
    assert (local.root / ROOT).read_bytes() in (local.root / BUNDLE).read_bytes()
    assert not local.up().plan


def test_the_bundle_is_there_on_a_server_without_a_local_ca(local: World) -> None:
    done(trust_in(local.host, ["one"]))
    local.edit('ca: "local"\n', "ca: letsencrypt\n  agree-tos: true\n")
    (local.root / BUNDLE).unlink()
    (local.root / ROOT).unlink()
    (local.root / "data/ca/local/issuer.pem").unlink()
    local.up()
    assert (local.root / BUNDLE).exists()


def test_what_is_in_the_way_is_named(local: World) -> None:
    local.edit('    image: "one:latest"\n', '    image: "one:latest"\n    environment:\n      SSL_CERT_FILE: /x.pem\n')
    before = text(local)
    with pytest.raises(StackfileError, match="SSL_CERT_FILE already"):
        trust_in(local.host, ["one"])
    with pytest.raises(InputError, match="no service nope"):
        trust_in(local.host, ["nope"])
    assert text(local) == before


def test_a_stack_without_a_local_ca_has_no_root(site: World) -> None:
    with pytest.raises(InputError, match="no local CA"):
        print_root(site.host)
    with pytest.raises(InputError, match="no local CA"):
        trust(site.host, TrustStores((), ()))
    assert untrust(site.host, TrustStores((), ())).payload.root is None


def test_the_root_is_printed(local: World) -> None:
    assert print_root(local.host).payload.certificate == (local.root / ROOT).read_text()
