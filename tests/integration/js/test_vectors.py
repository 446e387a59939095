"""A second implementation, in another language, agrees with every golden file; and it would see one changed byte."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

from tests.integration.js.node import needs_node, script

VECTORS = Path(__file__).parents[3] / "protocol" / "vectors"


def checked(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(script("vectors.mjs", folder), capture_output=True, text=True, timeout=60)


def test_it_agrees_with_every_golden_file() -> None:
    needs_node()
    ran = checked(VECTORS)
    assert (ran.returncode, ran.stderr) == (0, "")
    told = json.loads(ran.stdout)
    assert told["files"] == len(list(VECTORS.glob("*.json")))
    assert told["faults"] == 0 and told["checks"] > 1200


CHANGED = {
    "certificate-isolate.json": ('"ends_ms": 1780021600000', '"ends_ms": 1780021600001'),
    "epoch-certificates.json": ('"since": 1', '"since": 2'),
    "refused-entries.json": ('"code": "bad-signature"', '"code": "bad-key"'),
    "refused-proposals.json": ('"rule": "changes-something"', '"rule": "seat-exists"'),
    "thresholds.json": ('"guard": 3', '"guard": 2'),
}


def test_it_sees_what_another_implementation_would_say(tmp_path: Path) -> None:
    needs_node()
    shutil.copytree(VECTORS, tmp_path / "vectors")
    for name, (old, new) in CHANGED.items():
        path = tmp_path / "vectors" / name
        text = path.read_text("utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), "utf-8")
    ran = checked(tmp_path / "vectors")
    assert ran.returncode == 1
    assert [line.partition(":")[0] + ".json" for line in ran.stderr.splitlines()] == list(CHANGED)
