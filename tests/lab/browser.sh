#!/usr/bin/env bash
# Makes sure that there is a Chromium, which opens the pages of 'stackctl ui' in tests: Debian's package.
set -eu
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh"

if command -v chromium >/dev/null; then
  exit 0
fi
if ! can_install; then
  say "the tests of the page need Chromium, and there is none: install it, so that 'chromium' is on the PATH"
  exit 0
fi
install_packages chromium fonts-dejavu-core
say "chromium $(dpkg-query --show --showformat '${Version}' chromium)"
