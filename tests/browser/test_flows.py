"""Changes made from the page in Chromium, from the form to what is served."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import FilePayload, Page, expect

from stackctl.certs.given.parts import GivenFile, read_parts
from stackctl.usecases.cert_import import ImportOptions, import_certificate
from stackctl.usecases.cert_remove import remove_imported
from stackctl.usecases.session import exclusive
from tests.authority import Authority
from tests.browser.conftest import Shown
from tests.usecases.world import World, done

pytestmark = pytest.mark.e2e

SHOP = "shop.example.com"
CA = Authority()


def compose(world: World) -> bytes:
    return (world.root / "docker-compose.yml").read_bytes()


def confirmed(page: Page, command: str) -> None:
    """The plan names the command; it is applied, and the browser has gone on."""
    expect(page.get_by_text(command, exact=True)).to_be_visible()
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_text("Done.", exact=True)).to_be_visible()
    page.get_by_role("link", name="Go on").click()


def test_a_site_gets_an_origin_certificate_then_one_of_the_ca_goes_and_comes_back(shown: Shown, tmp_path: Path) -> None:
    twin = shown.world.template(tmp_path / "stack")
    leaf = CA.leaf(SHOP)
    files = {"origin.pem": leaf.pem + CA.middle.pem, "origin.key": leaf.key_pem()}
    shown.errors.clear()
    with shown.page() as page:
        row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name=SHOP))
        page.goto("/add")
        page.keyboard.type(SHOP)
        page.get_by_label("Image", exact=True).fill("three:latest")
        page.keyboard.press("Enter")
        confirmed(page, f"stackctl add-app {SHOP} --image three:latest")
        expect(page.get_by_role("heading", name=SHOP)).to_be_visible()

        page.goto("/certificates")
        page.get_by_label("Domain of the site").fill(SHOP)
        page.get_by_label("Certificate, key and chain").set_input_files(
            [FilePayload(name=name, mimeType="application/x-pem-file", buffer=data) for name, data in files.items()]
        )
        page.get_by_role("button", name="Check it").click()
        assert "PRIVATE KEY" not in page.content()
        confirmed(page, f"stackctl cert import {SHOP} --cert origin.pem --key origin.key")
        mine = row.filter(has_text="Imported")
        expect(mine).to_contain_text("On the wire")

        mine.get_by_role("button", name="Request another").click()
        confirmed(page, f"stackctl cert remove {SHOP}")
        expect(row).to_contain_text("From the CA")

        done(twin.add(SHOP, image="three:latest"))
        parts = read_parts([GivenFile(name, data) for name, data in files.items()], lambda _file: b"")
        done(import_certificate(twin.host, ImportOptions(SHOP), parts))
        done(remove_imported(twin.host, SHOP))
        assert compose(shown.world) == compose(twin)

        page.goto(f"/sites/{SHOP}")
        page.get_by_text("Remove the site").click()
        page.get_by_role("button", name="Show the plan").and_(page.locator(".danger")).click()
        confirmed(page, f"stackctl remove-app {SHOP}")
        expect(page).to_have_url(re.compile("/$"))
        assert SHOP not in shown.world.rows()
        done(twin.remove(SHOP))
        assert compose(shown.world) == compose(twin)

        page.goto("/changes")
        page.get_by_role("button", name="Roll back to entry").first.click()
        expect(page.get_by_text("stackctl rollback")).to_be_visible()
        page.get_by_role("button", name="Apply").click()
        expect(page.get_by_text("Done.", exact=True)).to_be_visible()
        assert SHOP in shown.world.rows()

        page.goto(f"/sites/{SHOP}")
        page.get_by_role("button", name="Deploy").click()
        page.get_by_role("button", name="Apply").click()
        expect(page.get_by_text(re.compile("^(Done|Nothing had to be changed)"))).to_be_visible()
    assert shown.errors == []


def test_a_change_waits_for_another_user_and_outlives_its_browser(shown: Shown) -> None:
    with shown.page() as page, shown.page() as other:
        page.goto("/sites/two.example.com")
        page.get_by_text("Maintenance", exact=True).click()
        page.get_by_label("A sentence for visitors").fill("Back <soon>")
        page.get_by_label("A sentence for visitors").press("Enter")
        expect(page.get_by_role("heading", name="Put two.example.com into maintenance")).to_be_visible()
        before = compose(shown.world)
        with exclusive(shown.world.host, 0):
            other.goto("/")
            expect(other.get_by_text("is running on this stack")).to_be_visible()
            page.get_by_role("button", name="Apply").click()
            expect(page.get_by_text("You can leave this page")).to_be_visible()
            other.reload()
            expect(other.get_by_text("Put two.example.com into maintenance is being applied")).to_be_visible()
            page.context.close()
            assert compose(shown.world) == before
        shown.ui.desk.join()
        other.goto("/sites/two.example.com")
        other.get_by_role("button", name="End maintenance").click()
        confirmed(other, "stackctl maintenance off two.example.com")
    assert compose(shown.world) == before


def test_a_wrong_form_says_why_and_what_was_typed_is_still_there(shown: Shown) -> None:
    before = compose(shown.world)
    with shown.page() as page:
        page.goto("/add")
        page.keyboard.type("bad_name..example")
        page.get_by_label("Image", exact=True).fill("app:latest")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("bad_name..example")
        assert page.url.endswith("/add")
        expect(page.get_by_label("Image", exact=True)).to_have_value("app:latest")
    assert compose(shown.world) == before
