"""Recompile the Vyper contracts and write, or compare byte for byte, the artifacts beside them.

Runs in the contracts environment (`.venv-contracts`), never in the node's: vyper wants an older cbor2.
`python tests/tidy/contracts.py write|check`; exit 0 when written or equal, 1 when they differ, 2 on usage.
The recipe (compiler, EVM version, the bytes of NAME.json) lives only here.
"""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parents[2] / "adapters" / "evm" / "contracts"
# Cancun is what both the embedded chain and every anvil of the last two years run.
EVM = "cancun"
MODULES = ("restrictions",)


def sources_of(name: str, folder: Path = HERE) -> list[Path]:
    """The contract's own file, then our modules that it imports: what `source_sha256` covers, in order."""
    own = folder / f"{name}.vy"
    lines = own.read_text().splitlines()
    return [own, *(folder / f"{module}.vy" for module in MODULES if f"import {module}" in lines)]


def source_sha256(name: str, folder: Path = HERE) -> str:
    """SHA-256, hex, over the concatenated bytes of `sources_of(name)`."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources_of(name, folder))).hexdigest()


def contract_names(folder: Path = HERE) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.vy") if path.stem not in MODULES)


def compiled() -> dict[str, str]:
    """The exact text of every NAME.json, by name; one run of the compiler for all of them."""
    names = contract_names()
    vyper = [str(Path(sys.executable).with_name("vyper")), "--evm-version", EVM, "-f", "abi,bytecode"]
    files = [f"{name}.vy" for name in names]
    run = subprocess.run([*vyper, *files], cwd=HERE, capture_output=True, text=True)
    if run.returncode != 0:
        raise SystemExit(f"contracts: a source does not compile; mend it:\n{run.stderr}")
    version = subprocess.run([vyper[0], "--version"], capture_output=True, text=True, check=True)
    lines = iter(run.stdout.strip().split("\n"))
    return {name: rendered(name, next(lines), next(lines), version.stdout.strip()) for name in names}


def rendered(name: str, abi: str, bytecode: str, version: str) -> str:
    entries = ",\n  ".join(json.dumps(entry, sort_keys=True) for entry in json.loads(abi))
    return (
        f'{{\n "compiler": "vyper {version} {EVM}",\n'
        f' "source_sha256": "{source_sha256(name)}",\n'
        f' "abi": [\n  {entries}\n ],\n "bytecode": "{bytecode}"\n}}\n'
    )


def main(arguments: list[str]) -> int:
    if arguments not in (["write"], ["check"]):
        sys.stderr.write("usage: contracts.py write|check\n")
        return 2
    stale = []
    for name, text in compiled().items():
        path = HERE / f"{name}.json"
        if arguments == ["write"]:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            stale.append(path.name)
    orphans = {path.stem for path in HERE.glob("*.json")} - set(contract_names())
    stale += [f"{name}.json (no source)" for name in sorted(orphans)]
    if stale:
        sys.stderr.write(
            f"contracts: committed artifacts differ from their sources: {', '.join(stale)}. "
            "Run `make contracts` and commit the result.\n"
        )
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
