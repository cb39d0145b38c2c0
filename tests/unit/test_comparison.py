"""Two proxies are compared by their answers to requests for every location."""

from __future__ import annotations

from stackctl.adopt.comparison import STRANGER, Probe, compared, lasting, probes
from stackctl.adopt.nginx_conf import read_conf
from stackctl.observed.reply import Failure, Response
from stackctl.proxies.nginx.reader import parse

CONF = b"""
server {
    listen 80 default_server;
    server_name _;
    return 444;
}
server {
    listen 443 ssl;
    server_name app.example.com *.app.example.com;
    location / { proxy_pass http://app:8000; }
    location = /health { return 200; }
    location /api/ {
        location ~ ^/api/v(\\d)/ { proxy_pass http://api:9000; }
    }
    location ~* \\.(css|js)$ { root /srv; }
    location ~ [[:alpha:]] { root /srv; }
    location /.well-known/acme-challenge/ { root /var/www/certbot; }
    location @fallback { return 404; }
    location /private/ { internal; }
}
server {
    listen 127.0.0.1:8080;
    listen unix:/run/status;
    server_name ~^(?<user>.+)\\.home\\.example$;
}
"""
UNKNOWN = "/stackctl-compare-no-such-file"


def lines(content: bytes) -> tuple[list[str], tuple[str, ...]]:
    found, skipped = probes(read_conf(parse(content, "nginx.conf")))
    return [f"{probe.line} ({probe.at})" for probe in found], skipped


def test_every_location_of_every_server_is_asked() -> None:
    found, skipped = lines(CONF)
    assert found == [
        f"HEAD http://{STRANGER}/ (nginx.conf:2)",
        f"GET http://{STRANGER}/ (nginx.conf:2)",
        f"GET http://{STRANGER}{UNKNOWN} (nginx.conf:2)",
        *(
            line
            for host in ("app.example.com", "stackctl-compare.app.example.com", STRANGER)
            for line in (
                f"HEAD https://{host}/ (nginx.conf:7)",
                f"GET https://{host}/ (nginx.conf:7)",
                f"GET https://{host}{UNKNOWN} (nginx.conf:7)",
                f"GET https://{host}/health (nginx.conf:11)",
                f"GET https://{host}/api/ (nginx.conf:12)",
                f"GET https://{host}/api{UNKNOWN} (nginx.conf:12)",
                f"GET https://{host}/api/v1/ (nginx.conf:13)",
                f"GET https://{host}/x.css (nginx.conf:15)",
            )
        ),
        "HEAD http://x.home.example:8080/ (nginx.conf:21)",
        "GET http://x.home.example:8080/ (nginx.conf:21)",
        f"GET http://x.home.example:8080{UNKNOWN} (nginx.conf:21)",
        f"HEAD http://{STRANGER}:8080/ (nginx.conf:21)",
        f"GET http://{STRANGER}:8080/ (nginx.conf:21)",
        f"GET http://{STRANGER}:8080{UNKNOWN} (nginx.conf:21)",
    ]
    assert skipped == ("nginx.conf:16", "nginx.conf:21")


def test_the_first_server_of_a_port_is_asked_for_unknown_names_too() -> None:
    one = "server { listen 80; server_name a.example.com; location /a/ { return 204; } }"
    marked = "server { listen 80 default_server; server_name b.example.com; }"
    strangers = [line for line in lines(f"{one} {one.replace('a.ex', 'c.ex')}".encode())[0] if STRANGER in line]
    assert [line for line in strangers if "/a/ " in line] == [f"GET http://{STRANGER}/a/ (nginx.conf:1)"]
    assert not any("/a/ " in line for line in lines(f"{one} {marked}".encode())[0] if STRANGER in line)


def test_of_many_names_only_the_first_are_asked_for_each_location() -> None:
    names = " ".join(f"app{number}.example.com" for number in range(20))
    found, _ = lines(f"server {{ listen 80; server_name {names}; location /a/ {{ return 204; }} }}".encode())
    assert sum("/a/ (" in line for line in found if STRANGER not in line) == 3
    assert sum(line.startswith("HEAD") for line in found if STRANGER not in line) == 20


PROBE = Probe("app.example.com", 443, True, "/", "nginx.conf:7")


def answer(status: int = 200, body: str = "x", **headers: str) -> Response:
    return Response(status, tuple((name.replace("_", "-"), value) for name, value in headers.items()), len(body), body)


def found(old: list[Response], new: Response) -> list[str]:
    return [one.line for one in compared(PROBE, old, new)]


def test_equal_answers_have_no_difference() -> None:
    one = answer(content_type="text/html", date="now", server="nginx/1.21")
    assert found([one, one], answer(content_type="text/html", date="then", server="nginx")) == []


def test_each_difference_names_the_request_and_both_values() -> None:
    old = answer(body="abc", content_type="text/css", x_frame_options="DENY")
    new = answer(body="abcd", content_type="application/octet-stream", strict_transport_security="max-age=1")
    line = "GET https://app.example.com/: "
    assert found([old, old], new) == [
        f"{line}header content-type text/css, then application/octet-stream",
        f"{line}header strict-transport-security missing, then max-age=1",
        f"{line}header x-frame-options DENY, then missing",
        f"{line}another body (3 bytes, then 4 bytes)",
    ]


def test_another_status_hides_what_follows_from_it() -> None:
    old = answer(301, "moved", location="https://app.example.com/", content_type="text/html")
    new = answer(502, "bad", content_type="text/plain")
    line = "GET https://app.example.com/: "
    assert found([old, old], new) == [
        f"{line}status 301, then 502",
        f"{line}header location https://app.example.com/, then missing",
    ]


def test_a_connection_that_is_closed_is_an_answer_too() -> None:
    closed = Response(failure=Failure.CLOSED)
    assert found([closed, closed], closed) == []
    assert found([closed, closed], answer(404)) == [
        "GET https://app.example.com/: status the connection is closed without an answer, then 404"
    ]


def test_what_changes_by_itself_is_not_compared() -> None:
    old = [answer(body="token 1", x_request_id="1"), answer(body="token 2", x_request_id="2")]
    assert found(old, answer(body="token 3", x_request_id="3")) == []


def test_a_cookie_is_compared_by_its_name() -> None:
    old = [answer(set_cookie="session=1; Path=/"), answer(set_cookie="session=2; Path=/")]
    assert found(old, answer(set_cookie="session=3; Path=/")) == []
    assert found(old, answer(set_cookie="other=3; Path=/")) == [
        "GET https://app.example.com/: header set-cookie session=1; Path=/, then other=3; Path=/"
    ]


def test_what_a_second_answer_has_as_before_is_not_a_difference() -> None:
    old = [answer(x_cache="HIT"), answer(x_cache="HIT")]
    first, second = (compared(PROBE, old, answer(x_cache=value, x_app="1")) for value in ("MISS", "HIT"))
    assert [one.what for one in lasting(first, second)] == ["x-app"]
    assert lasting(first, ()) == ()
