"""Every error that a user can see, and its exit code.

StackctlError                 1  something asked for did not happen
├── InputError                2  an option or argument is wrong
├── StackfileError            3  docker-compose.yml is wrong (file:line)
│   └── RequestLoop            3  a site leads back to the proxy
├── EngineError               4  no Docker Engine, no usable Compose, or it refused
│   └── NotReady               4  a service runs, but does not answer yet
├── HostError                 5  the local system prevents it: port in use, disk full, read-only
├── ProxyRejected             6  the proxy refused its configuration; nothing went live
├── IssueFailed               7  the CA did not issue a certificate
├── Locked                    8  another stackctl holds the stack
├── NotServed                 9  the published port does not serve what the stack says
├── DeployFailed             11  a new container did not take the place of the old one, which serves on
└── Interrupted             130  Ctrl-C or SIGTERM

Code 10 belongs to no error: ``plan --check`` ends with it when it finds changes.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit code of the process; documented in docs/reference/exit-codes.md."""

    OK = 0
    FAILED = 1
    INPUT = 2
    STACKFILE = 3
    ENGINE = 4
    HOST = 5
    PROXY_REJECTED = 6
    ISSUE_FAILED = 7
    LOCKED = 8
    NOT_SERVED = 9
    CHANGES = 10  # no error: 'plan --check' found changes
    DEPLOY_FAILED = 11
    INTERRUPTED = 130


class StackctlError(Exception):
    """A message for the user: what is wrong, where, and what to do about it.

    Args:
        message: what is wrong, in one sentence without a full stop.
        where: ``file:line``, or the option that the message is about.
        hint: what to do next.
    """

    code = ExitCode.FAILED

    def __init__(self, message: str, *, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message

    def at(self, where: str) -> StackctlError:
        """Add the place to an error that was raised where it is not known."""
        if self.where is None:
            self.where = where
        return self


class InputError(StackctlError):
    """A value is invalid.

    Args:
        field: the name of that value, such as ``service``; the command line puts its option in ``where``.
    """

    code = ExitCode.INPUT

    def __init__(
        self, message: str, *, where: str | None = None, hint: str | None = None, field: str | None = None
    ) -> None:
        super().__init__(message, where=where, hint=hint)
        self.field = field

    def of(self, field: str) -> InputError:
        """The same error of a field, for values that are parsed where their name is not known."""
        self.field = field
        return self


class StackfileError(StackctlError):
    """The Compose file cannot be read or edited."""

    code = ExitCode.STACKFILE


class RequestLoop(StackfileError):
    """A site's requests would come back to the proxy.

    Args:
        site: the name of the site.
    """

    def __init__(self, message: str, *, site: str, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(message, where=where, hint=hint)
        self.site = site


class EngineError(StackctlError):
    """Docker or Compose is missing, too old, or refused a request.

    Args:
        everywhere: whether the cause affects every service, so that trying the next one is useless.
    """

    code = ExitCode.ENGINE

    def __init__(
        self, message: str, *, where: str | None = None, hint: str | None = None, everywhere: bool = False
    ) -> None:
        super().__init__(message, where=where, hint=hint)
        self.everywhere = everywhere


class NotReady(EngineError):
    """A service runs, but does not answer yet; what depends on it goes on."""


class HostError(StackctlError):
    """The local system prevents it: a port in use, a full disk, a read-only directory."""

    code = ExitCode.HOST


class ProxyRejected(StackctlError):
    """The proxy refused its new configuration; the old one is still live."""

    code = ExitCode.PROXY_REJECTED


class IssueFailed(StackctlError):
    """The CA did not issue a certificate.

    Args:
        lineage: the name of the certificate, if there is one.
        why: the CA's type of problem, or another short reason.
        detail: the message without the two.
    """

    code = ExitCode.ISSUE_FAILED

    def __init__(  # noqa: PLR0913  (the columns of the table of failures)
        self,
        message: str,
        *,
        where: str | None = None,
        hint: str | None = None,
        lineage: str | None = None,
        why: str = "-",
        detail: str = "",
    ) -> None:
        super().__init__(message, where=where, hint=hint)
        self.lineage = lineage
        self.why = why
        self.detail = detail or message


class Locked(StackctlError):
    """Another stackctl holds the lock of this stack."""

    code = ExitCode.LOCKED


class DeployFailed(StackctlError):
    """A new container of a service did not get ready, or a step before it failed."""

    code = ExitCode.DEPLOY_FAILED


class Interrupted(StackctlError):
    """The user pressed Ctrl-C, or the process got SIGTERM."""

    code = ExitCode.INTERRUPTED


class NotServed(StackctlError):
    """The published port does not serve what the stack says."""

    code = ExitCode.NOT_SERVED
