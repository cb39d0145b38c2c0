#!/usr/bin/env bash
# Removes everything that the Makefile's targets created in this checkout and in the engine: stacks,
# the test CA, images, the engine's process (if it was started here), the virtual environment and
# generated files. System packages are kept.
#
# A stack belongs to the lab if its project is below .lab/ or its name starts with stackctl-lab-.
set -eu
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh"

PREFIX=stackctl-lab-

lab_projects() {
  docker ps --all --filter label=com.docker.compose.project --format \
    '{{.Label "com.docker.compose.project"}} {{.Label "com.docker.compose.project.working_dir"}}' |
    sort -u | while read -r project directory; do
    case $project:$directory in
      "$PREFIX"* | *:"$LAB"/*) echo "$project" ;;
    esac
  done
}

# remove KIND FILTER: removes the matching containers, networks or volumes, if there are any.
remove() {
  local kind=$1 ids list=(ls --quiet --filter "$2") rm=(rm)
  case $kind in
    container)
      list+=(--all)
      rm+=(--force --volumes)
      ;;
    volume) rm+=(--force) ;;
  esac
  ids=$(docker "$kind" "${list[@]}")
  # shellcheck disable=SC2086  # one word per object
  [ -z "$ids" ] || docker "$kind" "${rm[@]}" $ids >/dev/null
}

if command -v docker >/dev/null && docker version >/dev/null 2>&1; then
  say "removing stacks, the test CA and images"
  for project in $(lab_projects); do
    for kind in container network volume; do
      remove "$kind" "label=com.docker.compose.project=$project"
    done
  done
  for kind in container network volume; do
    remove "$kind" "name=^/?$PREFIX"
  done
  "$ROOT/tests/lab/images.sh" clean
fi
"$ROOT/tests/lab/engine.sh" stop

say "removing generated files"
cd "$ROOT"
find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
rm -rf .lab .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage .coverage.* htmlcov build dist ./*.egg-info
