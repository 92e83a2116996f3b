#!/usr/bin/env bash
# need.sh COMMAND PACKAGE: makes sure that COMMAND is there, from Debian's PACKAGE where apt-get can install it.
set -euo pipefail
command -v "$1" >/dev/null && exit 0
if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
  echo "installing $2 for $1"
  { apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "$2"; } >/dev/null || true
  command -v "$1" >/dev/null && exit 0
fi
echo "$1 is missing: install $2" >&2
exit 1
