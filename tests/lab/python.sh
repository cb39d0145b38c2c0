#!/usr/bin/env bash
# Makes sure that there is a Python to build the virtual environment with.
#
#   python.sh PYTHON   ends with 0 where PYTHON is 3.11 or newer and has venv and pip;
#                      the distribution's own is installed first where that can make it so
set -eu
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh"

PYTHON=$1

fits() {
  "$PYTHON" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

fits && exit
if [ "$PYTHON" = python3 ] && can_install; then
  install_packages python3 python3-venv
fi
fits || die "stackctl needs Python 3.11 or newer with venv and pip, and '$PYTHON' is not that:" \
  "install it (Debian: apt-get install python3-venv) or name another one: make PYTHON=python3.12"
