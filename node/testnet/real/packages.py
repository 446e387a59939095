"""Contracts that others wrote and published, as their packages hold them: fetched once (`make levers`), checked against
`packages.lock` whenever they are read, and never unpacked to disk. Nothing of them is part of this project."""

from __future__ import annotations

import base64
import functools
import hashlib
import io
import json
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
CACHE = ROOT / ".levers"
LOCK = Path(__file__).with_name("packages.lock")
AAVE, OPEN_ZEPPELIN = "@aave/core-v3", "@openzeppelin/contracts@5.7.0"
OPEN_ZEPPELIN_4, SAFE = "@openzeppelin/contracts@4.9.6", "@safe-global/safe-contracts"
SAFE_LATER = "@safe-global/safe-smart-account"
SYNTHETIX, PERP, UNISWAP = "synthetix", "@perp/curie-contract", "@uniswap/v3-core"
DEPLOYED = ["publish", "deployed", "sepolia-ovm", "deployment.json"]
"""Where a package tells what was deployed instead of holding artifacts: all of its contracts in one file."""
_FOLDERS = [CACHE]
"""Where archives are looked for: the last one."""


def look_in(folder: Path) -> None:
    """Archives of that folder count from now on, checked as ever."""
    _FOLDERS[:] = [folder]
    _members.cache_clear()


class PackageFault(Exception):
    """A package is not there, or is not what the lock names; the text says what to do."""


@dataclass(frozen=True)
class Locked:
    name: str
    version: str
    sha512: bytes

    @property
    def archive(self) -> Path:
        return _FOLDERS[-1] / f"{self.name.removeprefix('@').replace('/', '-')}-{self.version}.tgz"

    def read(self) -> bytes:
        """The archive's bytes. PackageFault where it is missing or others than the lock names."""
        if not self.archive.is_file():
            raise PackageFault(f"{self.name} {self.version} is not here; run `make levers`")
        found = self.archive.read_bytes()
        if hashlib.sha512(found).digest() != self.sha512:
            raise PackageFault(f"{self.archive.name} is not what packages.lock names; remove it and run `make levers`")
        return found


def locked() -> tuple[Locked, ...]:
    lines = [line.split() for line in LOCK.read_text("utf-8").splitlines()]
    rows = (line for line in lines if line and line[0] != "#")
    return tuple(Locked(name, version, base64.b64decode(digest)) for name, version, digest, *_ in rows)


def package(name: str) -> Locked:
    """By name, or by name@version where the lock has several."""
    return next(one for one in locked() if name in (one.name, f"{one.name}@{one.version}"))


def missing(name: str) -> str:
    """ "" where the package can be read, else why not: what a skipped test says."""
    try:
        package(name).read()
    except PackageFault as fault:
        return str(fault)
    return ""


@functools.cache
def _members(name: str) -> dict[str, bytes]:
    """Contract name → its JSON, of all that the archive holds as artifacts or builds, or tells as deployed."""
    package(name).read()
    found: dict[str, bytes] = {}
    with tarfile.open(package(name).archive) as archive:
        for member in archive:
            parts = member.name.split("/")
            kept = parts[1:2] in (["artifacts"], ["build"]) and parts[-1].endswith(".json")
            if parts[1:] == DEPLOYED:
                told = json.load(archive.extractfile(member) or io.BytesIO(b"{}"))
                found |= {contract: json.dumps(one).encode() for contract, one in told["sources"].items()}
            stream = archive.extractfile(member) if kept and not parts[-1].endswith(".dbg.json") else None
            if stream is not None:
                found[parts[-1].removesuffix(".json")] = stream.read()
    return found


def artifact(name: str, contract: str) -> dict[str, Any]:
    """The published artifact of a contract: `abi`, `bytecode` (hex, with gaps where libraries are linked) and, where
    it has them, `linkReferences`. KeyError names a contract that the package does not hold."""
    held = _members(name)
    if contract not in held:
        raise KeyError(f"no contract {contract!r} in {name}; it has {', '.join(sorted(held))}")
    found: dict[str, Any] = json.loads(held[contract])
    return found


def linked(found: dict[str, Any], at: dict[str, bytes]) -> bytes:
    """Creation bytecode with the libraries' addresses (20 bytes, by name) in their gaps."""
    text = found["bytecode"].removeprefix("0x")
    for libraries in found.get("linkReferences", {}).values():
        for library, gaps in libraries.items():
            for gap in gaps:
                begin, end = 2 * gap["start"], 2 * (gap["start"] + gap["length"])
                text = text[:begin] + at[library].hex() + text[end:]
    return bytes.fromhex(text)
