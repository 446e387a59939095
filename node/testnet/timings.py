"""What a run took, in milliseconds of real time, never scaled. Told beside history; no check rests on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from node.testnet.checks import happenings, topics_of
from node.testnet.follow import Happening
from node.testnet.scenario import TOCSIN, Role
from node.testnet.supervisor import Facts
from protocol.messages import Level


def timings_of(facts: Facts) -> dict[str, Any]:
    """`first_attestation_to_certificate`: over this run's alarms, first commit anywhere → last member that stayed up.
    `drain_to_effect`: first deed of the attacker → a member's first effect read back."""
    spans = sorted(span for topic in topics_of(facts) if (span := _span(facts, topic)) is not None)
    drained = [deed["at_ms"] for deed in facts.deeds.get(TOCSIN, ()) if deed["who"] == "attacker" and deed["ok"]]
    effects: dict[str, float] = {}
    for name, one in happenings(facts, "action"):
        if one["phase"] == "effective" and drained:
            effects.setdefault(name, round(one["at_ms"] - min(drained), 1))
    sent = certificate_to_sent(facts)
    return {
        "certificate_to_sent": {
            "p50": sent[len(sent) // 2] if sent else None,
            "p99": sent[min(len(sent) - 1, len(sent) * 99 // 100)] if sent else None,
            "count": len(sent),
        },
        "first_attestation_to_certificate": {
            "p50": round(spans[len(spans) // 2], 1) if spans else None,
            "p95": round(spans[-1], 1) if spans else None,
            "max": round(spans[-1], 1) if spans else None,
        },
        "drain_to_effect": effects,
    }


def certificate_to_sent(facts: Facts) -> list[float]:
    """Sorted ms, one for each action that a certificate opened and that was sent: from the certificate in a node's own
    journal to the journal's word that the chain has the transaction. What waits for a person's yes, or for people's
    objections, is in none of them."""
    found = []
    for role in facts.roles:
        told = facts.told.get(role.name, [])
        sent: dict[str, float] = {}
        for one in (one for one in told if one["kind"] == "action" and one["phase"] == "sent"):
            if moves_by_itself(role, one["rule"]):
                sent.setdefault(one["key"], float(one["at_ms"]))
        since = {key: opened_on(told, key) for key in sent}
        found += [round(sent[key] - at_ms, 1) for key, at_ms in since.items() if at_ms is not None]
    return sorted(found)


def moves_by_itself(role: Role, rule: str) -> bool:
    return role.mode != "ask" and not role.policy.get("rule", {}).get(rule, {}).get("hold")


def opened_on(told: Sequence[Happening], key: str) -> float | None:
    """When a node had the certificate on which it opened an action: of those of its topic that it had by then, the
    highest, at its first coming. None where none was behind it."""
    opened = next((one for one in told if one["kind"] == "action" and one["key"] == key), None)
    if opened is None or not opened["certificate"]:
        return None
    topic = (opened["subject"], opened["threat"])
    firsts: dict[int, float] = {}
    for one in told:
        held = one["kind"] == "certificate" and (one["subject"], one["threat"]) == topic
        if held and float(one["at_ms"]) <= float(opened["at_ms"]):
            firsts.setdefault(int(Level[one["level"]]), float(one["at_ms"]))
    return firsts[max(firsts)] if firsts else None


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
