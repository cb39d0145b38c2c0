#!/usr/bin/env bash
# Starts a stack of two apps in .lab/demo with certificates of the test CA, and shows each step.
# Called by 'make demo'; arguments go to 'stackctl init' (make demo ARGS='--nginx-image stackctl/nginx:1.22').
#
# Every run starts with an empty directory: a restarted test CA has a new root and no accounts, so that
# certificates of an earlier run may be invalid.
set -eu
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh"

DEMO="$LAB/demo"
ADDRESS=127.0.0.2
APPS=(app1 app2)
BIN="$ROOT/.venv/bin"

# show COMMAND...: prints the command as a user would type it, then runs it.
show() {
  printf '\n$ %s\n' "${*/#"$ROOT"\//}"
  "$@"
}

preconditions() {
  [ -x "$BIN/stackctl" ] || die "stackctl is not installed: run 'make setup'"
  [ -s "$LAB/ca/directory" ] || die "the test CA is not running: run 'make setup'"
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
  # The default project name, 'demo', could collide with other projects on this machine.
  echo "COMPOSE_PROJECT_NAME=$project" >"$DEMO/.env"
}

# dns ACTION NAME: changes the records of the CA's resolver.
dns() {
  curl --fail --silent --show-error --max-time 5 --output /dev/null \
    --data "{\"host\":\"$2\",\"addresses\":[\"$ADDRESS\"]}" "http://127.0.0.1:8055/$1"
}

# The names exist only in the CA's resolver; curl gets the address by --resolve below.
names() {
  local app
  for app in "${APPS[@]}"; do
    docker tag stackctl-lab/app:latest "$app:latest"
    # Addresses accumulate, and the CA would use the first.
    dns clear-a "$app.example.com"
    dns add-a "$app.example.com"
  done
}

# Shows what a client sees that trusts only the CA's root.
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

# load COMMAND...: runs a command while a client sends requests to app1, and prints how many of them were lost.
# HTTP/1.1: curl does not repeat a request for which HTTP/2's GOAWAY says that it was not processed.
load() {
  local codes=../demo-codes client
  : >"$codes"
  while :; do
    curl --http1.1 --silent --max-time 10 --output /dev/null --write-out '%{http_code}\n' \
      --resolve "app1.example.com:443:$ADDRESS" --cacert ../ca/root.pem https://app1.example.com/ || true
  done >"$codes" &
  client=$!
  # shellcheck disable=SC2064  # the number of this process
  trap "kill $client 2>/dev/null || true" EXIT
  wait_until 10 test -s "$codes" || die "no request to app1.example.com was answered"
  show "$@"
  kill "$client"
  wait "$client" 2>/dev/null || true
  trap - EXIT
  printf '\n%s requests meanwhile, %s of them without a 200\n' "$(wc -l <"$codes")" "$(grep -cv '^200$' "$codes" || true)"
  rm "$codes"
}

preconditions
# All requests from here on stay on this host.
export no_proxy='*'
# The names exist only in the CA's resolver.
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

say "preview a change, apply it, and roll it back"
# The edits that a user would make in an editor.
edit() {
  printf '\n(docker-compose.yml: %s gets "body-size: 1m"; nginx/custom/%s.conf: a header)\n' "$1.example.com" "$1.example.com"
  sed -i "/- $1.example.com\$/,/port: /s/^\( *\)port: .*/&\n\1body-size: 1m/" docker-compose.yml
  echo 'add_header X-Demo "previewed, then verified" always;' >"nginx/custom/$1.example.com.conf"
}
edit app1
show stackctl plan
show stackctl up
show stackctl history
show stackctl rollback --dry-run
show stackctl rollback
show stackctl plan

say "a second app below a path, a new version under load, and a maintenance"
show stackctl add-app app1.example.com/api --service app2 --port 8000 --strip
show stackctl explain app1.example.com/api/healthz
docker tag stackctl-lab/app:latest app1:2.0
load stackctl deploy app1 --image app1:2.0
show stackctl maintenance on app2.example.com --message 'Back in a minute'
show curl --silent --show-error --resolve "app2.example.com:443:$ADDRESS" --cacert ../ca/root.pem \
  --write-out 'status: %{http_code}\n' --output /dev/null https://app2.example.com/
show stackctl maintenance off app2.example.com

say "the path of a request, and what is wrong with a name that is not served"
show stackctl explain app1.example.com
show stackctl doctor app1.example.com

cat <<END

The stack is running. To try it:
  cd .lab/demo && export PATH="$BIN:\$PATH" STACKCTL_RESOLVER=127.0.0.1:8053
  stackctl edit                                shows the plan and asks before anything changes
  stackctl rollback                            undoes the rollback
  stackctl ui --write                          prints the link of the page in the browser
  docker stop stackctl-lab-demo-app1-1         then 'stackctl status', and 'stackctl up'
  stackctl renew --force app2.example.com
  stackctl remove-app app1.example.com
Before adding another app, add its name to the CA's resolver:
  curl --data '{"host":"app3.example.com","addresses":["$ADDRESS"]}' http://127.0.0.1:8055/add-a
  stackctl add-app app3.example.com --image stackctl-lab/app:latest
'make demo' starts again with an empty directory; 'make clean' removes everything.
END
