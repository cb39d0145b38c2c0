"""docs/reference/exit-codes.md lists the codes there are, and their errors."""

from __future__ import annotations

from stackctl.errors import ExitCode, StackctlError
from tests.docs.pages import REFERENCE, Page

TABLE = Page(REFERENCE / "exit-codes.md").table("Exit codes")


def test_every_code_is_listed_once_and_in_order() -> None:
    assert [int(row[0]) for row in TABLE] == sorted(ExitCode)


def test_every_error_is_listed_with_its_code() -> None:
    kinds: list[type[StackctlError]] = [StackctlError, *StackctlError.__subclasses__()]
    errors = {kind.__name__: kind.code for kind in kinds}
    listed = {name: ExitCode(int(row[0])) for row in TABLE for name in row[1].split(", ") if name != "-"}
    assert listed == errors
