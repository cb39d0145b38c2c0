#!/usr/bin/env bash
# A CA that speaks ACME (Pebble) and the DNS server it asks (pebble-challtestsrv), for tests.
#
#   ca.sh up      start both; running again changes nothing
#   ca.sh down    stop both and remove what they made
#   ca.sh status  say what runs; exit status 1 unless both do
#
# Both run in the host's network: the CA then reaches every stack that publishes its proxy on a
# loopback address of its own (127.0.0.N:80 and :443), so many stacks live side by side.
#   .lab/ca/directory  the ACME directory as containers reach it
#   .lab/ca/ca.pem     trust for that API (REQUESTS_CA_BUNDLE of a client)
#   .lab/ca/root.pem   the root of the certificates issued; a new one after every start
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

# Good nonces are refused now and then by default, as clients must cope with that. Validating
# again only sometimes, the other default, would hide a broken challenge path half of the time.
NONCEREJECT=${PEBBLE_WFE_NONCEREJECT:-5}
AUTHZREUSE=${PEBBLE_AUTHZREUSE:-0}

running() { [ "$(docker container inspect --format '{{.State.Running}}' "$1" 2>/dev/null)" = true ]; }
key_of() { docker container inspect --format "{{index .Config.Labels \"$LABEL\"}}" "$1" 2>/dev/null; }
fetch() { curl --noproxy '*' --fail --silent --show-error --max-time 5 --cacert "$CA/ca.pem" "$@"; }

# The address of the host on the default bridge, which containers of every bridge can reach.
# An engine that chose it by itself may not tell; it then took the first one of the subnet.
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

# write_keys DIRECTORY GATEWAY: a CA of one use, and the certificate of the ACME API.
# Python from 3.13 on refuses a CA without keyUsage and a certificate without the identifier of
# its issuer's key, so every extension is spelled out instead of left to openssl's own defaults.
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
  # One chain of &&: `set -e` does not count in a command whose result is tested.
  (
    cd "$1" &&
      openssl req -x509 -config openssl.cnf -extensions ca -newkey ec -pkeyopt ec_paramgen_curve:P-256 \
        -nodes -days 3650 -subj '/CN=stackctl lab: CA of the ACME API' -keyout ca.key -out ca.pem &&
      openssl req -new -config openssl.cnf -newkey ec -pkeyopt ec_paramgen_curve:P-256 \
        -nodes -subj /CN=pebble -keyout key.pem -out api.csr &&
      openssl x509 -req -in api.csr -CA ca.pem -CAkey ca.key -set_serial 1 -days 3650 \
        -extfile openssl.cnf -extensions api -out cert.pem &&
      # Nothing else is to be signed with it.
      rm ca.key api.csr openssl.cnf
  ) >"$LAB/openssl.log" 2>&1 || die "openssl failed: $(tail -n 3 "$LAB/openssl.log")"
}

# check NAME COMMAND...: polls until the container answers or has ended.
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
  # Copied, not mounted: the CA belongs to the engine and outlives the tree that started it.
  docker cp "$files/." "$PEBBLE:/lab" >/dev/null 2>&1
  docker start "$PEBBLE" >/dev/null
}

# Another tree may have started the CA, and every start makes a new root: take both from what runs.
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
      say "$name runs"
    else
      say "$name does not run"
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
