"""The repository checks itself: doors, sizes, calls that the rules exclude, words that do not belong here."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("protocol", "governance", "adapters", "node")
LINES_MOST = 400
FUNCTION_LINES_MOST = 70

DOORS = {
    "cbor2": ("protocol/codec.py",),
    "nacl": ("protocol/crypto.py", "node/sealed_key.py"),
    "libp2p": ("node/transport/",),
    "sqlalchemy": ("node/store", "node/tables.py", "node/migrations/"),
    "alembic": ("node/store", "node/migrations/"),
    "web3": ("adapters/evm/",),
    "eth_account": ("adapters/evm/",),
    "httpx": (
        "adapters/evm/",
        "adapters/venue/http.py",
        "node/control",
        "node/testnet/",
        "adapters/webhook/sink.py",
    ),
    "apprise": ("adapters/notify/carrier.py",),
    "opentelemetry": ("node/tracing/otel.py",),
    "eth": ("node/testnet/chain",),
    "psycopg": ("adapters/postgres/",),
    "fastapi": ("node/api",),
    "hypercorn": ("node/serving",),
    "pydantic": ("node/config", "node/api"),
    "cyclopts": ("node/cli.py", "node/commands/"),
    "rich": ("node/cli.py", "node/commands/"),
}
"""Library → where alone it may be imported."""


def sources(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("library", sorted(DOORS))
def test_each_library_has_one_door(library: str) -> None:
    outside = [
        name_of(path)
        for path in sources(*PACKAGES)
        if library in imported(path) and not name_of(path).startswith(DOORS[library])
    ]
    assert outside == []


def test_no_file_of_ours_holds_two_ideas() -> None:
    long = {name_of(path): len(path.read_text("utf-8").splitlines()) for path in sources(*PACKAGES)}
    assert {name: lines for name, lines in long.items() if lines > LINES_MOST} == {}


def test_no_function_is_longer_than_a_screen() -> None:
    long = [
        f"{name_of(path)}:{node.lineno} {node.name}"
        for path in sources(*PACKAGES)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or node.lineno) - node.lineno >= FUNCTION_LINES_MOST
    ]
    assert long == []


def test_nothing_is_left_open() -> None:
    marks = re.compile(r"\b(TODO|FIXME|XXX)\b|raise NotImplementedError")
    found = [name_of(path) for path in sources(*PACKAGES) if marks.search(path.read_text("utf-8"))]
    assert found == []


def test_asserts_validate_nothing() -> None:
    """`python -O` drops them, so shipped code has none."""
    found = [
        f"{name_of(path)}:{node.lineno}"
        for path in sources(*PACKAGES)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Assert)
    ]
    assert found == []


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout: nothing says which files are the project's")
    return [ROOT / name for name in listed.stdout.splitlines()]


def test_the_project_names_no_registry_and_no_path_of_a_machine() -> None:
    # written in pieces, so that this file does not find itself
    words = re.compile(
        "|".join(("py" + r"pi\.org", "pythonhost" + r"ed\.org", "npm" + r"js\.org", r"(?<![\w.])/wo" + "rk/"))
    )
    found = []
    for path in tracked():
        if path.is_file() and path.stat().st_size < 2_000_000:
            text = path.read_text("utf-8", errors="ignore")
            found += [f"{name_of(path)}: {line.strip()[:80]}" for line in text.splitlines() if words.search(line)]
    assert found == []


def test_lock_files_carry_hashes_and_no_addresses() -> None:
    for name in ("requirements.lock", "image.lock", "dev.lock", "contracts.lock", "browser.lock"):
        text = (ROOT / name).read_text("utf-8")
        assert "--hash=sha256:" in text, name
        assert "://" not in text, name


def test_every_package_says_what_it_is() -> None:
    wanted = ("protocol", "governance", "adapters", "adapters/policy", "node", "node/transport", "deploy/scenarios")
    assert [one for one in wanted if not (ROOT / one / "README.md").is_file()] == []
