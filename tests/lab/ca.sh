#!/usr/bin/env bash
# Runs an ACME CA (Pebble) and its DNS server (pebble-challtestsrv), for tests.
#
#   ca.sh up      start both, if they are not running
#   ca.sh down    stop both and remove their files
#   ca.sh status  report whether they are running; exit with 1 unless both are
#
# Both run on the host's network, so that the CA can reach every stack that publishes its proxy on its own
# loopback address (127.0.0.N:80 and :443), and many stacks can run in parallel.
#   .lab/ca/directory  the URL of the ACME directory, as containers reach it
#   .lab/ca/ca.pem     the root of that API's certificate (REQUESTS_CA_BUNDLE of a client)
#   .lab/ca/root.pem   the root of the issued certificates; a new one after every start
#   http://127.0.0.1:8055  changes DNS: POST /add-a {"host":"a.example.com","addresses":["127.0.0.9"]}
# PEBBLE_WFE_NONCEREJECT and PEBBLE_AUTHZREUSE (percent) are passed on when set.
set -eu
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh"

CA="$LAB/ca"
IMAGE=stackctl-lab/pebble:latest
PEBBLE=stackctl-lab-pebble
DNS=stackctl-lab-dns
LABEL=stackctl.lab.key

# Valid nonces are rejected at random by default, which clients must handle. Pebble's default of reusing
# half of the authorizations is off: it would hide a broken challenge path half of the time.
NONCEREJECT=${PEBBLE_WFE_NONCEREJECT:-5}
AUTHZREUSE=${PEBBLE_AUTHZREUSE:-0}

running() { [ "$(docker container inspect --format '{{.State.Running}}' "$1" 2>/dev/null)" = true ]; }
key_of() { docker container inspect --format "{{index .Config.Labels \"$LABEL\"}}" "$1" 2>/dev/null; }
fetch() { curl --noproxy '*' --fail --silent --show-error --max-time 5 --cacert "$CA/ca.pem" "$@"; }

