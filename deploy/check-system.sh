#!/bin/sh
# Names every missing system package at once, with the one line that installs them.
python=${1:-python3}
missing=""
command -v "$python" >/dev/null 2>&1 || missing="$missing python3"
if command -v "$python" >/dev/null 2>&1; then
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "tocsin: $python is older than 3.11; name a newer one: make PYTHON=python3.12" >&2; exit 1; }
  "$python" -c 'import venv, ensurepip' 2>/dev/null || missing="$missing python3-venv"
  inc=$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')
  [ -f "$inc/Python.h" ] || missing="$missing python3-dev"
fi
command -v cc >/dev/null 2>&1 || command -v gcc >/dev/null 2>&1 || missing="$missing gcc"
if command -v cc >/dev/null 2>&1 || command -v gcc >/dev/null 2>&1; then
  echo '#include <gmp.h>' | ${CC:-cc} -E -x c - >/dev/null 2>&1 || missing="$missing libgmp-dev"
else
  missing="$missing libgmp-dev"
fi
[ -z "$missing" ] && exit 0
echo "tocsin: missing system packages:$missing" >&2
echo "tocsin: install them with:  sudo apt-get install -y$missing" >&2
exit 1
