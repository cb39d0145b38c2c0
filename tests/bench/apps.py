"""Small apps behind the proxy: nginx that answers with its name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.bench import lab


@contextmanager
def app(name: str, port: int) -> Iterator[str]:
    """Start an app on this host; it ends at once when it is killed. Yield the name of its container."""
    conf = lab.OUT / f"app-{name}.conf"
    conf.parent.mkdir(parents=True, exist_ok=True)
    conf.write_text(configuration(f"127.0.0.1:{port}", name))
    with lab.container(f"app-{name}", "--volume", f"{conf}:/etc/nginx/nginx.conf:ro", lab.NGINX) as container:
        lab.wait_until(lambda: lab.plain_status("127.0.0.1", port) == 200, f"the app {name} answers")
        yield container


def configuration(listen: str, name: str, first: str = "") -> str:
    """Return the configuration of an app that answers with ``name``; ``first`` comes before."""
    return (
        "worker_processes 1;\nevents { worker_connections 4096; }\n"
        "http {\n  access_log off;\n  keepalive_requests 1000000;\n  keepalive_timeout 300s;\n"
        f"  server {{\n    listen {listen};\n    default_type text/plain;\n"
        f'    location / {{ {first} return 200 "{name}\\n"; }}\n  }}\n}}\n'
    )
