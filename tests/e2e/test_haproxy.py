"""HAProxy as the proxy of a stack: the same file, certificates and promises as with nginx."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import NewStack
from tests.e2e.helpers import HAPROXY_IMAGE, Stack

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def shop(new_stack: NewStack) -> tuple[Stack, str]:
    """A stack with HAProxy and one app, for all tests of this module."""
    stack = new_stack()
    stack.init("--proxy", "haproxy", nginx=HAPROXY_IMAGE)
    return stack, stack.add("shop")


def test_an_app_is_served_with_its_certificate(shop: tuple[Stack, str]) -> None:
    stack, name = shop
    reply = stack.https(name, "/x?y=1")
    assert reply.status == 200
    assert stack.http(name).status == 301
    assert stack.fails(0, "plan").stdout.count("nothing to do") == 1
