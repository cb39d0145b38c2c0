"""The pages Certificates and Add."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from stackctl.ui.door import TOKEN
from stackctl.ui.views import certificates as view
from stackctl.usecases.cert_looks import CertificateRow
from tests.authority import Authority, Made
from tests.ui.conftest import ORIGIN, Browser, text_of
from tests.usecases.world import done

ONE = "one.example.com"
CA = Authority()


def brought(browser: Browser, name: str, *files: tuple[str, bytes], passphrase: str = "") -> str:
    """The page that the form for an import leads to."""
    response = browser.client.post(
        "/change/cert-import",
        data={TOKEN: browser.ui.door.token, "name": name, "passphrase": passphrase},
        files=[("files", file) for file in files],
        headers={"Origin": ORIGIN},
    )
    return str(response.headers["location"]) if response.status_code == 303 else response.text


def pem(leaf: Made) -> bytes:
    return leaf.pem + CA.middle.pem


def test_every_certificate_is_listed_with_its_sites_and_the_orders(browser: Browser) -> None:
    shown = text_of(browser.get("/certificates"))
    for text in ("one.example.com", "www.example.com", "90 days left", "renewed by itself", "On the wire", "Issued"):
        assert text in shown


def test_the_first_to_expire_is_at_the_top_and_broken_ones_above_it() -> None:
    def row(name: str, left: int | None, problem: str | None = None) -> CertificateRow:
        return CertificateRow(name, (name,), "CA", "acme", None, left, True, (), (), problem)

    found = view.lines([row("c", None), row("b", 5), row("a", 90), row("d", 60, "the key does not fit")])
    assert [line.name for line in found] == ["d", "b", "a", "c"]
    assert [line.unused for line in found] == [True] * 4
    orders = [view.Order(datetime(2026, 8, day, tzinfo=UTC), (str(day),), issued=True) for day in range(1, 20)]
    assert [order.names[0] for order in view.latest(orders, 2)] == ["19", "18"]


def test_an_upload_is_checked_planned_and_served(browser: Browser) -> None:
    leaf = CA.leaf(ONE, "www.example.com")
    plan = brought(browser, ONE, ("origin.pem", pem(leaf)), ("origin.key", leaf.key_pem()))
    shown = browser.get(plan)
    assert f"stackctl cert import {ONE} --cert origin.pem --key origin.key" in shown
    assert "PRIVATE KEY" not in shown
    assert "Done." in browser.apply(plan)
    assert "certificate: imported" in (browser.world.root / "docker-compose.yml").read_text()
    assert "Imported" in browser.get("/certificates")


def test_a_pkcs12_file_needs_its_passphrase(browser: Browser) -> None:
    leaf = CA.leaf(ONE, "www.example.com")
    key = serialization.load_pem_private_key(leaf.key_pem(), None)
    sealed = serialization.BestAvailableEncryption(b"secret")
    bundle = pkcs12.serialize_key_and_certificates(b"x", key, leaf.certificate, [CA.middle.certificate], sealed)  # type: ignore[arg-type]
    assert "is encrypted" in brought(browser, ONE, ("origin.p12", bundle))
    plan = brought(browser, ONE, ("origin.p12", bundle), passphrase="secret")
    shown = browser.get(plan)
    assert f"stackctl cert import {ONE} --pkcs12 origin.p12" in shown
    assert "secret" not in shown


@pytest.mark.parametrize(
    ("name", "files", "text"),
    [
        ("", [("a.pem", b"x")], "has no name"),
        (ONE, [], "no file was chosen"),
        (ONE, [("<b>.pem", b"nothing")], "&lt;b&gt;.pem"),
    ],
)
def test_a_wrong_upload_is_refused(browser: Browser, name: str, files: list[tuple[str, bytes]], text: str) -> None:
    before = browser.world.tree()
    assert text in brought(browser, name, *files)
    assert browser.world.tree() == before


def test_a_certificate_can_be_renewed_and_an_unused_one_deleted(browser: Browser) -> None:
    assert "renew --force one.example.com" in browser.get("/certificates")
    issued = len(browser.world.fake.ca.issued)
    assert "Done." in browser.apply(browser.plan("advice", command=f"renew --force {ONE}"))
    assert len(browser.world.fake.ca.issued) == issued + 1
    done(browser.world.remove("two.example.com"))
    assert "cert retire two.example.com" in browser.get("/certificates")
    assert "Done." in browser.apply(browser.plan("advice", command="cert retire two.example.com"))
    assert "two.example.com" not in browser.get("/certificates").partition("Requests to the CA")[0]


@pytest.mark.parametrize(
    ("fields", "command"),
    [
        (
            {
                "kind": "image",
                "image": "three:latest",
                "port": "8000",
                "aliases": "www.three.example.com",
                "env": "A=b c",
            },
            "--alias www.three.example.com --image three:latest --port 8000 --env 'A=b c'",
        ),
        ({"kind": "outside", "upstream": "192.0.2.1:8000", "image": "left:over"}, "--upstream 192.0.2.1:8000"),
        ({"kind": "service", "service": "one"}, "--service one"),
    ],
)
def test_a_site_is_added_as_its_command_adds_it(browser: Browser, fields: dict[str, str], command: str) -> None:
    plan = browser.plan("add", domain="three.example.com", **fields)
    shown = browser.get(plan).replace("&#39;", "'")
    assert f"stackctl add-app three.example.com {command}" in shown
    done_page = browser.apply(plan)
    assert "Done." in done_page, text_of(done_page)
    assert "three.example.com" in browser.get("/sites/three.example.com")


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "nothing answers"),
        ({"kind": "image"}, "the image is missing"),
        ({"kind": "image", "image": "x y"}, "x y"),
        ({"kind": "image", "image": "three:latest", "port": "http"}, "is not a port"),
        ({"kind": "image", "image": "three:latest", "env": "nothing"}, "nothing"),
        ({"kind": "outside", "upstream": "<b>:1"}, "&lt;b&gt;"),
        ({"kind": "service", "service": "one", "domain": "<b>.example.com"}, "&lt;b&gt;"),
    ],
)
def test_a_wrong_form_is_refused_and_leads_back(browser: Browser, fields: dict[str, str], text: str) -> None:
    data = {TOKEN: browser.ui.door.token, "domain": "three.example.com", **fields}
    headers = {"Origin": ORIGIN, "Referer": f"{ORIGIN}/add"}
    response = browser.client.post("/change/add", data=data, headers=headers)
    assert response.status_code == 400
    assert text in response.text
    assert 'href="/add"' in response.text


def test_the_form_names_the_services_and_a_page_that_only_shows_has_none(browser: Browser) -> None:
    shown = browser.get("/add")
    assert "<option>one</option>" in shown
    assert "<option>nginx</option>" not in shown
    assert "<form" not in Browser(browser.world, write=False).get("/add")


def test_a_site_is_removed_as_its_command_removes_it(browser: Browser) -> None:
    plan = browser.plan("remove-app", name="two.example.com", **{"keep-service": "1"})
    assert "stackctl remove-app two.example.com --keep-service" in browser.get(plan)
    assert "Done." in browser.apply(plan)
    assert "two.example.com" not in browser.world.rows()
    assert "two" in (browser.world.root / "docker-compose.yml").read_text()
    assert browser.post("/change/remove-app", name="<b>").status_code == 400
