#!/bin/sh
# Names what the browser suite needs beyond Python, with the one line that installs it.
missing=""
if [ -n "$TOCSIN_CHROMIUM" ]; then
  [ -x "$TOCSIN_CHROMIUM" ] || { echo "browser: TOCSIN_CHROMIUM names no program: $TOCSIN_CHROMIUM" >&2; exit 1; }
else
  command -v chromium >/dev/null 2>&1 || missing="$missing chromium"
fi
command -v npm >/dev/null 2>&1 || missing="$missing npm"
[ -z "$missing" ] && exit 0
echo "browser: missing system packages:$missing" >&2
echo "browser: install them with:  sudo apt-get install -y$missing" >&2
exit 1
