"""Errors: what is wrong, where, and with which exit code."""

from __future__ import annotations

from stackctl import errors
from stackctl.errors import ExitCode, InputError, StackctlError

KINDS = sorted(
    (kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, StackctlError)),
    key=lambda kind: kind.__name__,
)


def test_an_error_says_where_and_what() -> None:
    assert str(StackctlError("it broke")) == "it broke"
    assert str(StackctlError("it broke", where="f.yml:3")) == "f.yml:3: it broke"


def test_a_place_is_given_once() -> None:
    error = InputError("it broke", hint="mend it")
    assert error.at("--domain") is error
    assert str(error.at("--other")) == "--domain: it broke"
    assert error.hint == "mend it"


def test_every_kind_of_failure_has_an_exit_code_of_its_own() -> None:
    """A special case of an error has the code of that error."""
    codes = [kind.code for kind in KINDS if "code" in vars(kind)]
    assert len(set(codes)) == len(codes)
    assert ExitCode.OK not in {kind.code for kind in KINDS}


def test_every_exit_code_of_a_failure_has_an_error() -> None:
    assert {kind.code for kind in KINDS} == set(ExitCode) - {ExitCode.OK, ExitCode.CHANGES}


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    text = errors.__doc__ or ""
    for kind in KINDS:
        assert f"{kind.__name__} " in text
        assert f" {kind.code.value}  " in text
