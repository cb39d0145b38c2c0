"""Stacks as people made them before stackctl: built by the steps of their write-ups, with the lab's images and CA."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.e2e.helpers import (
    APP_IMAGE,
    BIN,
    CERTBOT_IMAGE,
    HAPROXY_IMAGE,
    NGINX_IMAGE,
    REFUSED_NONCE,
    Stack,
    certbot,
    docker,
    wait_until,
)

# What the user edits in the script before it is run, and what is left of it.
SCRIPT = """\
#!/bin/bash

domains=(NAME www.NAME)
rsa_key_size=4096
data_path="./data/certbot"
email="you@example.com" # Adding a valid address is strongly recommended
staging=0 # Set to 1 if you're testing your setup to avoid hitting request limits
"""

TRUST = "/opt/lab-ca.pem"


def seed_compose(stack: Stack, loops: bool) -> str:
    """The Compose file of document 001; with its loops in the second half of it."""
    reload_loop = "    command: '/bin/sh -c ''while :; do sleep 6h & wait $${!}; nginx -s reload; done & "
    reload_loop += "nginx -g \"daemon off;\"'''\n"
    renew_loop = (
        "    entrypoint: \"/bin/sh -c 'trap exit TERM; while :; do certbot renew; sleep 12h & wait $${!}; done;'\"\n"
    )
    return f"""\
version: "3.9"

services:
  nginx:
    restart: always
    image: {NGINX_IMAGE}
    ports:
      - "{stack.address}:80:80"
      - "{stack.address}:443:443"
    depends_on:
      - app1
      - app2
    volumes:
      - ./conf/nginx.conf:/etc/nginx/nginx.conf
      - ./data/certbot/conf:/etc/letsencrypt
      - ./data/certbot/www:/var/www/certbot
{reload_loop if loops else ""}
  certbot:
    image: {CERTBOT_IMAGE}
    restart: unless-stopped
    environment:
      REQUESTS_CA_BUNDLE: {TRUST}   # the lab's own CA
    volumes:
      - ./data/certbot/conf:/etc/letsencrypt
      - ./data/certbot/www:/var/www/certbot
      - ./ca.pem:{TRUST}:ro
{renew_loop if loops else ""}
  app1:
    image: {APP_IMAGE}
    environment:
      APP_NAME: app1
    expose:
      - "8000"

  app2:
    image: {APP_IMAGE}
    environment:
      APP_NAME: app2
    expose:
      - "8000"
"""


_ACME = """\
    location /.well-known/acme-challenge/ {
        allow all;
        root /var/www/certbot;
    }
"""
_PROXIED = """\
    location / {
        proxy_pass http://APP;
        proxy_set_header Host $host;
        proxy_set_header X-Real-IP $remote_addr;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Forwarded-Proto $scheme;
    }
"""
_UPSTREAMS = """\
upstream app1 {
    server app1:8000;
}

upstream app2 {
    server app2:8000;
}
"""


def _wrapped(servers: str) -> str:
    """The document shows what stands inside of http; a whole nginx.conf has that around it."""
    return f"events {{}}\n\nhttp {{\n{_UPSTREAMS}\n{servers}}}\n"


def _plain(name: str, app: str) -> str:
    return f"server {{\n    listen 80;\n    server_name {name};\n\n{_ACME}\n{_PROXIED.replace('APP', app)}}}\n"


def _redirecting(name: str) -> str:
    redirect = "    location / {\n        return 301 https://$host$request_uri;\n    }\n"
    return f"server {{\n    listen 80;\n    server_name {name};\n    server_tokens off;\n\n{_ACME}\n{redirect}}}\n"


def _secure(name: str, app: str, tls: str = "") -> str:
    return f"""\
