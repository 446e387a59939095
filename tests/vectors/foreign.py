"""Where other people's vectors lie: beside the checkout, never in it. Tests skip, and say so, where they are absent."""

from __future__ import annotations

import gzip
import json
import os
import re
import tarfile
from pathlib import Path
from typing import Any

import pytest


def foreign(name: str) -> Path:
    root = os.environ.get("TOCSIN_DATA")
    path = Path(root or "") / "interop" / name
    if not root or not path.is_file():
        pytest.skip(f"TOCSIN_DATA names no directory with interop/{name}: other people's vectors are not copied here")
    return path


def wycheproof_ed25519() -> list[tuple[bytes, dict[str, Any]]]:
    """(public key, test) of every test."""
    with gzip.open(foreign("wycheproof_ed25519_test.json.gz")) as packed:
        groups = json.load(packed)["testGroups"]
    return [(bytes.fromhex(group["publicKey"]["pk"]), test) for group in groups for test in group["tests"]]


def cose_examples() -> dict[str, dict[str, Any]]:
    """Path in the working group's repository → example."""
    return packed_json("cose_wg_examples.tar.xz")


def packed_json(name: str) -> dict[str, Any]:
    """Path in an archive → what each of its JSON files says."""
    found = {}
    with tarfile.open(foreign(name)) as archive:
        for member in archive:
            packed = archive.extractfile(member) if member.name.endswith(".json") else None
            if packed is not None:
                found[member.name.removeprefix("./")] = json.loads(packed.read().decode("utf-8-sig"))
    return found


def appendix_a() -> list[tuple[str, str]]:
    """(hexadecimal, the value as its author wrote it in JavaScript) of every example of RFC 8949, appendix A."""
    text = foreign("cborg_rfc8949_appendix_a.js").read_text("utf-8")
    found = []
    for part in text.split("cbor: '")[1:]:
        hexes = re.search(r"hex: '([0-9a-f]*)'", part)
        value = re.search(r"(?:decoded|diagnostic): (.*?)(?:,\n    (?:error|noTag)|\n  \})", part, re.DOTALL)
        if hexes is not None and value is not None:
            found.append((hexes.group(1), " ".join(value.group(1).split())))
    return found
