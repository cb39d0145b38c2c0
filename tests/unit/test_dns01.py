"""The authenticator for DNS-01: its DNS client, the search for zones, and what it says of a provider's refusals."""

from __future__ import annotations

import json
import os
import socketserver
import struct
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import pytest

from stackctl.certs.dns01 import check, client, prove, provider, settings, watch, zones
from stackctl.certs.dns01.client import Unanswered
from stackctl.certs.dns01.provider import Value, Writer
from stackctl.certs.dns01.zones import DnsProblem, Place, Server, Zone

Records = dict[tuple[str, str], list[str]]
"""By name and kind: the texts of the records."""

SOA = ["ns.example.net. nobody.example.net. 1 2 3 4 5"]
TREE: Records = {
    ("test", "SOA"): SOA,
    ("test", "NS"): ["ns.test."],
    ("ns.test", "A"): ["127.0.0.1"],
    ("example.test", "SOA"): SOA,
    ("example.test", "NS"): ["ns.test."],
    ("_acme-challenge.alias.example.test", "CNAME"): ["end.acme.test."],
    ("_acme-challenge.round.example.test", "CNAME"): ["_acme-challenge.trip.example.test."],
    ("_acme-challenge.trip.example.test", "CNAME"): ["_acme-challenge.round.example.test."],
    ("acme.test", "SOA"): SOA,
    ("acme.test", "NS"): ["ns.test."],
    ("end.acme.test", "TXT"): ['"one" "two"', '"three"'],
}


def answered(records: Records, query: dns.message.Message) -> dns.message.Message:
    """What a server with all zones of ``records`` answers; it is authoritative for each, and follows CNAME records."""
    question = query.question[0]
    name, kind = question.name.to_text(omit_final_dot=True).lower(), dns.rdatatype.to_text(question.rdtype)
    response = dns.message.make_response(query)
    response.flags |= dns.flags.AA
    for at in (kind, "CNAME"):
        if (name, at) in records:
            rdtype = dns.rdatatype.from_text(at)
            found = dns.rrset.from_text(question.name, 5, dns.rdataclass.IN, rdtype, *records[name, at])
            response.answer.append(found)
            return response
    if not any(owner == name or owner.endswith(f".{name}") for owner, _ in records):
        response.set_rcode(dns.rcode.NXDOMAIN)
    zone = next((part for part in _above(name) if (part, "SOA") in records), None)
    if zone is not None:
        soa = dns.rrset.from_text(f"{zone}.", 5, dns.rdataclass.IN, dns.rdatatype.SOA, *records[zone, "SOA"])
        response.authority.append(soa)
    return response


def _above(name: str) -> Iterator[str]:
    while name:
        yield name
        name = name.partition(".")[2]


