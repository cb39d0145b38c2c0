from __future__ import annotations

from dataclasses import replace

from tests.unit.build import container, deployment

UP = container("web")
DOWN = replace(container("web", number=2), state="exited")
OTHER = replace(container("job"), state="exited")
SEEN = deployment(DOWN, UP, OTHER)


def test_the_containers_of_a_service_keep_their_order() -> None:
    assert SEEN.of("web") == (DOWN, UP)
    assert SEEN.of("nothing") == ()
    assert SEEN.of(None) == (), "an upstream outside Compose is no service"


def test_a_service_runs_while_one_of_its_containers_does() -> None:
    assert SEEN.running("web") == UP
    assert SEEN.is_running("web")
    assert SEEN.running("job") is None
    assert not SEEN.is_running("job")


def test_the_best_container_is_one_that_runs() -> None:
    assert SEEN.best("web") == UP
    assert SEEN.best("job") == OTHER
    assert SEEN.best("nothing") is None


def test_what_is_left_without_a_service() -> None:
    assert SEEN.without("web") == deployment(OTHER)
    assert SEEN.services == {"web", "job"}
    assert not deployment()
