"""`tocsin testnet --scenario governance`: every fact as it should be, and nothing left behind."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

import pytest

from node.testnet.governed_deeds import CHECKS
from tests.integration.network.site import TOCSIN, environment

pytestmark = pytest.mark.network


def played(*words: str, tmp: Path) -> subprocess.CompletedProcess[str]:
    command = [*TOCSIN, "testnet", "--scenario", "governance", "--check", "-o", "json", *words]
    env = {**environment(), "TMPDIR": str(tmp)}
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=280)


@pytest.mark.long
@pytest.mark.parametrize(("members", "seed"), [("4", "1"), ("7", "2")])
def test_members_govern_themselves_through_everything(members: str, seed: str) -> None:
    tmp = Path(tempfile.mkdtemp(prefix="it-"))
    done = played("--members", members, "--seed", seed, tmp=tmp)
    assert done.stdout, done.stderr
    told = json.loads(done.stdout)
    assert [check for check in told["checks"] if not check["ok"]] == []
    assert (done.returncode, done.stderr) == (0, "")
    assert tuple(check["name"] for check in told["checks"]) == CHECKS
    assert (told["scenario"], len(told["members"])) == ("governance", int(members) + 1)
    assert list(tmp.iterdir()) == []
    tmp.rmdir()


@pytest.mark.parametrize(
    ("words", "says"),
    [(("--members", "5"), "needs 3f + 1 members"), (("--delay", "20"), "without chains")],
    ids=["members", "delay"],
)
def test_what_it_cannot_be_played_with_is_said(words: tuple[str, ...], says: str, tmp_path: Path) -> None:
    done = played(*words, tmp=tmp_path)
    assert done.returncode == 2 and says in done.stderr and done.stdout == ""
