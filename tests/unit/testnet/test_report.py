"""What `tocsin testnet` says below its facts is true of the scenario that was played, and names what comes next."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from node.testnet import report
from node.testnet.scenario import load

RESULT = {
    "outcome": {"obtained_usd": 1, "control_usd": 3, "blocked_usd": 2, "false_isolations": 0},
    "timings_ms": {"drain_to_effect": {}, "first_attestation_to_certificate": {"p50": None}},
    "checks": [{"name": "nothing", "ok": True, "expected": "0", "got": "0"}],
}


def told(name: str, *, members: int = 7, blind: bool = False) -> str:
    scenario = load(name)
    options: Any = SimpleNamespace(members=members, expect_blind=blind)
    facts: Any = SimpleNamespace(scenario=scenario, roles=scenario.members(members))
    return report.report(options, facts, RESULT)


@pytest.mark.parametrize("name", ["oracle-push", "oracle-push.benign", "forged-bridge-release.benign"])
def test_no_second_message_is_told_where_none_was_forged(name: str) -> None:
    assert "second forged message was refused" in told("forged-bridge-release")
    assert "second forged message" not in told(name)


def test_history_is_left_out_where_there_is_none() -> None:
    assert "issuer           no effect |    46 min" in told("forged-bridge-release")
    assert "Against history" not in told("oracle-push.benign")


def test_what_comes_next_is_something_else_than_what_was_played() -> None:
    assert "--scenario oracle-push " in told("forged-bridge-release")
    assert "--scenario forged-bridge-release " in told("oracle-push")
    assert "testnet --kill 3 --expect-blind " in told("oracle-push")
    assert "testnet --members 13 --kill 5 --expect-blind " in told("oracle-push", members=13)
    assert "--expect-blind" not in told("oracle-push", blind=True)
