#!/usr/bin/env bash
# Brings up a stack of two apps in .lab/demo with certificates of the test CA, and shows each step.
# Called by 'make demo'; arguments go to 'stackctl init' (make demo ARGS='--nginx-image stackctl/nginx:1.22').
#
# Every run begins with an empty directory: the test CA forgets its accounts and gets a new root when
# it restarts, so that certificates of an earlier run may be nobody's.
set -eu
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh"

DEMO="$LAB/demo"
ADDRESS=127.0.0.2
APPS=(app1 app2)
BIN="$ROOT/.venv/bin"

# show COMMAND...: print it as a person would type it, then run it.
show() {
  printf '\n$ %s\n' "${*/#"$ROOT"\//}"
  "$@"
}

preconditions() {
  [ -x "$BIN/stackctl" ] || die "stackctl is not installed: run 'make setup'"
  [ -s "$LAB/ca/directory" ] || die "the test CA does not run: run 'make setup'"
  need curl curl
  need openssl openssl
}

empty_directory() {
  local project=stackctl-lab-demo kind ids
  for kind in container network volume; do
    case $kind in
      container) ids=$(docker ps --all --quiet --filter "label=com.docker.compose.project=$project") ;;
      *) ids=$(docker "$kind" ls --quiet --filter "label=com.docker.compose.project=$project") ;;
    esac
    # shellcheck disable=SC2086  # one word per object
    [ -z "$ids" ] || docker "$kind" rm --force $ids >/dev/null
  done
  rm -rf "$DEMO"
  mkdir -p "$DEMO"
  # Compose would call the project 'demo', as many others on this machine may be called.
  echo "COMPOSE_PROJECT_NAME=$project" >"$DEMO/.env"
}

# dns ACTION NAME: tell the CA's resolver.
dns() {
  curl --fail --silent --show-error --max-time 5 --output /dev/null \
    --data "{\"host\":\"$2\",\"addresses\":[\"$ADDRESS\"]}" "http://127.0.0.1:8055/$1"
}

# The names exist only for the CA's resolver; curl is told below.
names() {
  local app
  for app in "${APPS[@]}"; do
    docker tag stackctl-lab/app:latest "$app:latest"
    # Addresses add up, and the CA would ask the first.
    dns clear-a "$app.example.com"
    dns add-a "$app.example.com"
  done
}

# What a client sees that trusts the root of the CA and nothing else.
prove() {
  local name=$1 shown
  shown=$(openssl s_client -connect "$ADDRESS:443" -servername "$name" -verify_hostname "$name" \
    -CAfile "$LAB/ca/root.pem" -verify_return_error </dev/null 2>&1) ||
    die "$name: the certificate is not trusted: $(grep -m 1 -i 'verif' <<<"$shown")"
  echo "status:  $(curl --silent --show-error --max-time 10 --output /dev/null \
    --resolve "$name:443:$ADDRESS" --cacert "$LAB/ca/root.pem" \
    --write-out '%{http_code} over HTTP/%{http_version}' "https://$name/")"
  openssl x509 -noout -issuer -enddate <<<"$shown" | sed -e 's/^issuer= */issuer:  /' -e 's/^notAfter=/expires: /'
  grep -m 1 '^ *Verif.*return code' <<<"$shown" | sed -E 's/^ *Verif[a-z]* return code: */trust:   /'
}

preconditions
# All that is asked from here on is on this host.
export no_proxy='*'
# The names exist for the CA's resolver alone.
export STACKCTL_RESOLVER=127.0.0.1:8053
empty_directory
names
cd "$DEMO"
PATH="$BIN:$PATH"

say "a stack in .lab/demo, published on $ADDRESS"
show stackctl init --email you@example.com --agree-tos --ca "$(cat "$LAB/ca/directory")" --ca-bundle ../ca/ca.pem \
  --http "$ADDRESS:80" --https "$ADDRESS:443" \
  --nginx-image stackctl/nginx:1.30 --certbot-image stackctl/certbot:5.5 "$@"
for app in "${APPS[@]}"; do
  show stackctl add-app "$app.example.com"
done
for app in "${APPS[@]}"; do
  show curl --silent --show-error --fail --resolve "$app.example.com:443:$ADDRESS" --cacert ../ca/root.pem \
    "https://$app.example.com/"
  prove "$app.example.com"
done
show stackctl status

say "a change, seen before it happens, and taken back"
# As a person would in an editor.
edit() {
  printf '\n(docker-compose.yml: %s gets "body-size: 1m"; nginx/custom/%s.conf: a header)\n' "$1.example.com" "$1.example.com"
  sed -i "/- $1.example.com\$/,/port: /s/^\( *\)port: .*/&\n\1body-size: 1m/" docker-compose.yml
  echo 'add_header X-Demo "seen before, proved after" always;' >"nginx/custom/$1.example.com.conf"
}
edit app1
show stackctl plan
show stackctl up
show stackctl history
show stackctl rollback --dry-run
show stackctl rollback
show stackctl plan

say "the way of a request, and what is wrong where there is none"
show stackctl explain app1.example.com
show stackctl doctor app1.example.com

cat <<END

The stack runs. To play with it:
  cd .lab/demo && export PATH="$BIN:\$PATH" STACKCTL_RESOLVER=127.0.0.1:8053
  stackctl edit                                shows the plan and asks before anything changes
  stackctl rollback                            takes the rollback back
  docker stop stackctl-lab-demo-app1-1         then 'stackctl status', and 'stackctl up'
  stackctl renew --force app2.example.com
  stackctl remove-app app1.example.com
Another app needs its name with the CA's resolver first:
  curl --data '{"host":"app3.example.com","addresses":["$ADDRESS"]}' http://127.0.0.1:8055/add-a
  stackctl add-app app3.example.com --image stackctl-lab/app:latest
'make demo' begins anew; 'make clean' removes all of it.
END
