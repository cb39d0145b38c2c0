#!/usr/bin/env bash
# Makes sure that there is a Python for the virtual environment.
#
#   python.sh PYTHON   exits with 0 if PYTHON is 3.11 or newer and has venv and pip;
#                      installs the distribution's packages first where possible
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
fits || die "stackctl needs Python 3.11 or newer with venv and pip, and '$PYTHON' is not suitable:" \
  "install it (Debian: apt-get install python3-venv) or choose another one: make PYTHON=python3.12"
