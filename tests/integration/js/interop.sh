#!/bin/sh
# make interop: the foreign peer's packages by their hashes, on demand, then its tests. Where Node.js or the registry is
# missing it says so and ends with 0; a package that is not what the lock says, or a test that fails, ends with 1.
python=$1
here=$(dirname "$0")

skip() {
    echo "interop: skipped: $1"
    exit 0
}

command -v node >/dev/null 2>&1 || skip "Node.js >= 20 is not installed"
command -v npm >/dev/null 2>&1 || skip "npm is not installed"
[ "$(node -p 'process.versions.node.split(".")[0]')" -ge 20 ] || skip "Node.js >= 20 is needed, $(node --version) is installed"

stamp=$here/node_modules/.installed
if ! cmp -s "$here/package-lock.json" "$stamp"; then
    echo "interop: npm ci (once; some seconds)"
    if ! said=$(cd "$here" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error 2>&1); then
        case $said in
        *EINTEGRITY* | *EUSAGE*)
            echo "$said" >&2
            exit 1
            ;;
        esac
        skip "npm ci failed: $(echo "$said" | head -n 1)"
    fi
    cp "$here/package-lock.json" "$stamp"
fi
exec "$python" -m pytest "$here"
