"""The golden files mean the same to a reader written from the specification, and that reader can say no."""

from __future__ import annotations

import copy
import importlib.util
import json
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.tidy.make_vectors import VECTORS

CHECKER = Path(__file__).with_name("checker.py")
FILES = sorted(VECTORS.glob("*.json"))
OURS = ("protocol", "governance", "adapters", "node", "tests")
ALONE = f"""
import runpy, sys
sys.path += {sorted({sysconfig.get_paths()[name] for name in ("purelib", "platlib")})!r}
for name in {OURS!r}:
    try:
        __import__(name)
    except ModuleNotFoundError:
        continue
    sys.exit(name + " can be imported here")
sys.argv = ["checker.py", sys.argv[1]]
runpy.run_path({str(CHECKER)!r}, run_name="__main__")
"""
"""Without site: the editable install that makes our packages importable everywhere is not read."""


def alone(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", ALONE, str(folder)],
        cwd=folder,
        env={"PYTHONPATH": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("checker", CHECKER)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


READER = loaded()


def test_it_agrees_on_every_file_where_nothing_of_ours_can_be_imported() -> None:
    ran = alone(VECTORS)
    assert ran.stdout.splitlines() == [f"{path.name}: ok" for path in FILES]
    assert (ran.returncode, ran.stderr) == (0, "")


def test_it_says_which_file_differs_and_exits_with_one(tmp_path: Path) -> None:
    for path in FILES:
        text = path.read_text("utf-8")
        (tmp_path / path.name).write_text(
            text.replace("not-canonical", "oversized") if "refused" in path.name else text
        )
    ran = alone(tmp_path)
    assert ran.returncode == 1
    differing = {line.split(":")[0] for line in ran.stdout.splitlines() if not line.endswith(": ok")}
    assert differing == {path.name for path in FILES if "refused" in path.name and "not-canonical" in path.read_text()}


def test_an_empty_folder_and_a_file_of_an_unknown_kind_are_no_agreement(tmp_path: Path) -> None:
    assert READER.main(tmp_path) == 1
    (tmp_path / "other.json").write_text("{}")
    assert READER.main(tmp_path) == 1


CONTEXT = {"what", "epoch", "epochs", "keys", "n", "asset", "subject", "suspended", "now_ms", "keysets"}
"""What a case is judged by: a changed context may well judge alike."""
ONLY_ANSWERS = {
    "code",
    "codes",
    "id",
    "digest",
    "groups",
    "level",
    "ends_ms",
    "newest_issued_ms",
    "tlp",
    "value",
    "verdict",
}
"""In files of many cases: what the file says of each. Refused bytes with another fault are refused alike."""
OF_MANY = ("alarms", "certificates-counted", "refused", "verdicts")
CHANGED_MOST = 8


def leaves(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict | list):
        for key, one in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(one, (*at, key))
    else:
        yield at


def flipped(value: Any) -> Any:
    """One byte of it changed: a digit of a hexadecimal stays one."""
    if isinstance(value, bool) or value is None:
        return not value
    if isinstance(value, int):
        return value ^ 1
    middle = len(value) // 2
    return value[:middle] + ("1" if value[middle : middle + 1] == "0" else "0") + value[middle + 1 :]


def positions(path: Path) -> list[tuple[Any, ...]]:
    found = [at for at in leaves(json.loads(path.read_text("utf-8"))) if not CONTEXT & set(at)]
    if path.name.startswith(OF_MANY):
        found = [at for at in found if ONLY_ANSWERS & set(at) and "claim" not in at]
    return found[:: -(-len(found) // CHANGED_MOST)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_one_changed_byte_is_seen(path: Path, tmp_path: Path) -> None:
    whole = json.loads(path.read_text("utf-8"))
    unseen = []
    for at in positions(path):
        changed = copy.deepcopy(whole)
        place = changed
        for key in at[:-1]:
            place = place[key]
        place[at[-1]] = flipped(place[at[-1]])
        (tmp_path / path.name).write_text(json.dumps(changed))
        if READER.main(tmp_path) != 1:
            unseen.append(at)
    assert unseen == []
    assert positions(path)
