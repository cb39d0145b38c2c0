#!/bin/sh
# Written by stackctl. Asks the servers that the files beside this one name, and lets nginx leave out those that fail.
# Usage: watch.sh ETC OWN PID. Ends when other files are live or loaded: the container's program starts theirs.
# Beside OWN/health/state, which 'stackctl status' reads, are the files that nginx includes.
etc=$1 own=$2 pid=$3
set=$(readlink "$etc/live") used=$(readlink "$own/conf") state=$own/health
work=$state/work.$$
rm -rf "$state"/work.*
mkdir -p "$work" || exit
for file in state servers.conf chosen.map; do : >>"$state/$file"; done
# A folder of links has files of its own where names have come back.
from=$own/conf/health
[ -e "$from" ] || from=$etc/$set/health
cat "$from/"*.conf >"$work/wanted" 2>/dev/null
: >"$work/none"
# servers MODE INTERVAL [PART FILE]... : see servers.awk.
servers() {
  mode=$1 turn=$2
  shift 2
  awk -v mode="$mode" -v turn="$turn" -v now="$(date +%s)" -v servers_file="$work/servers.conf" \
    -v chosen_file="$work/chosen.map" -v log_file="$work/log" -f "$etc/$set/health/servers.awk" \
    part=wanted "$work/wanted" "$@"
}
# Asks all servers with one interval, in one process.
ask() {
  names=$(servers names "$1")
  # shellcheck disable=SC2086  # each is an argument
  RES_OPTIONS='timeout:1 attempts:1' getent -A ahostsv4 $names >"$work/found.$1" 2>/dev/null
  servers ask "$1" part=state "$state/state" part=found "$work/found.$1" >"$work/asked.$1"
  curl -q -K "$work/asked.$1" >"$work/new.$1" 2>/dev/null
  mv "$work/new.$1" "$work/answers.$1" 2>/dev/null
}
# A group is defined before it is chosen, and chosen no longer before it is gone: stackctl may reload nginx meanwhile.
put() {
  if [ -s "$1/chosen.map" ]; then
    cp "$1/servers.conf" "$state/servers.new" && mv "$state/servers.new" "$state/servers.conf"
    cp "$1/chosen.map" "$state/chosen.new" && mv "$state/chosen.new" "$state/chosen.map"
  else
    : >"$state/chosen.map"; : >"$state/servers.conf"
  fi
}
# Lets nginx load what follows from the state, if that has changed.
load() {
  cmp -s "$work/servers.conf" "$state/servers.conf" && cmp -s "$work/chosen.map" "$state/chosen.map" && return
  # One that fails now and then costs a reload a minute at most: each may leave an old worker with connections.
  [ "$tick" -ge "$next" ] || return
  rm -rf "$work/before"; mkdir "$work/before"
  cp "$state/servers.conf" "$state/chosen.map" "$work/before/"
  put "$work"
  if why=$(nginx -e /dev/stderr -t -q -c "$own/conf/nginx.conf" 2>&1); then
    kill -HUP "$(cat "$pid")"
  else
    put "$work/before"
    printf 'stackctl: no server is left out: %s\n' "$why" >&2
  fi
  [ $((tick - next)) -lt 600 ] || pause=1
  next=$((tick + pause)) pause=$((pause * 2))
  [ "$pause" -le 60 ] || pause=60
}
judge() {
  : >"$work/servers.conf"; : >"$work/chosen.map"; : >"$work/log"
  servers judge "$1" part=state "$state/state" part=asked "$2" part=answers "$3" >"$work/judged" || return
  cat "$work/log" >&2
  load
  servers mark 0 part=loaded "$state/servers.conf" part=judged "$work/judged" >"$work/state" &&
    mv "$work/state" "$state/state"
}
intervals=$(sed -n 's/^group \([^ ]* \)\{6\}\([0-9]*\) .*/\2/p' "$work/wanted" | sort -u)
tick=0 next=0 pause=1
judge 0 "$work/none" "$work/none"
while [ "$(readlink "$etc/live") $(readlink "$own/conf")" = "$set $used" ]; do
  for every in $intervals; do
    if [ -e "$work/answers.$every" ]; then
      judge "$every" "$work/asked.$every" "$work/answers.$every"
      rm -f "$work/asked.$every" "$work/answers.$every"
    fi
    if [ $((tick % every)) -eq 0 ] && [ ! -e "$work/asked.$every" ]; then
      : >"$work/asked.$every"
      ask "$every" 2>/dev/null &
    fi
  done
  sleep 1
  tick=$((tick + 1))
done
rm -rf "$work"
