# shellcheck shell=bash
# Shared by the lab's scripts: messages, deadlines, the lock, system packages.
# Sourced by the bash scripts of this directory, after `set -eu`.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck disable=SC2034  # read by the scripts that source this file
LAB="$ROOT/.lab"

say() { printf 'lab: %s\n' "$*"; }

die() {
  printf 'lab: error: %s\n' "$*" >&2
  exit 1
}

# wait_until SECONDS COMMAND...: polls until the command succeeds; fails at the deadline.
wait_until() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < deadline)) || return 1
    sleep 0.2
  done
}

# Two terminals may set up the same checkout at once: the second waits, then has nothing to do.
# The lock is on file descriptor 9, so anything that outlives the script must close it.
lock() {
  mkdir -p "$LAB"
  exec 9>"$LAB/$1.lock"
  if command -v flock >/dev/null; then
    flock 9
  fi
}

on_debian() {
  [ -r /etc/os-release ] && grep -Eq '^ID(_LIKE)?=.*(debian|ubuntu)' /etc/os-release &&
    command -v apt-get >/dev/null
}

can_install() { [ "$(id -u)" -eq 0 ] && on_debian; }

# Parallel jobs may install, and apt-get does not wait for itself. The lock is on file descriptor 8, until the end of
# the subshell that takes it.
lock_apt() {
  mkdir -p "$LAB"
  exec 8>"$LAB/apt.lock"
  if command -v flock >/dev/null; then
    flock 8
  fi
}

# install_packages NAME...: installs distribution packages non-interactively.
install_packages() {
  (
    lock_apt
    install_locked "$@"
  )
}

install_locked() {
  local log="$LAB/apt.log"
  say "installing $* (log: ${log#"$ROOT"/})"
  if ! { apt-get update &&
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"; } \
    >"$log" 2>&1 8>&- 9>&- </dev/null; then
    tail -n 15 "$log" >&2
    die "apt-get could not install $*"
  fi
}

# need COMMAND PACKAGE: makes sure that a tool is present; installs it if possible.
need() {
  command -v "$1" >/dev/null && return
  can_install || die "'$1' is missing: install it (package $2) and run this again"
  (
    lock_apt
    # Another job may have installed it meanwhile.
    command -v "$1" >/dev/null || install_locked "$2"
  )
}
