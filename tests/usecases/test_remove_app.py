from __future__ import annotations

import pytest

from stackctl.errors import InputError
from tests.usecases.world import World, done


def names(world: World) -> set[str]:
    return {run.service.name for run in world.fake.runs.values()}


def test_remove_app_is_the_inverse_of_add_app(stack: World) -> None:
    before, live = stack.text, stack.live()
    done(stack.add("one.example.com"))
    done(stack.remove("one.example.com"))
    assert stack.text == before
    assert stack.live() == live
    assert names(stack) == {"nginx", "certbot"}
    assert stack.fake.loaded == {}


def test_the_certificate_stays_and_is_used_again(site: World) -> None:
    done(site.remove("one.example.com"))
    assert "one.example.com" in site.host.directory.lineages()
    done(site.add("one.example.com"))
    assert site.served() == {"one.example.com": "real"}
    assert len(site.fake.ca.issued) == 1


def test_the_certificate_goes_where_that_is_asked(site: World) -> None:
    done(site.remove("one.example.com", delete_cert=True))
    assert site.host.directory.lineages() == {}
    assert site.fake.proxy_test("live").code == 0


def test_a_service_that_the_user_wrote_stays_and_goes_on_running(stack: World) -> None:
    text = stack.text + "\n  two:\n    # ours\n    image: two:latest\n"
    stack.file.write_text(text)
    done(stack.add("two.example.com"))
    result = done(stack.remove("two.example.com"))
    assert stack.text == text
    assert names(stack) == {"nginx", "certbot", "two"}
    service, certificate = result.notes
    assert service == "the service two keeps running"
    assert "stackctl cert retire two.example.com" in certificate


def test_a_service_is_kept_running_where_that_is_asked(site: World) -> None:
    done(site.remove("one.example.com", keep_service=True))
    assert names(site) == {"nginx", "certbot", "one"}
    assert "one:latest" in site.text
    assert site.rows() == {}
    assert not site.up().plan


def test_a_shared_service_stays_for_its_other_site(site: World) -> None:
    before = site.text
    done(site.add("shop.example.com", service="one"))
    done(site.remove("shop.example.com"))
    assert site.text == before
    assert site.served() == {"one.example.com": "real"}
    assert "one" in names(site)


def test_the_first_site_of_a_shared_service_goes_and_the_second_stays(site: World) -> None:
    done(site.add("shop.example.com", service="one"))
    done(site.remove("one.example.com"))
    assert site.served() == {"shop.example.com": "real"}
    assert "one" in names(site)
    assert not site.up().plan


@pytest.mark.parametrize(
    ("more", "user"),
    [
        ("apps:\n    - domains: [far.example.com]\n      upstreams: [two:3000, one:8000]\n", "far.example.com"),
        ("apps:\n    - domains: [far.example.com]\n      upstream: one:8000\n", "far.example.com"),
        ("streams:\n    - {listen: 5432, upstream: 'one:8000'}\n", "the stream 5432"),
    ],
)
def test_a_service_stays_while_it_is_an_upstream(site: World, more: str, user: str) -> None:
    done(site.add("two.example.com"))
    site.edit("\nx-stackctl:\n", f"\nx-stackctl:\n  {more}")
    done(site.up())
    result = done(site.remove("one.example.com"))
    assert f"the service one keeps running, for {user}" in result.notes
    assert names(site) == {"nginx", "certbot", "one", "two"}
    assert "one:latest" in site.text
    assert "[one.example.com]" not in site.text
    assert not site.up().plan


def test_an_upstream_outside_compose_is_taken_from_the_list(stack: World) -> None:
    before = stack.text
    for number in (1, 2, 3):
        done(stack.add(f"a{number}.example.com", upstream=f"10.0.0.{number}:80"))
    done(stack.remove("a2.example.com"))
    assert set(stack.rows()) == {"a1.example.com", "a3.example.com"}
    done(stack.remove("a1.example.com"))
    done(stack.remove("a3.example.com"))
    assert stack.text == before


def test_the_others_are_served_all_along(site: World) -> None:
    done(site.add("two.example.com"))
    shown = site.fake.loaded["two.example.com"]
    done(site.remove("one.example.com"))
    assert site.fake.loaded == {"two.example.com": shown}


def test_an_alias_alone_cannot_be_removed(stack: World) -> None:
    done(stack.add("one.example.com", "www.example.com"))
    before = stack.tree()
    with pytest.raises(InputError, match=r"alias of one\.example\.com"):
        stack.remove("www.example.com")
    assert stack.tree() == before


def test_what_is_not_routed_is_no_error(stack: World) -> None:
    before = stack.tree()
    result = done(stack.remove("none.example.com"))
    assert result.notes == ("none.example.com is not routed",)
    assert stack.tree() == before


def test_after_remove_app_up_has_nothing_to_do(site: World) -> None:
    done(site.remove("one.example.com"))
    assert str(site.up().plan) == ""


def test_up_after_remove_app_is_of_the_same_mind_about_a_foreign_service(stack: World) -> None:
    stack.file.write_text(stack.text + "\n  two:\n    image: two:latest\n")
    done(stack.add("two.example.com"))
    done(stack.remove("two.example.com"))
    assert not stack.up().plan
