"""Fetches the packages of contracts that others published: `python -m tests.integration.levers.packages`. What reads
them is part of the local network, and is what tests import from here too."""

from __future__ import annotations

import shutil
import subprocess
import sys

from node.testnet.real.packages import (
    AAVE,
    CACHE,
    OPEN_ZEPPELIN,
    OPEN_ZEPPELIN_4,
    PERP,
    ROOT,
    SAFE,
    SAFE_LATER,
    SYNTHETIX,
    UNISWAP,
    Locked,
    PackageFault,
    artifact,
    linked,
    locked,
    missing,
    package,
)

__all__ = [
    "AAVE",
    "CACHE",
    "OPEN_ZEPPELIN",
    "OPEN_ZEPPELIN_4",
    "PERP",
    "ROOT",
    "SAFE",
    "SAFE_LATER",
    "SYNTHETIX",
    "UNISWAP",
    "Locked",
    "PackageFault",
    "artifact",
    "linked",
    "locked",
    "missing",
    "package",
]
FETCH_S = 300


def fetch(one: Locked) -> None:
    """By `npm pack`, which runs no script of the package. PackageFault."""
    npm = shutil.which("npm")
    if npm is None:
        raise PackageFault("npm is not installed: it comes with Node.js; contracts of others cannot be fetched")
    CACHE.mkdir(exist_ok=True)
    command = [npm, "pack", "--silent", "--ignore-scripts", "--pack-destination", str(CACHE)]
    done = subprocess.run(
        [*command, f"{one.name}@{one.version}"], cwd=CACHE, capture_output=True, text=True, timeout=FETCH_S, check=False
    )
    if done.returncode:
        said = (done.stderr.strip() or "npm said nothing").splitlines()[-1]
        raise PackageFault(f"{one.name} {one.version} could not be fetched: {said[:200]}")
    one.read()


def main() -> int:
    for one in locked():
        try:
            if missing(f"{one.name}@{one.version}"):
                one.archive.unlink(missing_ok=True)
                fetch(one)
            print(f"{one.name} {one.version}: {one.archive.relative_to(ROOT)}, as the lock names it")
        except PackageFault as fault:
            print(f"levers: {fault}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
