"""The metrics: their names, and the text that Prometheus reads (its exposition format 0.0.4).

The loop in the certbot container has no ``prometheus_client``, so the text is written here for it and for
``stackctl metrics``: one place for the names, and for their form.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Family(NamedTuple):
    """Metrics with one name. Dates are seconds since 1970; a state is 0 or 1."""

    name: str
    kind: str
    help: str
    labels: tuple[str, ...] = ()


class Sample(NamedTuple):
    """One value of a family, with a value for each of its labels."""

    family: Family
    value: float
    labels: tuple[str, ...] = ()


_GAUGE, _COUNTER = "gauge", "counter"

BUILD = Family("stackctl_build_info", _GAUGE, "The version of stackctl that wrote this, always 1.", ("version",))
LAST_RUN = Family("stackctl_last_run_timestamp_seconds", _GAUGE, "When these metrics were collected.")
NOT_AFTER = Family(
    "stackctl_certificate_not_after_timestamp_seconds",
    _GAUGE,
    "When a certificate on disk expires.",
    ("name", "source"),
)
RENEWAL_DUE = Family(
    "stackctl_certificate_renewal_due_timestamp_seconds",
    _GAUGE,
    "From when on a certificate on disk is to be renewed: a third of its life before its end, half if that is short.",
    ("name",),
)
RENEWAL_FAILED = Family(
    "stackctl_certificate_renewal_failed",
    _GAUGE,
    "Whether the last round of the renewal loop could not renew a certificate.",
    ("name",),
)
SERVED_NOT_AFTER = Family(
    "stackctl_certificate_served_not_after_timestamp_seconds",
    _GAUGE,
    "When the certificate expires that a TLS handshake with a site shows.",
    ("name",),
)
ON_WIRE = Family(
    "stackctl_certificate_on_wire",
    _GAUGE,
    "Whether a TLS handshake with a site shows a current certificate of the disk.",
    ("name",),
)
LOOP_RUN = Family("stackctl_loop_last_run_timestamp_seconds", _GAUGE, "When the last round of a loop ended.", ("loop",))
LOOP_SUCCESS = Family(
    "stackctl_loop_last_success_timestamp_seconds", _GAUGE, "When a round of a loop last succeeded.", ("loop",)
)
GENERATION = Family(
    "stackctl_generation_info",
    _GAUGE,
    "The generation of the proxy's files on disk, and the one that answers, always 1.",
    ("live", "served"),
)
SITES = Family("stackctl_sites", _GAUGE, "The sites of the Compose file.")
PARKED = Family("stackctl_sites_parked", _GAUGE, "The sites that were taken out as the proxy rejected their files.")
UPSTREAM_UP = Family(
    "stackctl_upstream_up", _GAUGE, "Whether a server of a site can take requests.", ("site", "upstream")
)
RESPONSES = Family(
    "stackctl_site_responses_total", _COUNTER, "Responses of a site by the class of their status.", ("site", "class")
)
ORDERS_LEFT = Family("stackctl_ca_orders_left", _GAUGE, "The orders that the account may place at the CA now.", ("ca",))
ATTEMPTS = Family(
    "stackctl_ca_orders_recorded",
    _GAUGE,
    "The orders of the last eight days in the ledger, by their result.",
    ("ca", "result"),
)
CHANGES = Family(
    "stackctl_changes_recorded", _GAUGE, "The entries of the history by their kind; a failed deploy is one.", ("kind",)
)
OLD_WORKERS = Family(
    "stackctl_proxy_old_workers", _GAUGE, "The workers of the proxy that end what they began before a reload."
)
ALERTS_FAILING = Family(
    "stackctl_alert_receivers_failing", _GAUGE, "The receivers of alerts that did not take the last message."
)

FAMILIES = (
    BUILD,
    LAST_RUN,
    NOT_AFTER,
    RENEWAL_DUE,
    RENEWAL_FAILED,
    SERVED_NOT_AFTER,
    ON_WIRE,
    LOOP_RUN,
    LOOP_SUCCESS,
    GENERATION,
    SITES,
    PARKED,
    UPSTREAM_UP,
    RESPONSES,
    ORDERS_LEFT,
    ATTEMPTS,
    CHANGES,
    OLD_WORKERS,
    ALERTS_FAILING,
)
"""All metrics, in the order in which they are written."""


def exposition(stack: str, samples: Iterable[Sample]) -> str:
    """Return the text of all samples; of two with the same name and labels the last one counts.

    ``stack`` is the label of each: a collector on the host may read the files of several stacks.
    """
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for sample in samples:
        found.setdefault(sample.family.name, {})[sample.labels] = sample.value
    lines = []
    for family in FAMILIES:
        rows = found.get(family.name)
        if rows is None:
            continue
        lines += [f"# HELP {family.name} {family.help}", f"# TYPE {family.name} {family.kind}"]
        lines += [f"{family.name}{_labels(stack, family, values)} {_number(rows[values])}" for values in sorted(rows)]
    return "".join(f"{line}\n" for line in lines)


def _labels(stack: str, family: Family, values: tuple[str, ...]) -> str:
    pairs = zip(("stack", *family.labels), (stack, *values))  # noqa: B905  (Python 3.9)
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in pairs) + "}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))
