"""A new service has the variables and mounts that it is given."""

from __future__ import annotations

from typing import Any

import pytest

from stackctl.errors import InputError
from stackctl.model import service_values
from tests.usecases.world import World, done

TWO = "two.example.com"


def test_variables_and_mounts_are_written_as_compose_reads_them(stack: World) -> None:
    mounts = ("data:/var/lib/two", "./config:/etc/two:ro")
    done(stack.add(TWO, env=("LEVEL=info", "PRICE=5$"), volume=mounts))
    assert (
        '    environment:\n      LEVEL: "info"\n      PRICE: "5$$"\n'
        '    volumes:\n      - "data:/var/lib/two"\n      - "./config:/etc/two:ro"\n'
    ) in stack.text
    assert "volumes:\n  data:\n" in stack.text
    assert not stack.add(TWO, env=("PRICE=5$",), volume=("data:/var/lib/two",)).plan
    with pytest.raises(InputError, match="not with LEVEL=debug") as caught:
        stack.add(TWO, env=("LEVEL=debug",))
    assert caught.value.where == stack.line_of("environment:")


def test_a_volume_that_is_there_is_not_written_again(stack: World) -> None:
    done(stack.add(TWO, volume=("data:/var/lib/two",)))
    done(stack.add("three.example.com", volume=("data:/var/lib/three",), port=80))
    assert stack.text.count("\n  data:\n") == 1


@pytest.mark.parametrize("field", ["env", "volume"])
def test_an_existing_service_and_an_upstream_have_none(stack: World, field: str) -> None:
    given: dict[str, Any] = {field: ("data:/x" if field == "volume" else "A=b",)}
    stack.file.write_text(stack.text + "\n  two:\n    image: two:latest\n")
    with pytest.raises(InputError, match="already exists"):
        stack.add(TWO, **given)
    with pytest.raises(InputError, match="cannot be combined") as caught:
        stack.add("far.example.com", upstream="10.0.0.5:80", **given)
    assert caught.value.field == field


@pytest.mark.parametrize("text", ["", "A", "=b", "1A=b", "A B=c", "A=\0"])
def test_what_is_no_variable_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        service_values.variable(text)


@pytest.mark.parametrize(
    "text",
    ["", "data", "data:", "data:x", ":/x", "data:/x:rx", "data:/x:ro:z", "da ta:/x", "config/x:/etc", "a\0:/x"],
)
def test_what_is_no_mount_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        service_values.mount(text)


def test_values_are_kept_as_they_are() -> None:
    assert service_values.variable("URL=postgres://a:b@db/x?y=z") == ("URL", "postgres://a:b@db/x?y=z")
    assert service_values.mount("data:/x") == ("data:/x", "data")
    assert service_values.mount("/srv/x:/x:rw") == ("/srv/x:/x:rw", None)
