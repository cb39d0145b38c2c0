"""A changed ``email`` reaches the CA once, by certbot's account."""

from __future__ import annotations

from stackctl.plan.contact import UpdateContact
from tests.usecases.world import World, done


def updates(world: World) -> list[str | None]:
    return [one.email for one in world.up().plan.operations if isinstance(one, UpdateContact)]


def test_it_reaches_the_ca_once(site: World) -> None:
    assert updates(site) == []
    site.edit("ops@example.com", "new@example.com")
    assert updates(site) == ["new@example.com"]
    assert site.asked("contact") == ["contact new@example.com"]
    assert not site.up().plan


def test_a_removed_address_is_removed_there(site: World) -> None:
    text = (site.root / "docker-compose.yml").read_text()
    (line,) = [line for line in text.splitlines() if line.startswith("  email:")]
    site.edit(f"{line}\n", "")
    assert updates(site) == [None]
    assert site.asked("contact") == ["contact none"]


def test_it_is_repeated_until_the_ca_has_it(site: World) -> None:
    site.edit("ops@example.com", "bad@example.com")
    site.fake.faults.issue["bad@example.com"] = "invalidContact"
    (error,) = site.up().errors
    assert "the CA has the contact address of before: invalidContact" in str(error)
    site.edit("bad@example.com", "good@example.com")
    assert updates(site) == ["good@example.com"]
    assert not site.up().plan


def test_without_an_account_there_is_nobody_to_tell(world: World) -> None:
    done(world.init())
    world.edit("ops@example.com", "new@example.com")
    assert updates(world) == []


def test_a_rollback_takes_it_back(site: World) -> None:
    site.edit("ops@example.com", "new@example.com")
    done(site.up())
    done(site.rollback())
    assert site.asked("contact") == ["contact new@example.com", "contact ops@example.com"]