@contextmanager
def server(answer: Callable[[bytes], bytes | None], stream: Callable[[bytes], bytes] | None = None) -> Iterator[int]:
    """A server on 127.0.0.1 that answers queries over UDP, and over TCP if ``stream`` is given; yields its port."""

    class Datagram(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            data, out = self.request
            reply = answer(data)
            if reply is not None:
                out.sendto(reply, self.client_address)

    class Stream(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            (length,) = struct.unpack("!H", self.request.recv(2))
            assert stream is not None
            reply = stream(self.request.recv(length))
            self.request.sendall(struct.pack("!H", len(reply)) + reply)

    servers: list[socketserver.BaseServer] = []
    with socketserver.ThreadingUDPServer(("127.0.0.1", 0), Datagram) as udp:
        servers.append(udp)
        port = udp.server_address[1]
        if stream is not None:
            socketserver.ThreadingTCPServer.allow_reuse_address = True
            servers.append(socketserver.ThreadingTCPServer(("127.0.0.1", port), Stream))
        threads = [threading.Thread(target=one.serve_forever, kwargs={"poll_interval": 0.02}) for one in servers]
        for thread in threads:
            thread.start()
        try:
            yield port
        finally:
            for one in servers:
                one.shutdown()
            for thread in threads:
                thread.join()
            for one in servers[1:]:
                one.server_close()


def asked(reply: Callable[[dns.message.Message], dns.message.Message]) -> Callable[[bytes], bytes]:
    return lambda data: reply(dns.message.from_wire(data)).to_wire(max_size=65535)


@pytest.fixture
def tree(monkeypatch: pytest.MonkeyPatch) -> Iterator[Records]:
    """A resolver and name server in one, with the records of the fixture, which a test may change."""
    records = dict(TREE)
    for cached in (zones.resolvers, zones.zone_of):
        cached.cache_clear()
    with server(asked(lambda query: answered(records, query))) as port:
        monkeypatch.setenv(zones.RESOLVER, f"127.0.0.1:{port}")
        monkeypatch.setattr(client, "PORT", port)
        yield records
    for cached in (zones.resolvers, zones.zone_of):
        cached.cache_clear()


# The client


def test_every_kind_of_record_is_read() -> None:
    texts = {
        "A": "192.0.2.1",
        "AAAA": "2001:db8::1",
        "NS": "ns.example.test.",
        "CNAME": "other.example.test.",
        "TXT": '"one" "two"',
    }
    wanted = {"NS": "ns.example.test", "CNAME": "other.example.test", "TXT": "onetwo"}
    for kind, text in texts.items():
        records: Records = {("x.example.test", kind): [text]}
        with server(asked(lambda query, records=records: answered(records, query))) as port:  # type: ignore[misc]
            number = getattr(client, kind)
            reply = client.ask(("127.0.0.1", port), "X.Example.test.", number)
            assert reply.of("x.example.test", number) == [wanted.get(kind, text)]
            assert (reply.code, reply.authoritative) == (client.NOERROR, True)


def test_a_long_answer_comes_over_tcp() -> None:
    records: Records = {("x.test", "TXT"): [f'"{number:03}{"x" * 200}"' for number in range(40)]}

    def short(query: dns.message.Message) -> dns.message.Message:
        response = dns.message.make_response(query)
        response.flags |= dns.flags.TC
        return response

    with server(asked(short), asked(lambda query: answered(records, query))) as port:
        assert len(client.ask(("127.0.0.1", port), "x.test", client.TXT).of("x.test", client.TXT)) == 40


def _pointer_to_itself(query: bytes) -> bytes:
    return query[:2] + b"\x84\0\0\1\0\1\0\0\0\0" + query[12:-11] + b"\xc0" + bytes([len(query) - 11]) + b"\0" * 10


HOSTILE = {
    "nothing": lambda _query: None,
    "short": lambda query: query[:5],
    "another id": lambda query: bytes([query[0] ^ 1]) + query[1:2] + b"\x84\0" + query[4:],
    "no response": lambda query: query,
    "another question": lambda query: query[:2] + b"\x84\0" + query[4:12] + b"\1z" + query[14:],
    "a name that points to itself": _pointer_to_itself,
    "more records than there are": lambda query: query[:2] + b"\x84\0\0\1\xff\xff\0\0\0\0" + query[12:],
}


@pytest.mark.parametrize("answer", HOSTILE.values(), ids=HOSTILE)
def test_what_is_no_answer_is_an_error_in_time(answer: Callable[[bytes], bytes | None]) -> None:
    with server(answer) as port, pytest.raises(Unanswered):
        client.ask(("127.0.0.1", port), "x.test", client.TXT, seconds=0.3)


@pytest.mark.parametrize("name", ["x" * 64 + ".test", ".".join(["x" * 60] * 5)])
def test_what_is_no_name_is_not_asked(name: str) -> None:
    with pytest.raises(Unanswered, match="no valid name"):
        client.ask(("127.0.0.1", 9), name, client.TXT)


def test_a_closed_port_is_said_in_words() -> None:
    with server(lambda _query: None) as port:
        pass
    with pytest.raises(Unanswered, match="refused"):
        client.ask(("127.0.0.1", port), "x.test", client.TXT, seconds=0.5)


# Zones


def test_the_zone_of_a_record_is_found_and_the_record_itself_is_never_resolved(
    tree: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    real = zones.resolve

    def resolve(name: str, kind: int, **more: bool) -> client.Reply:
        seen.append(name)
        return real(name, kind, **more)

    monkeypatch.setattr(zones, "resolve", resolve)
    place = zones.place_of("_acme-challenge.deep.example.test")
    assert (place.record, place.zone.name, place.chain) == ("_acme-challenge.deep.example.test", "example.test", ())
    assert place.zone.own == place.zone.parents == {"ns.test"}
    assert place.zone.servers == (Server("ns.test", "127.0.0.1"),)
    assert not [name for name in seen if name.startswith("_acme-challenge")]
    assert tree


def test_an_alias_is_followed_into_another_zone_and_a_loop_is_named(tree: Records) -> None:
    place = zones.place_of("_acme-challenge.alias.example.test")
    assert (place.record, place.zone.name, place.chain) == ("end.acme.test", "acme.test", ("end.acme.test",))
    with pytest.raises(DnsProblem, match="form a loop"):
        zones.place_of("_acme-challenge.round.example.test")
    assert tree


@pytest.mark.usefixtures("tree")
def test_a_name_without_a_zone_is_an_error_with_what_to_do() -> None:
    with pytest.raises(DnsProblem, match=r"no zone has the name nowhere\.example") as caught:
        zones.place_of("_acme-challenge.nowhere.example")
    assert caught.value.todo


def test_a_signature_that_is_wrong_is_told_from_a_server_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def bogus(query: dns.message.Message) -> dns.message.Message:
        response = answered(TREE, query)
        if not query.flags & dns.flags.CD:
            response.set_rcode(dns.rcode.SERVFAIL)
        return response

    def failing(query: dns.message.Message) -> dns.message.Message:
        response = dns.message.make_response(query)
        response.set_rcode(dns.rcode.SERVFAIL)
        return response

    for reply, words in ((bogus, r"DNSSEC of example\.test is broken"), (failing, r"fail \(SERVFAIL\)")):
        zones.resolvers.cache_clear()
        with server(asked(reply)) as port:
            monkeypatch.setenv(zones.RESOLVER, f"127.0.0.1:{port}")
            with pytest.raises(DnsProblem, match=words):
                zones.resolve("example.test", client.SOA)
    zones.resolvers.cache_clear()


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("9.9.9.9", ("9.9.9.9", 53)),
        ("127.0.0.1:8053", ("127.0.0.1", 8053)),
        ("2001:db8::1", ("2001:db8::1", 53)),
        ("[2001:db8::1]:5353", ("2001:db8::1", 5353)),
    ],
)
def test_the_resolver_is_that_of_the_variable(monkeypatch: pytest.MonkeyPatch, text: str, at: tuple[str, int]) -> None:
    monkeypatch.setenv(zones.RESOLVER, text)
    zones.resolvers.cache_clear()
    assert zones.resolvers() == (at,)
    zones.resolvers.cache_clear()


# Waiting


def test_it_waits_until_each_server_has_the_value(tree: Records) -> None:
    place = zones.place_of("_acme-challenge.deep.example.test")
    timer = threading.Timer(0.4, lambda: tree.update({(place.record, "TXT"): ['"value"']}))
    timer.start()
    found, took = watch.wait(place.zone, place.record, "value", 5.0)
    timer.join()
    assert found.done
    assert took >= 0.4
    found, took = watch.wait(place.zone, place.record, "another", 0.0)
    assert not found.done
    assert found.missing() == "1 of 1 servers still answers the old value: ns.test (127.0.0.1)"


def test_a_server_that_does_not_serve_the_zone_is_not_waited_for(tree: Records) -> None:
    lame = Zone("example.test", frozenset(), frozenset(), (Server("ns.test", "127.0.0.1"), Server("gone.test", "")))
    tree["_acme-challenge.example.test", "TXT"] = ['"value"']
    found = watch.look(lame, "_acme-challenge.example.test", "value", there=True)
    assert found.done
    assert found.lame == ((Server("gone.test", ""), "its name has no address"),)
    nobody = Zone("example.test", frozenset(), frozenset(), (Server("gone.test", ""),))
    found = watch.look(nobody, "_acme-challenge.example.test", "value", there=True)
    assert not found.done
    assert found.missing() == "no server of the zone answers"


# Providers

VALUE = Value("value", b"token", "authorization")
PLACE = Place("_acme-challenge.example.test", Zone("example.test", frozenset(), frozenset(), ()))
ZONE: dict[str, Any] = {
    "name": "example.test",
    "provider": "cloudflare",
    "plugin": "dns-cloudflare",
    "install": "in the service certbot: …",
    "credentials": "",
    "variables": ["SOME_FILE"],
    "alias": None,
    "patience": 1.0,
    "auth": None,
    "cleanup": None,
}


class Common:
    """The base of certbot's plugins, as far as they are used."""

    def __init__(self, config: Any, name: str) -> None:
        self.config, self.name = config, name

    @classmethod
    def inject_parser_options(cls, parser: Any, name: str) -> None:
        parser.add_argument(f"--{name}-credentials")
        parser.add_argument(f"--{name}-propagation-seconds", type=int, default=60)

    def perform(self, achalls: list[Any]) -> list[Any]:
        raise AssertionError(achalls)

    def _setup_credentials(self) -> None:
        prefix = self.name.replace("-", "_")
        assert getattr(self.config, f"{prefix}_propagation_seconds") == 0
        self.credentials = Path(getattr(self.config, f"{prefix}_credentials")).read_text()


class Plugin(Common):
    calls: list[tuple[str, str, str, str]] = []  # noqa: RUF012
    error: Exception | None = None

    def _perform(self, domain: str, record: str, value: str) -> None:
        if self.error is not None:
            raise self.error
        self.calls.append(("add", domain, record, value))

    def _cleanup(self, domain: str, record: str, value: str) -> None:
        self.calls.append(("remove", domain, record, value))


class Whole(Plugin):
    """A plugin like that of Route 53, with a way of its own."""

    def perform(self, achalls: list[Any]) -> list[Any]:
        self.calls += [("whole", one.domain, one.validation_domain_name("x"), one.validation(None)) for one in achalls]
        self.calls += [
            ("lego", one.identifier.value, one.token.decode(), one.key_authorization(None)) for one in achalls
        ]
        return [one.response(None) for one in achalls]

    def cleanup(self, achalls: list[Any]) -> None:
        self.calls += [("cleanup", one.domain, one.validation_domain_name("x"), "") for one in achalls]


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """A zone whose provider has the plugin :class:`Plugin`, and credentials."""
    file = tmp_path / "example.test.ini"
    file.write_text("secret")
    monkeypatch.setattr(provider, "plugin_class", lambda _name: Plugin)
    monkeypatch.setitem(sys.modules, "certbot.plugins.dns_common", SimpleNamespace(DNSAuthenticator=Common))
    monkeypatch.delenv("SOME_FILE", raising=False)
    Plugin.calls.clear()
    yield {**ZONE, "credentials": str(file)}
    Plugin.error = None
    os.environ.pop("SOME_FILE", None)


def test_a_record_is_written_by_its_own_name_whatever_it_proves(plugin: dict[str, Any]) -> None:
    writer = Writer(plugin)
    writer.add("www.example.org", PLACE, VALUE)
    assert writer.remove("www.example.org", PLACE, VALUE) is None
    assert Plugin.calls == [
        ("add", PLACE.record, PLACE.record, "value"),
        ("remove", PLACE.record, PLACE.record, "value"),
    ]
    assert os.environ["SOME_FILE"] == plugin["credentials"]


def test_a_plugin_with_a_way_of_its_own_goes_it(plugin: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider, "plugin_class", lambda _name: Whole)
    writer = Writer(plugin)
    writer.add("*.example.org", PLACE, VALUE)
    writer.remove("*.example.org", PLACE, VALUE)
    assert Plugin.calls == [
        ("whole", "example.org", PLACE.record, "value"),
        ("lego", "example.org", "token", "authorization"),
        ("cleanup", "example.org", PLACE.record, ""),
    ]


def test_a_value_is_that_of_its_key_authorization() -> None:
    """RFC 8555, section 8.4: the digest in base64url, without padding."""
    assert Value.of("").text == "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Received response from server: REFUSED", "the token may not edit the zone example.test: "),
        ("403 Client Error: Forbidden", "the token may not edit the zone example.test: "),
        ("AccessDenied: not authorized to perform route53", "the token may not edit the zone example.test: "),
        ("The peer didn't know the key we used", "cloudflare does not accept the credentials: "),
        ("Error determining zone_id: 9109 Invalid access token", "cloudflare does not accept the credentials: "),
        ("Unable to determine zone_id for example.test", "cloudflare does not have the zone example.test, or hides it"),
        ("No SOA of any kind found", "cloudflare does not have the zone example.test, or hides it"),
        ("connection reset", "cloudflare did not write _acme-challenge.example.test: connection reset"),
    ],
)
def test_a_refusal_is_said_as_what_it_is(plugin: dict[str, Any], said: str, shown: str) -> None:
    Plugin.error = ValueError(said)
    with pytest.raises(DnsProblem) as caught:
        Writer(plugin).add("www.example.org", PLACE, VALUE)
    assert caught.value.text.startswith(shown)
    assert said in caught.value.text
    assert caught.value.todo