server {{
    listen 443 ssl;
    server_name {name};
    server_tokens off;

    ssl_certificate /etc/letsencrypt/live/{name}/fullchain.pem;
    ssl_certificate_key /etc/letsencrypt/live/{name}/privkey.pem;
{tls}
{_PROXIED.replace("APP", app)}}}
"""


# certbot's own file, which the script downloads.
OPTIONS = """\
# This file contains important security parameters.
ssl_session_cache shared:le_nginx_SSL:10m;
ssl_session_timeout 1440m;
ssl_session_tickets off;
ssl_protocols TLSv1.2 TLSv1.3;
ssl_prefer_server_ciphers off;
ssl_ciphers "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256";
"""


def old_run(stack: Stack, service: str, entrypoint: str) -> None:
    """``docker-compose run --rm --entrypoint "…" certbot``, as the scripts do it."""
    command = [str(BIN / "docker-compose"), "run", "--rm", "--entrypoint", entrypoint, service]
    # The CA refuses some good nonces, as CAs may, and certbot gives up on that while it registers: the user asks again.
    for _ in range(4):
        done = subprocess.run(
            command,
            cwd=stack.directory,
            env=stack.environ(),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            stdin=subprocess.DEVNULL,
        )
        if not REFUSED_NONCE.search(done.stdout + done.stderr):
            break
    assert done.returncode == 0, f"{entrypoint}: {done.stdout}{done.stderr}"


def build_seed(stack: Stack) -> tuple[str, str]:
    """The steps of document 001: two apps on HTTP, then a certificate for the first, then the loops."""
    one, two = stack.domain("app1"), stack.domain("app2")
    stack.add_dns(one, two, f"www.{one}")
    root = stack.directory
    (root / "conf").mkdir()
    shutil.copy(stack.lab.bundle, root / "ca.pem")
    stack.file.write_text(seed_compose(stack, loops=False))
    conf = root / "conf/nginx.conf"
    conf.write_text(_wrapped("\n".join((_plain(one, "app1"), _plain(two, "app2")))))
    stack.compose("up", "--detach")
    wait_until(lambda: stack.http(one).status == 200, 30, "app1 on HTTP")

    (root / "init-letsencrypt.sh").write_text(SCRIPT.replace("NAME", one))
    _download_parameters(root)
    live = f"/etc/letsencrypt/live/{one}"
    (root / "data/certbot/conf/live" / one).mkdir(parents=True)
    dummy = f"openssl req -x509 -nodes -newkey rsa:2048 -days 1 -keyout {live}/privkey.pem -out {live}/fullchain.pem"
    old_run(stack, "certbot", f"{dummy} -subj '/CN=localhost'")
    stack.compose("up", "--force-recreate", "--detach", "nginx")
    gone = " ".join(f"/etc/letsencrypt/{part}" for part in (f"live/{one}", f"archive/{one}", f"renewal/{one}.conf"))
    old_run(stack, "certbot", f"rm -Rf {gone}")
    wait_until(lambda: stack.http(one).status == 200, 30, "app1 on HTTP")
    ask = "certbot certonly --webroot -w /var/www/certbot --email you@example.com"
    ask += f" -d {one} -d www.{one} --rsa-key-size 4096 --agree-tos --force-renewal"
    old_run(stack, "certbot", f"{ask} --non-interactive --server {stack.lab.directory}")

    # The HTTPS part of the document, then its loops.
    tls = "    include /etc/letsencrypt/options-ssl-nginx.conf;\n    ssl_dhparam /etc/letsencrypt/ssl-dhparams.pem;\n"
    conf.write_text(_wrapped("\n".join((_redirecting(one), _secure(one, "app1", tls), _plain(two, "app2")))))
    stack.file.write_text(seed_compose(stack, loops=True))
    stack.compose("up", "--detach")
    stack.compose("restart", "nginx")  # a file that is mounted alone is not seen anew by a reload
    wait_until(lambda: stack.trusted(one), 30, "app1 on HTTPS")
    return one, two


def _download_parameters(root: Path) -> None:
    conf = root / "data/certbot/conf"
    conf.mkdir(parents=True, exist_ok=True)
    (conf / "options-ssl-nginx.conf").write_text(OPTIONS)
    subprocess.run(
        ["openssl", "dhparam", "-dsaparam", "-out", str(conf / "ssl-dhparams.pem"), "2048"],
        check=True,
        capture_output=True,
    )


def build_other_places(stack: Stack) -> tuple[str, str]:
    """A stack of nginx-certbot's kind that has grown: files in conf.d, certbot's tree elsewhere, one by standalone.

    Two sites share one certificate, which is the second of its name; one of them has locations of its own, with a
    password file and a directory of static files.
    """
    shop, blog = stack.domain("shop"), stack.domain("blog")
    stack.add_dns(shop, blog)
    root = stack.directory
    for folder in ("nginx/conf.d", "nginx/html", "letsencrypt/etc", "letsencrypt/www"):
        (root / folder).mkdir(parents=True)
    shutil.copy(stack.lab.bundle, root / "ca.pem")
    (root / "nginx/html/hello.txt").write_text("hello\n")
    (root / "nginx/conf.d/users.htpasswd").write_text("ann:{PLAIN}secret\n")
    stack.file.write_text(_other_compose(stack))
    conf = root / "nginx/conf.d/app.conf"
    conf.write_text("\n".join((_UPSTREAMS, _plain(shop, "app1"))))
    stack.compose("up", "--detach")
    wait_until(lambda: stack.http(shop).status == 200, 30, "the shop on HTTP")
    ask = f"certbot certonly --webroot -w /var/www/certbot -m you@example.com --agree-tos --non-interactive -d {shop}"
    ask += f" --server {stack.lab.directory}"
    old_run(stack, "letsencrypt", ask)
    conf.write_text("\n".join((_UPSTREAMS, _redirecting(f"{shop} {blog}"))))
    stack.compose("restart", "proxy")
    wait_until(lambda: stack.http(shop).status == 301, 30, "the redirect")
    old_run(stack, "letsencrypt", f"{ask} -d {blog} --duplicate")
    lineage = f"{shop}-0001"
    renewal = root / f"letsencrypt/etc/renewal/{lineage}.conf"
    # As it looks where the first one was had before there was a proxy.
    text = renewal.read_text().replace("authenticator = webroot", "authenticator = standalone")
    text = text.replace("webroot_path = /var/www/certbot,", "renew_hook = docker exec proxy nginx -s reload")
    renewal.write_text(text.partition("[[webroot_map]]")[0])
    conf.write_text("\n".join((_HTTP_LEVEL, _UPSTREAMS, _redirecting(f"{shop} {blog}"), _rich(shop, blog, lineage))))
    stack.compose("restart", "proxy")
    wait_until(lambda: stack.trusted(shop), 30, "the shop on HTTPS")
    return shop, blog


_HTTP_LEVEL = """\
client_max_body_size 32m;
limit_req_zone $binary_remote_addr zone=slow:1m rate=100r/s;
"""


def _rich(shop: str, blog: str, lineage: str) -> str:
    tls = f"""\
    ssl_certificate /etc/letsencrypt/live/{lineage}/fullchain.pem;
    ssl_certificate_key /etc/letsencrypt/live/{lineage}/privkey.pem;
