#!/usr/bin/env bash
# Gets promtool, which checks metrics, alert rules and expressions: from Debian's package, without installing it.
#
#   promtool.sh   prints nothing if it is there already, as .lab/promtool
set -eu
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh"

TOOL="$LAB/promtool"
PACKAGE=prometheus

[ -x "$TOOL" ] && exit
if command -v promtool >/dev/null; then
  mkdir -p "$LAB"
  ln -sf "$(command -v promtool)" "$TOOL"
  exit
fi
if ! on_debian; then
  # The demo does without it.
  say "the tests of metrics need promtool, and there is none: install Prometheus, so that it is on the PATH"
  exit
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
download() (
  cd "$work"
  lock_apt
  apt-get download "$PACKAGE" 2>&1
)
download >"$work/log" || {
  if can_install; then (lock_apt; apt-get update) >>"$work/log" 2>&1 || true; fi
  download >>"$work/log" || { tail -n 5 "$work/log" >&2; die "apt-get could not download $PACKAGE"; }
}
dpkg -x "$work"/"$PACKAGE"_*.deb "$work/files"
mkdir -p "$LAB"
# Renamed into place, as another checkout can set itself up at the same time.
mv "$work/files/usr/bin/promtool" "$TOOL.$$"
mv "$TOOL.$$" "$TOOL"
say "promtool $("$TOOL" --version 2>&1 | awk 'NR == 1 { print $3 }')"
