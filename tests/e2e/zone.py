"""Servers of the tests' own: DNS that says what the lab's cannot say, and HTTP that is not the stack's proxy."""

from __future__ import annotations

import http.server
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

Records = Mapping[tuple[str, str], str]
"""By name and kind: a record's text; the kind ``*`` holds the rcode of every other question about the name."""


@contextmanager
def zone(records: Records, address: str = "127.0.0.1") -> Iterator[str]:
    """A DNS server that knows ``records`` and answers NXDOMAIN for every other name; yields its address and port."""

    class Server(socketserver.ThreadingUDPServer):
        address_family = socket.AF_INET6 if ":" in address else socket.AF_INET

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            data, out = self.request
            query = dns.message.from_wire(data)
            out.sendto(_answer(records, query).to_wire(), self.client_address)

    with Server((address, 0), Handler) as server, _served(server):
        yield f"[{address}]:{server.server_address[1]}" if ":" in address else f"{address}:{server.server_address[1]}"


def _answer(records: Records, query: dns.message.Message) -> dns.message.Message:
    question = query.question[0]
    name = question.name.to_text(omit_final_dot=True).lower()
    kind = dns.rdatatype.to_text(question.rdtype)
    response = dns.message.make_response(query)
    response.flags |= dns.flags.RA
    for known in (kind, "CNAME"):
        if (name, known) in records:
            text = records[name, known]
            rrset = dns.rrset.from_text(question.name, 0, dns.rdataclass.IN, dns.rdatatype.from_text(known), text)
            response.answer.append(rrset)
            return response
    if not any(owner == name for owner, _ in records):
        response.set_rcode(dns.rcode.NXDOMAIN)
    elif (name, "*") in records:
        response.set_rcode(dns.rcode.from_text(records[name, "*"]))
    return response


class Answer:
    """What a stranger's server answers: a status, headers, a body."""

    def __init__(self, status: int = 404, body: bytes = b"", **headers: str) -> None:
        self.status, self.body = status, body
        self.headers = {key.replace("_", "-"): value for key, value in headers.items()}


@contextmanager
def server(address: str, answer: Callable[[str, str], Answer], port: int = 80) -> Iterator[None]:
    """An HTTP server at ``address``; ``answer`` is asked with the Host header and the path."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told = answer(self.headers["Host"], self.path)
            self.send_response_only(told.status)
            for key, value in told.headers.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(told.body)))
            self.end_headers()
            self.wfile.write(told.body)

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    class Server(http.server.ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in address else socket.AF_INET

    with Server((address, port), Handler) as made, _served(made):
        yield


@contextmanager
def _served(made: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        made.shutdown()
        thread.join()