"""
    return f"""\
server {{
    listen 443 ssl;
    server_name {shop};
{tls}
    add_header X-Frame-Options DENY always;

    # What changes seldom.
    location /static/ {{
        alias /srv/html/;
    }}

    location /api/ {{
        limit_req zone=slow burst=100;
        proxy_pass http://api:8000/;
        proxy_read_timeout 10s;
    }}

    location /private/ {{
        auth_basic "private";
        auth_basic_user_file /etc/nginx/conf.d/users.htpasswd;
        proxy_pass http://app1/;
        proxy_set_header Host $host;
    }}

    location / {{
        proxy_pass http://app1;
        proxy_set_header Host $http_host;
        proxy_set_header X-Real-IP $remote_addr;
        proxy_set_header X-Team blue;
        proxy_read_timeout 90;
    }}
}}

server {{
    listen 443 ssl;
    server_name {blog};
{tls}
    location / {{
        proxy_pass http://app2;
        proxy_set_header Host $host;
    }}
}}
"""


def _other_compose(stack: Stack) -> str:
    return f"""\
services:
  # Everything comes in here.
  proxy:
    image: {NGINX_IMAGE}
    restart: unless-stopped
    volumes:
      - ./nginx/conf.d:/etc/nginx/conf.d:ro
      - ./nginx/html:/srv/html:ro       # static files
      - ./letsencrypt/etc:/etc/letsencrypt:ro
      - ./letsencrypt/www:/var/www/certbot:ro
    ports: ["{stack.address}:80:80", "{stack.address}:443:443"]
    command: "/bin/sh -c 'while :; do sleep 6h & wait $${{!}}; nginx -s reload; done & nginx -g \\"daemon off;\\"'"
    labels:
      - "team=web"

  letsencrypt:
    image: {CERTBOT_IMAGE}
    environment:
      - REQUESTS_CA_BUNDLE={TRUST}
    volumes:
      - ./letsencrypt/etc:/etc/letsencrypt:rw
      - ./letsencrypt/www:/var/www/certbot:rw
      - ./ca.pem:{TRUST}:ro
    entrypoint: "/bin/sh -c 'trap exit TERM; while :; do certbot renew; sleep 12h & wait $${{!}}; done;'"

  app1:
    image: {APP_IMAGE}
    environment: {{APP_NAME: app1}}

  app2:
    image: {APP_IMAGE}
    environment: {{APP_NAME: app2}}

  api:
    image: {APP_IMAGE}
    environment: {{APP_NAME: api}}
