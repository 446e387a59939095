"""`tocsin testnet --scenario drill`: an exercise on real nodes, and everything that it must not have done."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.integration.network.site import TOCSIN, environment

pytestmark = pytest.mark.network


def played(*words: str, tmp: Path) -> subprocess.CompletedProcess[str]:
    command = [*TOCSIN, "testnet", "--scenario", "drill", "--check", "-o", "json", *words]
    env = {**environment(), "TMPDIR": str(tmp)}
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=200)


@pytest.mark.long
def test_members_exercise_everything_but_the_last_step() -> None:
    tmp = Path(tempfile.mkdtemp(prefix="it-"))
    done = played("--members", "4", tmp=tmp)
    assert done.stdout, done.stderr
    told = json.loads(done.stdout)
    assert [check for check in told["checks"] if not check["ok"]] == []
    assert (done.returncode, len(told["checks"])) == (0, 11)
    assert (told["score"]["points"], told["score"]["of"]) == (14, 16)
    assert list(tmp.iterdir()) == []
    tmp.rmdir()


def test_what_it_cannot_be_played_with_is_said(tmp_path: Path) -> None:
    done = played("--members", "4", "--delay", "20", tmp=tmp_path)
    assert done.returncode == 2 and "without chains" in done.stderr and done.stdout == ""
