"""axe-core, which finds what a screen reader or a keyboard cannot use: fetched once by its hash, and never unpacked to
disk. `python -m tests.browser.axe` fetches it."""

from __future__ import annotations

import base64
import functools
import hashlib
import io
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".browser"
LOCK = Path(__file__).with_name("axe.lock")
FETCH_S = 120
MEMBER = "package/axe.min.js"
GRAVE = ("serious", "critical")
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


class AxeFault(Exception):
    """It is not there, or not what the lock names; the text says what to do."""


def locked() -> tuple[str, str, bytes]:
    """(name, version, sha512)"""
    (row,) = (line.split() for line in LOCK.read_text("utf-8").splitlines() if line and line[0] != "#")
    return row[0], row[1], base64.b64decode(row[2])


def archive() -> Path:
    name, version, _ = locked()
    return CACHE / f"{name}-{version}.tgz"


@functools.cache
def source() -> str:
    """Its script. AxeFault."""
    path = archive()
    if not path.is_file():
        raise AxeFault(f"{path.name} is not here; run `make browser`, which needs npm for it")
    raw = path.read_bytes()
    if hashlib.sha512(raw).digest() != locked()[2]:
        raise AxeFault(f"{path.name} is not what {LOCK.name} names; remove it and run `make browser`")
    with tarfile.open(fileobj=io.BytesIO(raw), mode="r:gz") as opened:
        found = opened.extractfile(MEMBER)
        if found is None:
            raise AxeFault(f"{path.name} holds no {MEMBER}")
        return found.read().decode()


def faults(page: Any) -> list[str]:
    """Of the page as it is now: what is serious or worse, one line each. The browser's protocol runs it, so that the
    page's own policy for scripts stays in force."""
    page.evaluate(source())
    told = page.evaluate("tags => axe.run(document, {runOnly: tags, resultTypes: ['violations']})", TAGS)
    return [
        f"{one['impact']} {one['id']}: {node['target']} {node['failureSummary'].splitlines()[-1].strip()}"
        for one in told["violations"]
        if one["impact"] in GRAVE
        for node in one["nodes"]
    ]


def fetch() -> None:
    """By `npm pack`, which runs no script of the package. AxeFault."""
    name, version, _ = locked()
    npm = shutil.which("npm")
    if npm is None:
        raise AxeFault("npm is not installed: it comes with Node.js; axe-core cannot be fetched")
    CACHE.mkdir(exist_ok=True)
    archive().unlink(missing_ok=True)
    command = [npm, "pack", "--silent", "--ignore-scripts", "--pack-destination", str(CACHE), f"{name}@{version}"]
    done = subprocess.run(command, cwd=CACHE, capture_output=True, text=True, timeout=FETCH_S, check=False)
    if done.returncode:
        said = (done.stderr.strip() or "npm said nothing").splitlines()[-1]
        raise AxeFault(f"{name} {version} could not be fetched: {said[:200]}")
    source()


def main() -> int:
    try:
        try:
            source()
        except AxeFault:
            fetch()
    except AxeFault as fault:
        print(f"browser: {fault}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