"""


COMPANION = "stackctl-lab/acme-companion:latest"


def build_nginx_proxy(stack: Stack) -> tuple[str, str]:
    """nginx-proxy's conventions: variables of services, certificates as files named after hosts.

    The lab has no image of it: its nginx stands in, with the configuration that docker-gen would have made.
    """
    shop, blog = stack.domain("shop"), stack.domain("blog")
    stack.add_dns(shop, f"www.{shop}", blog)
    root = stack.directory
    for folder in ("conf.d", "certs", "html", "work"):
        (root / folder).mkdir()
    docker("tag", APP_IMAGE, COMPANION)
    stack.file.write_text(_nginx_proxy_compose(stack, shop, blog))
    conf = root / "conf.d/default.conf"
    acme = _ACME.replace("/var/www/certbot", "/usr/share/nginx/html")
    generated = (
        f"upstream app1 {{\n    server shop:8000;\n}}\n{_plain(f'{shop} www.{shop}', 'app1').replace(_ACME, acme)}"
    )
    conf.write_text(generated)
    stack.compose("up", "--detach")
    wait_until(lambda: stack.http(shop).status == 200, 30, "the shop on HTTP")
    mounts = (("html", "/html"), ("work", "/etc/letsencrypt"))
    volumes = [word for folder, at in mounts for word in ("--volume", f"{root / folder}:{at}")]
    trust = ["--volume", f"{stack.lab.bundle}:{TRUST}:ro", "--env", f"REQUESTS_CA_BUNDLE={TRUST}"]
    ask = ["certonly", "--webroot", "-w", "/html", "--register-unsafely-without-email", "--agree-tos", "-n"]
    ask += ["--preferred-profile", "default"]  # Pebble chooses one at random, and the other is due at once
    names = ["-d", shop, "-d", f"www.{shop}", "--server", stack.lab.directory]
    command = ["docker", "run", "--rm", *volumes, *trust, "--entrypoint", "certbot", CERTBOT_IMAGE, *ask, *names]
    wait_until(lambda: not subprocess.run(command, capture_output=True, check=False).returncode, 60, "a certificate")
    for name, target in (("fullchain", "crt"), ("privkey", "key")):
        shutil.copy(root / f"work/live/{shop}/{name}.pem", root / f"certs/{shop}.{target}")
    shutil.rmtree(root / "work")
    tls = _secure(f"{shop} www.{shop}", "app1").replace(f"live/{shop} www.{shop}/fullchain.pem", f"{shop}.crt")
    tls = tls.replace(f"live/{shop} www.{shop}/privkey.pem", f"{shop}.key").replace(
        "/etc/letsencrypt/", "/etc/nginx/certs/"
    )
    api = "    location /api/ {\n        proxy_pass http://api:8000/;\n        proxy_set_header Host $host;\n    }\n"
    conf.write_text(f"{generated}\n{tls.rstrip().removesuffix('}')}{api}}}\n")
    stack.compose("exec", "-T", "nginx-proxy", "nginx", "-s", "reload")
    wait_until(lambda: stack.trusted(shop), 30, "the shop on HTTPS")
    return shop, blog


def _nginx_proxy_compose(stack: Stack, shop: str, blog: str) -> str:
    return f"""\
services:
  nginx-proxy:
    image: {NGINX_IMAGE}
    restart: always
    ports:
      - "{stack.address}:80:80"
      - "{stack.address}:443:443"
    volumes:
      - ./conf.d:/etc/nginx/conf.d
      - ./certs:/etc/nginx/certs:ro
      - ./html:/usr/share/nginx/html
      - /var/run/docker.sock:/tmp/docker.sock:ro

  acme-companion:
    image: {COMPANION}
    environment:
      DEFAULT_EMAIL: you@example.com
    volumes:
      - ./certs:/etc/nginx/certs
      - acme:/etc/acme.sh

  shop:
    image: {APP_IMAGE}
    environment:
      APP_NAME: shop
      VIRTUAL_HOST: {shop},www.{shop}
      VIRTUAL_PORT: "8000"
      LETSENCRYPT_HOST: {shop},www.{shop}

  api:
    image: {APP_IMAGE}
    environment:
      - APP_NAME=api
      - VIRTUAL_HOST={shop}
      - VIRTUAL_PATH=/api/
      - VIRTUAL_DEST=/
      - VIRTUAL_PORT=8000

  blog:
    image: {APP_IMAGE}
    expose: ["8000"]
    environment:
      APP_NAME: blog
      VIRTUAL_HOST: {blog}

volumes:
  acme:
"""


HAPROXY = """\
#---------------------------------------------------------------------
# Global settings
#---------------------------------------------------------------------
global
    log         127.0.0.1 local2

    chroot      /var/lib/haproxy
    pidfile     /var/run/haproxy.pid
    maxconn     4000
    user        haproxy
    group       haproxy
    daemon

    #adjust the dh-param value if it is too low
    tune.ssl.default-dh-param 2048
