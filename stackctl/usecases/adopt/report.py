"""The payload of ``adopt``: the findings, and how adoption handles them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from stackctl.adopt.proposal import Handling
from stackctl.model.values import Domain
from stackctl.usecases.result import json_name


@dataclass(frozen=True, slots=True)
class AdoptedSite:
    """A site found in the old stack.

    Attributes:
        certificate: the certbot lineage, or the file of the certificate; None if the site has none.
        at: ``file:line``, or the service whose variables define the site.
    """

    name: Domain = field(metadata=json_name("app"))
    aliases: tuple[Domain, ...]
    upstream: str
    certificate: str | None
    not_after: datetime | None
    at: str = field(metadata=json_name("from"))


@dataclass(frozen=True, slots=True)
class AdoptRemark:
    """How adoption handles another finding."""

    handling: Handling = field(metadata=json_name("fate"))
    text: str
    at: str = field(metadata=json_name("from"))


@dataclass(frozen=True, slots=True)
class AdoptDifference:
    """What the new proxy answers differently to one request.

    Attributes:
        what: ``status``, ``body``, or the name of a header.
        expected: whether a remark announces it.
        at: ``file:line`` of the location or the server that was asked.
    """

    request: str
    what: str
    old: str
    new: str
    expected: bool
    at: str = field(metadata=json_name("from"))


@dataclass(frozen=True, slots=True)
class AdoptComparison:
    """The comparison of the old proxy with the new one, which runs next to it for that time.

    Attributes:
        requests: how many requests both were sent.
        not_compared: ``file:line`` of the locations and servers for which there was no request.
        problem: why nothing was compared, or None.
    """

    requests: int
    differences: tuple[AdoptDifference, ...]
    not_compared: tuple[str, ...]
    problem: str | None


@dataclass(frozen=True, slots=True)
class AdoptReport:
    """The findings, and how adoption handles them.

    Attributes:
        comparison: None if the answers of the proxies were not to be compared.
        custom: the files that hold kept directives, below ``folder``.
        diff: the changes to the Compose file.
        stops: whether settings would be lost, and ``force`` is not set.
        replaced: whether the proxy's container is replaced.
        gap_ms: the downtime during the replacement; None if the proxy was not replaced.
    """

    sites: tuple[AdoptedSite, ...]
    remarks: tuple[AdoptRemark, ...]
    custom: tuple[str, ...]
    folder: str
    diff: str
    stops: bool
    replaced: bool
    comparison: AdoptComparison | None = None
    gap_ms: int | None = None
