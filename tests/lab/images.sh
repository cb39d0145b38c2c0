#!/usr/bin/env bash
# Builds the images of the lab: the product's (nginx, certbot), a test CA and a test app.
# Builds only images that are missing or whose build context has changed. Needs an engine (engine.sh).
#
#   images.sh        build
#   images.sh clean  remove the built images
set -eu
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh"

LOGS="$LAB/images"
# The label that holds the digest of an image's build context. It is on the image itself, so that a new
# clone does not rebuild the images that the engine already has.
LABEL=stackctl.lab.key

# SUITE IMAGE CONTEXT[:BUILD-ARGUMENT] VERSION-COMMAND, in build order. A tag with digits is the version of the
# program; one Dockerfile is built for several versions because the proxy's features depend on it.
catalogue() {
  cat <<'END'
forky stackctl-lab/pebble:latest tests/lab/pebble dpkg-query --show pebble
forky stackctl/nginx:1.30 nginx/image nginx -v
forky stackctl/haproxy:3.2 haproxy/image haproxy -v
forky stackctl/certbot:5.5 compose/certbot certbot --version
forky stackctl-lab/certbot-dns:latest compose/certbot:PLUGINS=python3-certbot-dns-rfc2136 certbot --version
forky stackctl-lab/bind:latest tests/lab/bind named -v
forky stackctl-lab/app:latest tests/lab/app python3 --version
forky stackctl-lab/busybox:latest tests/lab/busybox busybox
trixie stackctl/nginx:1.26 nginx/image nginx -v
trixie stackctl/haproxy:3.0 haproxy/image haproxy -v
trixie stackctl/certbot:4.0 compose/certbot certbot --version
bookworm stackctl/nginx:1.22 nginx/image nginx -v
END
}
NEWEST_NGINX=stackctl/nginx:1.30

image_id() { docker image inspect --format '{{.Id}}' "$1" 2>/dev/null; }
image_key() { docker image inspect --format "{{index .Config.Labels \"$LABEL\"}}" "$1" 2>/dev/null; }

# context_key DIRECTORY BASE-ID: a digest of the names and contents of the files, and of the base.
context_key() {
  (
    cd "$ROOT/$1"
    echo "$2"
    find . -type f -not -path '*/__pycache__/*' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
  ) | sha256sum | cut -d' ' -f1
}

# The mirror that this machine already uses.
debian_mirror() {
  # shellcheck disable=SC2016  # apt-get fills these in
  apt-get indextargets --format '$(SITE) $(ORIGIN) $(LABEL)' 'Created-By: Packages' 2>/dev/null |
    awk '$2 == "Debian" && $3 == "Debian" { print $1; exit }'
}

