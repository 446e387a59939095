"""The forged release on contracts that others published: Aave's markets, a Safe before one of them, Perpetual Protocol.

About two minutes: `python -m pytest -m long tests/integration/levers/test_real_story.py`."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest

from node.testnet.chain_process import find_anvil
from node.testnet.real.pack import packages_of, realised
from node.testnet.scenario import Scenario, load
from tests.integration.levers.packages import missing
from tests.integration.network.site import TOCSIN, environment

pytestmark = [pytest.mark.network, pytest.mark.long]
NAME = "forged-bridge-release"
ON_OTHERS = {
    "attacker-was-refused",
    "honest-users-repaid-meanwhile",
    "safe-waited-for-its-owners",
    "markets-stand-as-before",
    "nothing-else-was-touched",
}


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    found = realised(load(NAME))
    why = next((told for name in packages_of(found) if (told := missing(name))), "")
    if why:
        pytest.skip(why)
    return found


def played(chain: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="it-") as tmp:
        done = subprocess.run(
            [*TOCSIN, "testnet", "--check", "-o", "json", "--targets", "real", "--chain", chain, "--scenario", NAME],
            env={**environment(), "TMPDIR": tmp},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.stdout, done.stderr
        assert list(Path(tmp).iterdir()) == []
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@pytest.mark.parametrize("chain", ["embedded", "anvil"])
def test_every_gate_shuts_and_opens_again_on_contracts_of_others(scenario: Scenario, chain: str) -> None:
    if chain == "anvil" and find_anvil() is None:
        pytest.skip("no anvil on PATH or in TOCSIN_ANVIL")
    told = played(chain)
    checks = {one["name"]: one for one in told["checks"]}
    assert [one for one in told["checks"] if not one["ok"]] == []
    assert set(checks) >= ON_OTHERS
    tried = checks["attacker-was-refused"]["got"]
    assert all(f"{market} " in tried for market in ("lend-a", "lend-b", "perp"))
    assert "4 signatures" in checks["safe-waited-for-its-owners"]["got"]
    of_others = {name for name, whose in told["targets"].items() if whose.endswith("as published")}
    assert of_others == {"lend-a", "lend-b", "lend-c", "council", "perp", "posting"}
