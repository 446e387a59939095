"""Where Node.js is, and whether the foreign peer's packages are here; else the reason for which a test is skipped."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
NODE_LEAST = 20


def missing() -> str:
    """The reason for which nothing here can run; empty where it can."""
    node = shutil.which("node")
    if node is None:
        return f"Node.js >= {NODE_LEAST} is not installed"
    said = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=20).stdout
    version = re.match(r"v(\d+)\.", said)
    if version is None or int(version[1]) < NODE_LEAST:
        return f"Node.js >= {NODE_LEAST} is needed, {said.strip()} is installed"
    if not (HERE / "node_modules" / "libp2p").is_dir():
        return "the foreign peer's packages are not installed; `make interop` installs them"
    return ""


def script(name: str, *words: object) -> list[str]:
    """The command that runs one of our scripts."""
    return [str(shutil.which("node")), "--import", str(HERE / "polyfill.mjs"), str(HERE / name), *map(str, words)]


def needs_node() -> None:
    reason = missing()
    if reason:
        pytest.skip(reason)
