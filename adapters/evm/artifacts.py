"""Compiled contracts, read from the package: no compiler at run time."""

import functools
import importlib.resources
import json
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Artifact:
    """One contract: its ABI as decoded JSON and its creation bytecode (without constructor arguments)."""

    name: str
    abi: list[dict[str, Any]] = field(repr=False)
    bytecode: bytes = field(repr=False)
    source_sha256: str
    compiler: str


@functools.cache
def artifact(name: str) -> Artifact:
    """The artifact of `name`: "Registry", "Guard"; of the local network "Token", "Escrow", "Twin", "Lending", "Perp",
    "Oracle", "SpotPool", "Gate".

    The value is shared between callers: do not change it. Raises KeyError naming what exists.
    """
    folder = importlib.resources.files("adapters.evm") / "contracts"
    known = sorted(entry.name[:-5] for entry in folder.iterdir() if entry.name.endswith(".json"))
    if name not in known:
        raise KeyError(f"no contract artifact {name!r}; this package has {', '.join(known)}")
    found = json.loads((folder / f"{name}.json").read_text())
    return Artifact(
        name=name,
        abi=found["abi"],
        bytecode=bytes.fromhex(found["bytecode"].removeprefix("0x")),
        source_sha256=found["source_sha256"],
        compiler=found["compiler"],
    )