defaults
    mode                    http
    log                     global
    option                  httplog
    option                  dontlognull
    option http-server-close
    option forwardfor       #except 127.0.0.0/8
    option                  redispatch
    retries                 3
    timeout http-request    300s
    timeout queue           2m
    timeout connect         120s
    timeout client          10m
    timeout server          10m
    timeout http-keep-alive 120s
    timeout check           10s
    maxconn                 3000

#http
frontend web
    #Non-SSL
    bind 0.0.0.0:80
    #SSL/TLS
    bind 0.0.0.0:443 ssl crt /etc/haproxy/certs/

    #Let's Encrypt SSL
    acl letsencrypt-acl path_beg /.well-known/acme-challenge/
    use_backend letsencrypt-backend if letsencrypt-acl

    #Subdomain method
    acl chat-acl hdr(host) -i NAME
    #Path method
    acl chat-acl path_beg /owui/
    use_backend owui_chat if chat-acl

#Pass SSL requests to Let's Encrypt
backend letsencrypt-backend
    server letsencrypt certbot:8688

#OWUI Chat
backend owui_chat
    # add X-FORWARDED-FOR
    option forwardfor
    # add X-CLIENT-IP
    http-request add-header X-CLIENT-IP %[src]
    http-request set-header X-Forwarded-Proto https if { ssl_fc }
    server chat chat:8000
"""
"""The configuration of document 000."""

RENEW = """\
#!/bin/sh
# Run by cron each Monday.
docker compose exec -T certbot certbot renew --standalone --http-01-port 8688
cat letsencrypt/live/NAME/fullchain.pem letsencrypt/live/NAME/privkey.pem > certs/NAME.pem
docker compose restart haproxy
"""


def build_haproxy(stack: Stack) -> str:
    """The steps of document 000, in containers: a placeholder, a certificate by standalone, and the joined file."""
    name, root = stack.domain("chat"), stack.directory
    stack.add_dns(name)
    (root / "certs").mkdir()
    (root / "letsencrypt").mkdir()
    shutil.copy(stack.lab.bundle, root / "ca.pem")
    (root / "haproxy.cfg").write_text(HAPROXY.replace("NAME", name))
    (root / "renew.sh").write_text(RENEW.replace("NAME", name))
    stack.file.write_text(_haproxy_compose(stack))
    key, chain, pem = root / "haproxy.key", root / "haproxy.crt", root / "certs/haproxy.pem"
    made = ["-x509", "-newkey", "rsa:2048", "-keyout", str(key), "-out", str(chain), "-days", "3650", "-nodes"]
    subprocess.run(["openssl", "req", *made, "-subj", "/CN=localhost"], check=True, capture_output=True)
    pem.write_bytes(chain.read_bytes() + key.read_bytes())
    stack.compose("up", "--detach")
    wait_until(lambda: stack.http(name).status == 200, 30, "the chat on HTTP")
    asked = ["--standalone", "--preferred-challenges", "http", "--http-01-port", "8688", "-d", name]
    account = ["-m", "you@example.com", "--agree-tos", "--server", stack.lab.directory]
    certbot(stack.container("certbot"), "certonly", "-n", *asked, *account)
    live, joined = root / "letsencrypt/live" / name, root / f"certs/{name}.pem"
    joined.write_bytes((live / "fullchain.pem").read_bytes() + (live / "privkey.pem").read_bytes())
    joined.chmod(0o600)
    stack.compose("restart", "haproxy")
    wait_until(lambda: stack.trusted(name), 30, "the chat on HTTPS")
    return name


def _haproxy_compose(stack: Stack) -> str:
    return f"""\
services:
  haproxy:
    image: {HAPROXY_IMAGE}
    restart: unless-stopped
    user: root   # for the ports below 1024
    command: [haproxy, -W, -db, -f, /etc/haproxy/haproxy.cfg]
    depends_on: [certbot, chat]
    ports:
      - "{stack.address}:80:80"
      - "{stack.address}:443:443"
    volumes:
      - ./haproxy.cfg:/etc/haproxy/haproxy.cfg:ro
      - ./certs:/etc/haproxy/certs:ro

  certbot:
    image: {CERTBOT_IMAGE}
    environment:
      REQUESTS_CA_BUNDLE: {TRUST}
    volumes:
      - ./letsencrypt:/etc/letsencrypt
      - ./ca.pem:{TRUST}:ro
    entrypoint: "/bin/sh -c 'trap exit TERM; while :; do sleep 12h & wait $${{!}}; done'"   # cron runs renew.sh

  chat:
    image: {APP_IMAGE}
    environment:
      APP_NAME: chat
"""