def test_credentials_or_a_plugin_that_is_missing_are_named(
    plugin: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DnsProblem, match=r"there are no credentials for the zone example\.test"):
        Writer({**plugin, "credentials": f"{plugin['credentials']}.gone"}).add("a.test", PLACE, VALUE)
    monkeypatch.setattr(provider, "plugin_class", lambda _name: None)
    with pytest.raises(DnsProblem, match="the image of certbot has no plugin dns-cloudflare") as caught:
        Writer(plugin).add("a.test", PLACE, VALUE)
    assert caught.value.todo == ZONE["install"]


def test_the_users_own_commands_get_the_record_and_the_value(tmp_path: Path) -> None:
    out = tmp_path / "out"
    zone = {
        **ZONE,
        "plugin": None,
        "auth": f'echo "$CERTBOT_DOMAIN $CERTBOT_VALIDATION $STACKCTL_RECORD $STACKCTL_ZONE" >{out}',
        "cleanup": "echo one; echo two >&2; exit 3",
    }
    writer = Writer(zone)
    writer.add("www.example.org", PLACE, Value("a 'value'"))
    assert out.read_text() == "www.example.org a 'value' _acme-challenge.example.test example.test\n"
    problem = writer.remove("www.example.org", PLACE, VALUE)
    assert problem is not None
    assert problem.endswith("ended with 3: two")


