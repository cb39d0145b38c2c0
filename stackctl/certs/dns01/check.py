"""Check, without a CA, that the records of names can be written and are seen: a program for the certbot container.

It reads a specification as JSON from its standard input, and prints each finding as one line of JSON.
"""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from stackctl.certs.dns01 import watch
from stackctl.certs.dns01.provider import Value, Writer, missing, without_display
from stackctl.certs.dns01.settings import record_name, zone_for, zones
from stackctl.certs.dns01.zones import DnsProblem, Place, Zone, place_of

_AT_ONCE = 16
_DELETED_SECONDS = 30.0
"""How long a deletion is looked for: nothing depends on it."""

OK, WRONG, WARNING = "ok", "wrong", "warning"
"""A finding is good; it makes an order fail; it does not, but ought to be corrected."""

Finding = tuple[str, str, str, str]
"""A step, its verdict, a sentence, and what to do."""


def main() -> int:
    """Check all names of the specification: ``names``, and ``write`` if a record is to be written.

    Names that share a record are checked once; each finding has the first of them.
    """
    spec = json.load(sys.stdin)
    known = zones()
    names: dict[str, str] = {}
    for name in spec["names"]:
        names.setdefault(record_name(name), name)
    without_display()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for name, found in pool.map(lambda one: (one, _all(one, known, write=spec["write"])), names.values()):
            for step, verdict, text, todo in found:
                finding = {"name": name, "step": step, "verdict": verdict, "text": text, "todo": todo}
                print(json.dumps(finding), flush=True)  # noqa: T201  (read by the host)
    return 0


def _all(name: str, known: dict[str, Any], *, write: bool) -> list[Finding]:
    found: list[Finding] = []
    try:
        found += examine(name, zone_for(name, known), write=write)
    except DnsProblem as problem:
        found.append(("zone", WRONG, problem.text, problem.todo))
    return found


def examine(name: str, zone: dict[str, Any], *, write: bool) -> Iterator[Finding]:
    """Yield the findings about the record of ``name``, in the order in which one depends on another."""
    record = record_name(name)
    try:
        place = place_of(record)
    except DnsProblem as problem:
        yield "zone", WRONG, problem.text, problem.todo
        return
    there = f"{record} is in the zone {place.zone.name}"
    if place.chain:
        there = f"{record} is an alias of {' -> '.join(place.chain)}, in the zone {place.zone.name}"
    alias = zone.get("alias")
    if alias and place.record != alias:
        yield "zone", WRONG, f"{there}, and not an alias of {alias}", f"set the record: {record}. CNAME {alias}."
        return
    yield "zone", OK, there, ""
    yield _delegation(place.zone)
    nothing = watch.look(place.zone, place.record, "", there=False)
    yield _servers(place.zone, nothing)
    if not (nothing.right or nothing.old):
        return
    lack = missing(zone)
    if lack is not None:
        yield "write", WRONG, lack.text, lack.todo
    elif write:
        yield from _write(name, zone, place)


def _delegation(zone: Zone) -> Finding:
    if not zone.parents:
        return "delegation", WARNING, f"the servers above {zone.name} do not say who serves it", ""
    only = [
        f"only at the parent: {', '.join(sorted(zone.parents - zone.own))}" if zone.parents - zone.own else "",
        f"only in the zone: {', '.join(sorted(zone.own - zone.parents))}" if zone.own - zone.parents else "",
    ]
    if zone.parents == zone.own:
        return "delegation", OK, f"the parent delegates {zone.name} to {', '.join(sorted(zone.own))}", ""
    text = f"the name servers of {zone.name} at the parent differ from the zone's: {'; '.join(filter(None, only))}"
    return "delegation", WARNING, text, "give the registrar the zone's own NS records, or correct those"


def _servers(zone: Zone, found: watch.Look) -> Finding:
    lame = ", ".join(f"{server}: {why}" for server, why in found.lame)
    if not (found.right or found.old):
        return "servers", WRONG, f"no name server serves the zone {zone.name}: {lame}", "start them, or the delegation"
    if lame:
        verb = "does" if len(found.lame) == 1 else "do"
        text = f"{len(found.lame)} of {len(zone.servers)} name servers {verb} not serve the zone {zone.name}: {lame}"
        return "servers", WARNING, text, "let them serve it, or remove them from its NS records and from the parent"
    return "servers", OK, f"all {len(zone.servers)} addresses of its name servers serve it", ""


def _write(name: str, zone: dict[str, Any], place: Place) -> Iterator[Finding]:
    writer, value = Writer(zone), Value.of(f"stackctl-test-{secrets.token_urlsafe(12)}")
    try:
        writer.add(name, place, value)
    except DnsProblem as problem:
        yield "write", WRONG, problem.text, problem.todo
        return
    yield "write", OK, f"{zone['provider']} wrote a test record", ""
    found, took = watch.wait(place.zone, place.record, value.text, float(zone["patience"]))
    if found.done:
        yield "seen", OK, f"all {len(found.right)} servers answered it after {took:.1f} s", ""
    else:
        todo = "look at the zone transfers to these servers, or give them more time with 'propagation'"
        yield "seen", WRONG, f"{found.missing()} after {took:.0f} s", todo
    problem_of_removal = writer.remove(name, place, value)
    gone, _ = watch.wait(place.zone, place.record, value.text, _DELETED_SECONDS if found.done else 0.0, there=False)
    if problem_of_removal or (found.done and not gone.done):
        why = problem_of_removal or gone.missing()
        yield "delete", WARNING, f"the test record was not deleted: {why}", f"delete the TXT record {place.record}"
    elif found.done:
        yield "delete", OK, "the test record was deleted", ""


if __name__ == "__main__":
    raise SystemExit(main())
