"""From happenings to figures, and figures beside their goals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

GOALS: dict[str, float] = {
    "without_evidence_p50_ms": 60,
    "without_evidence_p95_ms": 200,
    "embedded_p50_ms": 250,
    "embedded_p95_ms": 600,
    "anvil_p50_ms": 120,
    "anvil_p95_ms": 300,
    "mined_to_last_effect_ms": 3_000,
    "mesh_up_s": 8,
    "pss_mb_total": 600,
}


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """p50, p95 (nearest rank) and max, to the hundredth."""
    ordered = sorted(values)
    if not ordered:
        return {}
    ranks = {"p50": 0.50, "p95": 0.95}
    found = {name: ordered[max(0, -(-int(len(ordered) * 100 * share) // 100) - 1)] for name, share in ranks.items()}
    return {name: round(value, 3) for name, value in (found | {"max": ordered[-1]}).items()}


def spans(told: Mapping[str, Sequence[Mapping[str, Any]]], alarms: Sequence[tuple[str, float, float]]) -> list[float]:
    """Per alarm (subject, from ms, to ms): first own attestation committed anywhere → ISOLATE certificate committed on
    the last member, ms. An alarm that is not certified everywhere is an error: a figure over the rest would lie."""
    found = []
    for about, from_ms, to_ms in alarms:
        said: list[float] = []
        held: list[float] = []
        for happenings in told.values():
            mine = [one for one in happenings if one.get("subject") == about and from_ms <= one["at_ms"] < to_ms]
            said += [one["at_ms"] for one in mine if one["kind"] == "attestation" and one["own"]]
            held += [one["at_ms"] for one in mine if one["kind"] == "certificate" and one["level"] == "ISOLATE"][:1]
        if not said or len(held) != len(told):
            raise RuntimeError(f"the alarm on {about} reached {len(held)} of {len(told)} members; see the nodes' logs")
        found.append(max(held) - min(said))
    return found


def against_goals(result: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """{name: {goal, got, met}}; what was not measured is None and not met."""
    evidence = result["with_evidence_ms"]
    drain = result["mined_to_last_effect_ms"]
    got = {
        "without_evidence_p50_ms": result["without_evidence_ms"]["p50"],
        "without_evidence_p95_ms": result["without_evidence_ms"]["p95"],
        "mined_to_last_effect_ms": drain["max"] if drain else None,
        "mesh_up_s": result["mesh_up_s"],
        "pss_mb_total": result["pss_mb_total"],
    }
    for chain in ("embedded", "anvil"):
        for rank in ("p50", "p95"):
            got[f"{chain}_{rank}_ms"] = evidence[chain][rank] if evidence.get(chain) else None
    return beside(GOALS, got)


def beside(goals: Mapping[str, float], got: Mapping[str, float | None]) -> dict[str, dict[str, Any]]:
    """Figures of which less is better."""
    return {
        name: {"goal": goal, "got": got[name], "met": (value := got[name]) is not None and value <= goal}
        for name, goal in goals.items()
    }


def table(result: Mapping[str, Any]) -> str:
    """For people."""
    lines = [f"{result['members']} members, {result['alarms']} alarms of each kind", ""]
    lines.append(f"{'figure':<28}{'goal':>10}{'got':>10}")
    for name, one in result["goals"].items():
        got = "not run" if one["got"] is None else f"{one['got']:,.1f}"
        lines.append(f"{name:<28}{one['goal']:>10,}{got:>10}  {'' if one['met'] else 'MISSED'}".rstrip())
    lines += ["", f"{'floor':<28}{'p50':>10}{'p95':>10}{'max':>10}"]
    for name, floor in result["floors"].items():
        lines.append(f"{name:<28}{floor['p50']:>10}{floor['p95']:>10}{floor['max']:>10}")
    lines.append(f"\nidle CPU of a member: {result['idle_cpu_percent']} % of a core each (mean)")
    lines.append(f"load average of the machine meanwhile: {result['load_average']}; what else ran slowed this down")
    return "\n".join(lines)
