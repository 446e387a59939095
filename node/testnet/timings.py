"""What a run took, in milliseconds of real time, never scaled. Told beside history; no check rests on it."""

from __future__ import annotations

from typing import Any

from node.testnet.checks import happenings, topics_of
from node.testnet.scenario import TOCSIN
from node.testnet.supervisor import Facts


def timings_of(facts: Facts) -> dict[str, Any]:
    """`first_attestation_to_certificate`: over this run's alarms, first commit anywhere → last member that stayed up.
    `drain_to_effect`: first deed of the attacker → a member's first effect read back."""
    spans = sorted(span for topic in topics_of(facts) if (span := _span(facts, topic)) is not None)
    drained = [deed["at_ms"] for deed in facts.deeds.get(TOCSIN, ()) if deed["who"] == "attacker" and deed["ok"]]
    effects: dict[str, float] = {}
    for name, one in happenings(facts, "action"):
        if one["phase"] == "effective" and drained:
            effects.setdefault(name, round(one["at_ms"] - min(drained), 1))
    return {
        "first_attestation_to_certificate": {
            "p50": round(spans[len(spans) // 2], 1) if spans else None,
            "p95": round(spans[-1], 1) if spans else None,
            "max": round(spans[-1], 1) if spans else None,
        },
        "drain_to_effect": effects,
    }


def _span(facts: Facts, topic: str) -> float | None:
    first = [
        one["at_ms"]
        for _, one in happenings(facts, "attestation")
        if one["own"] and one["threat"] == topic and one["level"] == "ISOLATE"
    ]
    last: dict[str, float] = {}
    for name, one in happenings(facts, "certificate"):
        if one["threat"] == topic and one["level"] == "ISOLATE" and name not in facts.killed_ms:
            last.setdefault(name, one["at_ms"])
    return max(last.values()) - min(first) if first and last else None