# As a whole


@pytest.fixture
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tree: Records) -> Callable[..., None]:
    """Writes the file of zones: one whose commands change the records of the server, by a file."""
    home = tmp_path / "records"
    home.mkdir()
    monkeypatch.setattr(prove, "LOCKS", tmp_path / "locks")

    def look() -> None:
        for file in home.iterdir():
            tree[file.name, "TXT"] = [f'"{line}"' for line in file.read_text().split()]

    real = client.ask

    def ask(*arguments: Any, **more: Any) -> Any:
        look()
        return real(*arguments, **more)

    monkeypatch.setattr(client, "ask", ask)

    def write(**more: Any) -> None:
        zone = {
            **ZONE,
            "plugin": None,
            "auth": f'echo "$CERTBOT_VALIDATION" >>{home}/$STACKCTL_RECORD',
            "cleanup": f'sed -i "/^$CERTBOT_VALIDATION$/d" {home}/$STACKCTL_RECORD',
            **more,
        }
        file = tmp_path / "zones.json"
        file.write_text(json.dumps({"example.test": zone}))
        monkeypatch.setenv(settings.VARIABLE, str(file))

    write()
    return write


def steps(
    names: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> list[dict[str, str]]:
    text = json.dumps({"names": names, "write": True})
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(read=lambda *_: text))
    assert check.main() == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_the_check_writes_sees_and_deletes_once_for_each_record(
    known: Callable[..., None], tree: Records, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    known()
    found = steps(["*.example.test", "example.test"], capsys, monkeypatch)
    assert [(row["step"], row["verdict"]) for row in found] == [
        ("zone", "ok"),
        ("delegation", "ok"),
        ("servers", "ok"),
        ("write", "ok"),
        ("seen", "ok"),
        ("delete", "ok"),
    ]
    assert {row["name"] for row in found} == {"*.example.test"}
    assert tree["_acme-challenge.example.test", "TXT"] == []


def test_a_value_that_is_not_seen_is_deleted_and_said(
    known: Callable[..., None], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    known(auth="true", patience=0.0)
    found = {row["step"]: row for row in steps(["example.test", "x.example.org"], capsys, monkeypatch)}
    assert found["seen"]["verdict"] == "wrong"
    assert found["seen"]["text"].startswith("1 of 1 servers still answers the old value: ns.test")
    assert found["zone"]["text"] == "x-stackctl.dns has no zone for x.example.org"


def test_two_values_of_one_record_are_proved_together_and_deleted(known: Callable[..., None], tree: Records) -> None:
    known()
    proof = prove.Proof()
    proof.write([("*.example.test", Value("one")), ("example.test", Value("two"))])
    assert tree["_acme-challenge.example.test", "TXT"] == ['"one"', '"two"']
    proof.delete()
    proof.delete()
    client.ask(("127.0.0.1", client.PORT), "example.test", client.SOA)
    assert tree["_acme-challenge.example.test", "TXT"] == []


def test_a_record_in_use_is_waited_for(known: Callable[..., None]) -> None:
    known()
    first, second = prove.Proof(), prove.Proof()
    first.write([("example.test", Value("one"))])
    thread = threading.Thread(target=second.write, args=([("*.example.test", Value("two"))],))
    thread.start()
    thread.join(0.3)
    assert thread.is_alive(), "it takes its turn"
    first.delete()
    thread.join(10)
    assert not thread.is_alive()
    second.delete()


def test_certbots_authenticator_says_why_before_the_ca_is_asked(
    known: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Refusal(Exception):
        pass

    class Interface:
        pass

    modules: Mapping[str, Any] = {
        "certbot.plugins.common": SimpleNamespace(Plugin=Common),
        "certbot.errors": SimpleNamespace(PluginError=Refusal),
        "certbot.interfaces": SimpleNamespace(Authenticator=Interface),
        "acme.challenges": SimpleNamespace(DNS01="dns-01"),
    }
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.delitem(sys.modules, "stackctl.certs.dns01.plugin", raising=False)
    from stackctl.certs.dns01 import plugin as made  # noqa: PLC0415

    authenticator = made.Authenticator(SimpleNamespace(), "dns-stackctl")
    assert authenticator.get_chall_pref("x") == ["dns-01"]
    challenge = SimpleNamespace(
        identifier=SimpleNamespace(value="example.test"),
        account_key=None,
        token=b"t",
        key_authorization=lambda _key: "a",
        validation=lambda _key: "one",
        response=lambda _key: "answer",
    )
    assert authenticator.perform([challenge]) == ["answer"]
    authenticator.cleanup([challenge])
    known(auth="echo no; exit 1")
    authenticator = made.Authenticator(SimpleNamespace(), "dns-stackctl")
    with pytest.raises(Refusal, match="ended with 1: no"):
        authenticator.perform([challenge])
    authenticator.cleanup([challenge])
    sys.modules.pop("stackctl.certs.dns01.plugin", None)