# Creates a base image from packages, for a machine that cannot reach an image registry.
import_base() {
  local suite=$1 image=$2 dir mirror script=
  on_debian && [ "$(id -u)" -eq 0 ] || die "$image cannot be pulled, and creating it needs root on Debian"
  mirror=$(debian_mirror)
  [ -n "$mirror" ] || die "$image cannot be pulled, and apt has no Debian mirror to create it from"
  need debootstrap debootstrap
  # Suites unknown to this machine's debootstrap use the script of sid.
  if [ ! -e "/usr/share/debootstrap/scripts/$suite" ]; then
    script=/usr/share/debootstrap/scripts/sid
  fi
  dir=$(mktemp -d)
  # shellcheck disable=SC2064  # the current value
  trap "rm -rf '$dir'" EXIT
  debootstrap --variant=minbase "$suite" "$dir" "$mirror" ${script:+"$script"}
  rm -rf "$dir"/var/cache/apt/archives/*.deb "$dir"/var/lib/apt/lists/*
  # As in the published images: no service starts while packages are installed, and package files are
  # neither synced to disk nor kept.
  printf '#!/bin/sh\nexit 101\n' >"$dir/usr/sbin/policy-rc.d"
  chmod 755 "$dir/usr/sbin/policy-rc.d"
  echo force-unsafe-io >"$dir/etc/dpkg/dpkg.cfg.d/unsafe-io"
  printf 'path-exclude /usr/share/%s/*\n' doc man info locale >"$dir/etc/dpkg/dpkg.cfg.d/slim"
  echo 'Acquire::Languages "none";' >"$dir/etc/apt/apt.conf.d/no-languages"
  # The mirror may be a snapshot, whose index has expired.
  echo 'Acquire::Check-Valid-Until "false";' >"$dir/etc/apt/apt.conf.d/snapshot"
  tar -C "$dir" -c . |
    docker import --change 'CMD ["bash"]' --change "LABEL $LABEL=base" - "$image"
}

ensure_base() {
  local suite=$1 image="debian:$1-slim"
  image_id "$image" >/dev/null && return
  say "creating $image"
  timeout 300 docker pull "$image" >"$LOGS/$suite.log" 2>&1 && return
  # In a separate process: `set -e` is ignored in a function whose result is tested.
  bash "$0" import "$suite" "$image" >>"$LOGS/$suite.log" 2>&1 ||
    die "$image was not created; log: ${LOGS#"$ROOT"/}/$suite.log: $(tail -n 3 "$LOGS/$suite.log")"
}

# build SUITE IMAGE CONTEXT COMMAND...
build() {
  local suite=$1 image=$2 context=${3%%:*} argument=${3#*:} key log wanted found started=$SECONDS options=()
  [ "$argument" = "$3" ] || options=(--build-arg "$argument")
  shift 3
  key=$(context_key "$context" "$(image_id "debian:$suite-slim")${options[*]}")
  [ "$(image_key "$image")" != "$key" ] || return 0
  log="$LOGS/$(basename "${image/:/-}").log"
  # The classic builder uses the engine's copy of the base without contacting a registry.
  DOCKER_BUILDKIT=0 docker build --force-rm --build-arg "BASE=debian:$suite-slim" "${options[@]}" \
    --label "$LABEL=$key" --tag "$image" "$ROOT/$context" >"$log" 2>&1 ||
    die "$image was not built; log: ${log#"$ROOT"/}: $(tail -n 3 "$log")"
  found=$(docker run --rm --entrypoint "$1" "$image" "${@:2}" 2>&1 | grep -Eo '[0-9]+(\.[0-9]+)+' | head -n 1)
  say "built $image (${found:-unknown version}, $((SECONDS - started)) s)"
  wanted=${image##*:}
  if [ "$wanted" != latest ] && [ "${found#"$wanted".}" = "$found" ] && [ "$found" != "$wanted" ]; then
    say "warning: $image has version $found: the $suite suite has a newer one"
  fi
}

# chain SUITE: builds its base, then all images based on it.
chain() {
  local suite image context command
  ensure_base "$1"
  while read -r suite image context command; do
    if [ "$suite" = "$1" ]; then
      # shellcheck disable=SC2086  # one argument per word
      build "$suite" "$image" "$context" $command </dev/null
    fi
  done < <(catalogue)
}

up() {
  local suite jobs=() job failed=0 latest
  docker version >/dev/null 2>&1 || die "no Docker Engine answers: run tests/lab/engine.sh"
  mkdir -p "$LOGS"
  # In parallel, because downloads, unpacking and builds wait for different resources.
  for suite in forky trixie bookworm; do
    chain "$suite" &
    jobs+=($!)
  done
  for job in "${jobs[@]}"; do
    wait "$job" || failed=1
  done
  [ "$failed" -eq 0 ] || die "not all images could be built"
  latest="${NEWEST_NGINX%:*}:latest"
  if [ "$(image_id "$latest")" != "$(image_id "$NEWEST_NGINX")" ]; then
    docker tag "$NEWEST_NGINX" "$latest"
  fi
  say "images are ready"
}

clean() {
  local ids
  ids=$(docker image ls --quiet --filter "label=$LABEL" | sort -u)
  # shellcheck disable=SC2086  # one word per image
  [ -z "$ids" ] || docker image rm --force $ids >/dev/null 2>&1 ||
    say "images in use by other containers were kept"
}

case ${1:-up} in
  up)
    lock images
    up
    ;;
  clean)
    lock images
    clean
    ;;
  import) import_base "$2" "$3" ;;
  *) die "usage: $0 [up|clean]" ;;
esac
