"""What is published starts alone: the user's directives may name services that are not there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.e2e.conftest import NewStack
from tests.e2e.helpers import APP_IMAGE, NGINX_IMAGE, Secure, Stack, docker, inspect, trusting, wait_until

pytestmark = pytest.mark.e2e

SNIPPET = """\
# mine
location /api/ { proxy_pass http://api:8000/; }
location /v1/ {
    proxy_pass http://api:8000/slow?seconds=0&;
    proxy_set_header X-Own yes;
}
location = /slow { proxy_pass http://api:8000; }
location ~ ^/sl { proxy_pass http://api:8000; }
location /host/ { proxy_set_header Host $proxy_host; proxy_set_header X-At "$proxy_host"; proxy_pass http://api:8000/; }
location /mine/ { proxy_pass http://mine/; }
location /if/ {
    proxy_set_header X-Own "";
    if ($arg_b = 1) { proxy_pass http://api:8000; }
    return 204;
}
location /checked/ { auth_request /auth; proxy_pass http://api:8000/; }
location = /auth { internal; proxy_pass http://api:8000/; proxy_pass_request_body off; }
location /copied/ { mirror /copy; proxy_pass http://api:8000/; }
location = /copy { internal; proxy_pass http://api:8000/; }
location /php/ { fastcgi_pass api:9000; }
location /grpc/ { grpc_pass grpc://api:50051; }
location /fixed/ { set $to api; proxy_pass http://$to:8000/; }
"""
HTTP = """\
upstream mine { least_conn; server api:8000 max_fails=3; }
server { listen 127.0.0.1:8080; listen [::]:8081; }
"""
PATHS = ("/api/", "/api/slow?seconds=0&x=%2F", "/v1/x", "/v1/slow?seconds=0", "/slow?seconds=0", "/host/", "/mine/")
MORE = ("/api/a//b", "/host/elsewhere", "/if/?b=1", "/if/?b=2", "/checked/", "/copied/", "/php/", "/fixed/")


@pytest.fixture(scope="module")
def shared(new_stack: NewStack) -> Stack:
    made = new_stack()
    made.init()
    made.add("app1")
    made.add("app2")
    text = made.file.read_text()
    assert text.count("\nservices:\n") == 1
    made.file.write_text(text.replace("\nservices:\n", f"\nservices:\n  api:\n    image: {APP_IMAGE}\n"))
    custom = made.directory / "nginx/custom"
    (custom / f"{made.domain('app1')}.conf").write_text(SNIPPET)
    (custom / "http.conf").write_text(HTTP)
    shown = made.run("plan").stdout
    assert "+location /api/ { proxy_pass http://own_api_8000" in shown
    assert "+# line 2: proxy_pass http://api:8000/" in shown
    made.ok("up")
    return made


def test_the_copy_means_what_the_user_wrote(shared: Stack, tmp_path: Path) -> None:
    """A second proxy next to the first has the user's own text in the place of the copy."""
    name = shared.domain("app1")
    original = tmp_path / "nginx"
    shutil.copytree(shared.directory / "nginx/live", original)
    (original / f"sites/{name}.custom").write_text(SNIPPET)
    (original / "snippets/http.custom").write_text(HTTP.splitlines()[0])
    proxy = inspect(shared.container("nginx"))
    mounts = [f"--volume={one['Source']}:{one['Destination']}:ro" for one in proxy["Mounts"] if one["Type"] == "bind"]
    network = next(iter(proxy["NetworkSettings"]["Networks"]))
    beside = docker(
        *("run", "--detach", "--network", network, *mounts, "--volume", f"{original}:/original:ro"),
        *("--tmpfs=/run", "--tmpfs=/var/cache/nginx", NGINX_IMAGE),
        *("nginx", "-e", "/dev/stderr", "-c", "/original/nginx.conf", "-g", "daemon off;"),
    )
    try:
        address = inspect(beside)["NetworkSettings"]["Networks"][network]["IPAddress"]
        ours = proxy["NetworkSettings"]["Networks"][network]["IPAddress"]
        wait_until(lambda: _asked(address, name, "/api/")[0], 20, "the second proxy answers")
        for path in (*PATHS, *MORE):
            assert _asked(ours, name, path) == _asked(address, name, path), path
    finally:
        docker("rm", "--force", beside)


def _asked(address: str, name: str, path: str) -> tuple[int, object, str | None]:
    """The status, what the app saw of the request (the order of headers means nothing), and where it redirects."""
    connection = Secure(address, name, trusting(None))
    try:
        connection.request("GET", path)
        reply = connection.getresponse()
        body = reply.read()
        seen = json.loads(body) if body.startswith(b"{") else body
        if isinstance(seen, dict):
            seen["headers"].pop("X-Request-ID", None)  # each request has its own
        return reply.status, seen, reply.getheader("Location")
    finally:
        connection.close()


def test_everything_is_served_after_a_restart_with_every_app_down(shared: Stack) -> None:
    name, other = shared.domain("app1"), shared.domain("app2")
    ids = shared.containers()
    docker("kill", *(ids[service] for service in ("api", "app1", "app2")))
    docker("restart", ids["nginx"])
    wait_until(lambda: [shared.https(one).status for one in (name, other)] == [502, 502], 20, "both are a 502 each")
    assert shared.https(name, "/api/").status == 502
    docker("start", *(ids[service] for service in ("api", "app1", "app2")))
    wait_until(lambda: shared.https(name, "/api/").status == 200, 20, "the snippet's service is found again")
    wait_until(lambda: shared.trusted(name) and shared.trusted(other), 20, "both apps are")


def test_a_change_goes_on_and_a_new_snippet_is_published_while_its_service_is_down(shared: Stack) -> None:
    ids = shared.containers()
    docker("kill", ids["api"])
    (shared.directory / f"nginx/custom/{shared.domain('app2')}.conf").write_text(
        "location /later/ { proxy_pass http://later:9/; }\nlocation /api { proxy_pass http://api:8000; }\n"
    )
    shared.add("app3")
    shared.ok("up")
    assert shared.https(shared.domain("app2"), "/later/").status == 502
    wait_until(lambda: shared.https(shared.domain("app1"), "/api/").status == 200, 20, "'up' started it")


@pytest.mark.parametrize(
    ("line", "form"),
    [
        ("resolver dns-server;", "leave 'resolver' out"),
        ("access_log syslog:server=logger:514;", "write its address"),
        ("set_real_ip_from balancer;", "write its address"),
    ],
)
def test_a_host_that_has_no_other_form_is_refused_by_line(shared: Stack, line: str, form: str) -> None:
    name = shared.domain("app2")
    snippet = shared.directory / f"nginx/custom/{name}.conf"
    before = snippet.read_text()
    snippet.write_text(f"# mine\n{line}\n")
    try:
        said = shared.fails(6, "up").stderr
        assert f"nginx/custom/{name}.conf:2:" in said
        assert "host not found" in said
        assert form in said
        assert shared.trusted(name)
    finally:
        snippet.write_text(before)
        shared.ok("up")


def test_an_extra_host_of_the_proxy_starts_by_itself(shared: Stack) -> None:
    name = shared.domain("app2")
    shared.edit("  nginx:\n", "  nginx:\n    extra_hosts: ['legacy:192.0.2.1']\n")
    (shared.directory / f"nginx/custom/{name}.conf").write_text("location /l/ { proxy_pass http://legacy/; }\n")
    shared.ok("up")
    copy = (shared.directory / f"nginx/live/sites/{name}.custom").read_text()
    assert copy == "location /l/ { proxy_pass http://legacy/; }\n"
    assert shared.trusted(name)


def test_an_older_nginx_refuses_what_it_cannot_start_with(new_stack: NewStack) -> None:
    old = new_stack()
    old.init(nginx="stackctl/nginx:1.26")
    name = old.add("app1")
    snippet = old.directory / f"nginx/custom/{name}.conf"
    snippet.write_text("location /a/ { proxy_pass http://api:8000/; }\n")
    said = old.fails(6, "up").stderr
    assert f"nginx/custom/{name}.conf:1:" in said
    form = said[said.index("set $host_of_app") :].splitlines()[0].replace("PORT;", "8000;")
    snippet.write_text(f"location /a/ {{ {form} }}\nlocation /b/ {{ proxy_pass http://app1:8000; }}\n")
    old.ok("up")
    docker("kill", old.container("app1"))
    docker("restart", old.container("nginx"))
    wait_until(lambda: old.https(name).status == 502, 20, "it starts without its app")