# The address of the host on the default bridge, which containers on every bridge can reach.
# Without a configured gateway, the engine may not report it: it is then the first address of the subnet.
gateway() {
  local subnet address
  read -r subnet address < <(docker network inspect bridge \
    --format '{{with index .IPAM.Config 0}}{{.Subnet}} {{.Gateway}}{{end}}' 2>/dev/null) || return 1
  subnet=${subnet%/*}
  echo "${address:-${subnet%.*}.1}"
}

write_configuration() {
  cat >"$1/pebble.json" <<'END'
{
  "pebble": {
    "listenAddress": "0.0.0.0:14000",
    "managementListenAddress": "0.0.0.0:15000",
    "certificate": "/lab/cert.pem",
    "privateKey": "/lab/key.pem",
    "httpPort": 80,
    "tlsPort": 443,
    "ocspResponderURL": "",
    "externalAccountBindingRequired": false,
    "domainBlocklist": ["blocked-domain.example"],
    "retryAfter": { "authz": 1, "order": 1 },
    "keyAlgorithm": "ecdsa",
    "profiles": {
      "default": { "description": "90 days", "validityPeriod": 7776000 },
      "shortlived": { "description": "6 days", "validityPeriod": 518400 }
    }
  }
}
END
}

# write_keys DIRECTORY GATEWAY: creates a throwaway CA and the certificate of the ACME API.
# Python 3.13 and newer reject a CA without keyUsage and a certificate without authorityKeyIdentifier,
# so every extension is set explicitly instead of by openssl's defaults.
write_keys() {
  cat >"$1/openssl.cnf" <<END
[req]
distinguished_name = name
prompt = no
[name]
CN = stackctl lab
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[api]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid:always
subjectAltName = DNS:pebble, DNS:localhost, IP:127.0.0.1, IP:$2
END
  # One chain of &&: `set -e` is ignored in a command whose result is tested.
  (
    cd "$1" &&
      openssl req -x509 -config openssl.cnf -extensions ca -newkey ec -pkeyopt ec_paramgen_curve:P-256 \
        -nodes -days 3650 -subj '/CN=stackctl lab: CA of the ACME API' -keyout ca.key -out ca.pem &&
      openssl req -new -config openssl.cnf -newkey ec -pkeyopt ec_paramgen_curve:P-256 \
        -nodes -subj /CN=pebble -keyout key.pem -out api.csr &&
      openssl x509 -req -in api.csr -CA ca.pem -CAkey ca.key -set_serial 1 -days 3650 \
        -extfile openssl.cnf -extensions api -out cert.pem &&
      # The CA's key signs nothing else.
      rm ca.key api.csr openssl.cnf
  ) >"$LAB/openssl.log" 2>&1 || die "openssl failed: $(tail -n 3 "$LAB/openssl.log")"
}

# check NAME COMMAND...: polls until the container answers; fails if it has exited.
check() {
  local name=$1
  shift
  if ! wait_until 30 answered_or_ended "$name" "$@" || ! running "$name"; then
    docker logs --tail 10 "$name" >&2 || true
    die "$name does not answer"
  fi
}

answered_or_ended() {
  local name=$1
  shift
  "$@" || ! running "$name"
}

start_dns() {
  docker rm --force "$DNS" >/dev/null 2>&1 || true
  docker run --detach --name "$DNS" --label "$LABEL=$1" --network host "$IMAGE" \
    pebble-challtestsrv -defaultIPv4 127.0.0.1 -defaultIPv6 '' -http01 '' -https01 '' \
    -tlsalpn01 '' -doh '' -dnsserver :8053 -management :8055 >/dev/null
}

start_pebble() {
  local files="$CA/pebble"
  rm -rf "$CA"
  mkdir -p "$files"
  write_configuration "$files"
  write_keys "$files" "$2"
  docker rm --force "$PEBBLE" >/dev/null 2>&1 || true
  docker create --name "$PEBBLE" --label "$LABEL=$1" --network host \
    --env PEBBLE_VA_NOSLEEP=1 --env "PEBBLE_WFE_NONCEREJECT=$NONCEREJECT" \
    --env "PEBBLE_AUTHZREUSE=$AUTHZREUSE" "$IMAGE" \
    pebble -config /lab/pebble.json -dnsserver 127.0.0.1:8053 >/dev/null
  # Copied, not mounted: the containers may outlive the checkout that started them.
  docker cp "$files/." "$PEBBLE:/lab" >/dev/null 2>&1
  docker start "$PEBBLE" >/dev/null
}

# Another checkout may have started the CA, and every start makes a new root: read both from the running CA.
write_trust() {
  mkdir -p "$CA"
  docker cp "$PEBBLE:/lab/ca.pem" "$CA/ca.pem.new" >/dev/null 2>&1
  mv "$CA/ca.pem.new" "$CA/ca.pem"
  check "$PEBBLE" fetch https://127.0.0.1:14000/dir
  fetch --output "$CA/root.pem.new" https://localhost:15000/roots/0
  mv "$CA/root.pem.new" "$CA/root.pem"
  echo "https://$1:14000/dir" >"$CA/directory"
}

up() {
  local address image key
  address=$(gateway) || die "no Docker Engine answers: run tests/lab/engine.sh"
  image=$(docker image inspect --format '{{.Id}}' "$IMAGE" 2>/dev/null) ||
    die "$IMAGE is missing: run tests/lab/images.sh"
  need openssl openssl
  need curl curl
  need certutil libnss3-tools
  key=$(printf '%s\n' "$address" "$image" "$NONCEREJECT" "$AUTHZREUSE" "$(cat "$0")" | sha256sum | cut -d' ' -f1)
  if ! running "$DNS" || [ "$(key_of "$DNS")" != "$key" ]; then
    start_dns "$key"
  fi
  if ! running "$PEBBLE" || [ "$(key_of "$PEBBLE")" != "$key" ]; then
    start_pebble "$key" "$address"
  fi
  check "$DNS" curl --noproxy '*' --silent --max-time 5 http://127.0.0.1:8055/
  write_trust "$address"
  say "the test CA answers at $(cat "$CA/directory")"
}

down() {
  if docker version >/dev/null 2>&1; then
    docker rm --force "$PEBBLE" "$DNS" >/dev/null 2>&1 || true
  fi
  rm -rf "$CA"
}

status() {
  local name failed=0
  for name in "$PEBBLE" "$DNS"; do
    if running "$name"; then
      say "$name is running"
    else
      say "$name is not running"
      failed=1
    fi
  done
  return "$failed"
}

lock ca
case ${1:-} in
  up) up ;;
  down) down ;;
  status) status ;;
  *) die "usage: $0 up|down|status" ;;
esac
