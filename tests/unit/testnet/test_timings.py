"""Which certificate an action is timed from, and which actions are timed at all."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from node.testnet.scenario import Role
from node.testnet.timings import certificate_to_sent, opened_on

KEY = "aa" * 32


def certificate(level: str, at_ms: int, threat: str = "bridge-forgery") -> dict[str, Any]:
    return {"kind": "certificate", "subject": "coin", "threat": threat, "level": level, "at_ms": at_ms}


def action(phase: str, at_ms: int, certificate: bool = True) -> dict[str, Any]:
    topic = {"subject": "coin", "threat": "bridge-forgery", "rung": "GUARD", "rule": "shut"}
    return {"kind": "action", "key": KEY, "phase": phase, "at_ms": at_ms, "certificate": certificate, **topic}


OPENED = [action("ordered", 500), action("sent", 900), action("sent", 990)]


@pytest.mark.parametrize(
    ("certificates", "since_ms"),
    [
        ([certificate("GUARD", 100), certificate("ISOLATE", 400)], 400),
        ([certificate("ISOLATE", 200), certificate("ISOLATE", 450)], 200),
        ([certificate("GUARD", 100), certificate("ISOLATE", 600)], 100),
        ([certificate("ISOLATE", 300, "unbacked-supply")], None),
    ],
    ids=["the highest that was there", "at its first coming", "not one that came later", "of its own threat"],
)
def test_an_action_is_timed_from_what_it_was_opened_on(certificates: list[Any], since_ms: int | None) -> None:
    assert opened_on([*certificates, *OPENED], KEY) == since_ms


def test_what_rests_on_own_evidence_is_timed_from_none() -> None:
    assert opened_on([certificate("GUARD", 100), action("ordered", 500, certificate=False)], KEY) is None


@pytest.mark.parametrize(
    ("mode", "rule", "found"),
    [("act", {}, [500.0]), ("ask", {}, []), ("act", {"hold": "4m"}, [])],
    ids=["moves by itself", "waits for a yes", "waits for objections"],
)
def test_a_persons_time_is_in_no_figure(mode: str, rule: dict[str, str], found: list[float]) -> None:
    role = Role("lender", "g", mode=mode, policy={"rule": {"shut": rule}})
    facts: Any = SimpleNamespace(roles=[role], told={"lender": [certificate("ISOLATE", 400), *OPENED]})
    assert certificate_to_sent(facts) == found
