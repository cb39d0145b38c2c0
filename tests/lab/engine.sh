#!/usr/bin/env bash
# Makes sure that a Docker Engine answers; if there is none, installs and starts one.
#
#   engine.sh        use or start the engine
#   engine.sh stop   stop the engine, if this script started it
set -eu
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh"

PIDFILE="$LAB/dockerd.pid"
LOG="$LAB/dockerd.log"

# The client prints its own version even without an engine: query the server's.
answers() { command -v docker >/dev/null && docker version --format '{{.Server.Version}}' 2>/dev/null; }

# A PID file can outlive its process, and the PID may have been reused.
ours_runs() {
  [ -s "$PIDFILE" ] && [ "$(cat "/proc/$(cat "$PIDFILE")/comm" 2>/dev/null)" = dockerd ]
}

install_engine() {
  local packages=(docker.io iptables)
  # Newer releases package the client separately.
  if ! command -v docker >/dev/null && apt-cache show docker-cli >/dev/null 2>&1; then
    packages+=(docker-cli)
  fi
  install_packages "${packages[@]}"
}

start_engine() {
  if [ -d /run/systemd/system ]; then
    systemctl start docker
    return
  fi
  if pidof dockerd >/dev/null; then
    return # already starting, by the package or by another process
  fi
  say "starting dockerd (log: ${LOG#"$ROOT"/})"
  # In a new session and without inherited descriptors: it must outlive make, and must not
  # keep the caller's pipe or lock open.
  # shellcheck disable=SC2016  # $$ and $0 belong to the inner shell
  # It starts itself again for each container and each copy: without collecting garbage, that takes a quarter less.
  GOGC=400 setsid sh -c 'echo "$$" >"$0"; exec dockerd' "$PIDFILE" >"$LOG" 2>&1 </dev/null 9>&- &
}

up() {
  local version
  if version=$(answers); then
    say "engine $version answers"
    return
  fi
  if [ -n "${DOCKER_HOST:-}" ]; then
    die "no Docker Engine answers at DOCKER_HOST=$DOCKER_HOST: start it or unset DOCKER_HOST"
  fi
  if ! command -v dockerd >/dev/null; then
    can_install || die "no Docker Engine answers: install and start one, and make sure that \
'docker version' works for this user (it is set up automatically only for root on Debian or Ubuntu)"
    install_engine
  fi
  [ "$(id -u)" -eq 0 ] || die "no Docker Engine answers: start it (as root: systemctl start docker), \
and make sure that 'docker version' works for this user"
  start_engine
  if ! wait_until 60 answers; then
    if [ -s "$LOG" ]; then tail -n 15 "$LOG" >&2; fi
    die "the engine was started but does not answer after 60 s"
  fi
  say "engine $(answers) started"
}

stop() {
  if ours_runs; then
    say "stopping the engine that 'make setup' started"
    kill "$(cat "$PIDFILE")"
    wait_until 30 gone || die "dockerd (PID $(cat "$PIDFILE")) does not stop"
  fi
  rm -f "$PIDFILE"
}

gone() { ! ours_runs; }

lock engine
case ${1:-up} in
  up) up ;;
  stop) stop ;;
  *) die "usage: $0 [up|stop]" ;;
esac
