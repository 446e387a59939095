"""The main job, whole: one network of four, one incident, every fact as it should be."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.integration.network.site import TOCSIN, environment

pytestmark = pytest.mark.network
NUMBER = (int, float)
SHAPE = {
    "scenario": str,
    "seed": int,
    "members": [{"name": str, "exposed": bool}],
    "quorum": {"n": int, "needed": int},
    "checks": [{"name": str, "ok": bool, "expected": str, "got": str}],
    "timings_ms": {"first_attestation_to_certificate": {"p50": NUMBER, "p95": NUMBER, "max": NUMBER}},
    "outcome": {"blocked_usd": int, "control_usd": int, "obtained_usd": int, "false_isolations": int},
    "resources": {"startup_s": NUMBER, "pss_mb_total": NUMBER},
}


def misshapen(value: Any, shape: Any, where: str = "") -> list[str]:
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            return [f"{where} is no object"]
        missing = [f"{where}.{key} is missing" for key in shape if key not in value]
        return missing + [
            one for key in shape if key in value for one in misshapen(value[key], shape[key], f"{where}.{key}")
        ]
    if isinstance(shape, list):
        if not isinstance(value, list) or not value:
            return [f"{where} is no list with something in it"]
        return [one for index, item in enumerate(value) for one in misshapen(item, shape[0], f"{where}[{index}]")]
    return [] if isinstance(value, shape) else [f"{where} is {value!r}"]


def test_the_story_holds_on_a_network_of_four() -> None:
    tmp = Path(tempfile.mkdtemp(prefix="it-"))
    done = subprocess.run(
        [*TOCSIN, "testnet", "--check", "-o", "json", "--speed", "1", "--members", "4"],
        env={**environment(), "TMPDIR": str(tmp)},
        capture_output=True,
        text=True,
        timeout=170,
    )
    assert done.stdout, done.stderr
    told = json.loads(done.stdout)
    assert [check for check in told["checks"] if not check["ok"]] == []
    assert (done.returncode, done.stderr) == (0, "")
    assert misshapen(told, SHAPE) == []
    assert (told["scenario"], told["quorum"]) == ("forged-bridge-release", {"n": 4, "needed": 3})
    effects = told["timings_ms"]["drain_to_effect"]
    assert set(effects) <= {one["name"] for one in told["members"] if one["exposed"]}
    outcome = told["outcome"]
    assert outcome["blocked_usd"] == outcome["control_usd"] - outcome["obtained_usd"] > 0
    assert outcome["false_isolations"] == 0
    assert list(tmp.iterdir()) == []
    tmp.rmdir()
