"""From times to figures of the network, and figures beside their goals. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from node.testnet.follow import Happening

DELAY_MS_FAR = 10
"""From here on the bound is the measure; below it the machine is, and absolute goals hold."""
LAG_GROWS = 0.1
LAG_NOISE_MS = 50.0
TOLERATED_LOSS_PERCENT = 5
RANKS = {"p50": 50, "p95": 95, "p99": 99}


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """p50, p95 and p99 by nearest rank, to the hundredth of a millisecond; {} of nothing."""
    ordered = sorted(values)
    if not ordered:
        return {}
    return {name: round(ordered[max(0, -(-len(ordered) * rank // 100) - 1)], 2) for name, rank in RANKS.items()}


def ratio(one: float | None, other: float | None) -> float | None:
    """None where either is unknown or the divisor is 0."""
    return round(one / other, 2) if one is not None and other else None


def spans(told: Mapping[str, Sequence[Happening]], subjects: Sequence[str]) -> list[float]:
    """Per subject: first own attestation durable anywhere → first ISOLATE certificate durable on the last member, ms.
    One that is not certified everywhere is an error: a figure over the rest would lie."""
    said: dict[str, float] = {}
    held: dict[str, dict[str, float]] = {}
    for name, happenings in told.items():
        for one in happenings:
            about = one.get("subject", "")
            if one["kind"] == "attestation" and one["own"]:
                said[about] = min(one["at_ms"], said.get(about, one["at_ms"]))
            elif one["kind"] == "certificate" and one["level"] == "ISOLATE":
                held.setdefault(about, {}).setdefault(name, one["at_ms"])
    lacking = [about for about in subjects if about not in said or len(held.get(about, {})) < len(told)]
    if lacking:
        count = len(held.get(lacking[0], {}))
        raise RuntimeError(
            f"{len(lacking)} of {len(subjects)} alarms did not reach everybody: {lacking[0]} is on {count}"
        )
    return [max(held[about].values()) - said[about] for about in subjects]


def acceptances(told: Mapping[str, Sequence[Happening]]) -> int:
    """(entry, member) pairs: attestations that members made durable, their own among them."""
    return sum(one["kind"] == "attestation" for happenings in told.values() for one in happenings)


def lags(told: Mapping[str, Sequence[Happening]], due_ms: Mapping[str, float]) -> list[float | None]:
    """Per subject in order of its time: due → the last of all members' entries durable on the last member, ms; None
    where one is missing somewhere."""
    found: dict[str, list[float]] = {about: [] for about in due_ms}
    for happenings in told.values():
        for one in happenings:
            if one["kind"] == "attestation" and one["subject"] in found:
                found[one["subject"]].append(one["at_ms"])
    whole = len(told) ** 2
    ordered = sorted(due_ms, key=lambda about: due_ms[about])
    return [max(found[about]) - due_ms[about] if len(found[about]) >= whole else None for about in ordered]


def kept_up(lagging: Sequence[float | None], step_ms: float) -> bool:
    """Whether a step of the ramp left no growing queue behind: everything arrived, and the last third hardly later than
    the first. A network that serves a tenth less than is asked of it falls behind by a tenth of the time."""
    known = [lag for lag in lagging if lag is not None]
    if len(known) < len(lagging) or not known:
        return False
    third = max(1, len(known) // 3)
    growth_ms = statistics.median(known[-third:]) - statistics.median(known[:third])
    return growth_ms <= max(LAG_NOISE_MS, step_ms * 2 / 3 * LAG_GROWS)


def sustained(steps: Sequence[Mapping[str, Any]]) -> float | None:
    """The highest rate of the ramp that kept up, below the lowest that did not."""
    failed = [step["entries_per_s"] for step in steps if not step["kept_up"]]
    kept = [step["entries_per_s"] for step in steps if step["kept_up"]]
    return max((rate for rate in kept if not failed or rate < min(failed)), default=None)


def goals_of(result: Mapping[str, Any]) -> list[tuple[str, float, float | None, bool]]:
    """(figure, goal, got, more is better): those that hold for how this run was made."""
    got = result["certificate_on_all_ms"]
    p50, p99 = got.get("p50"), got.get("p99")
    goals: list[tuple[str, float, float | None, bool]] = []
    if result["loss_percent"]:
        if result["loss_percent"] <= TOLERATED_LOSS_PERCENT and result["delay_ms"] >= DELAY_MS_FAR:
            goals.append(("p99 ÷ bound, with loss", 3.0, ratio(p99, result["bound_ms"]), False))
    elif result["delay_ms"] >= DELAY_MS_FAR:
        goals.append(("p50 ÷ bound", 1.3, ratio(p50, result["bound_ms"]), False))
        goals.append(("p99 ÷ bound", 2.0, ratio(p99, result["bound_ms"]), False))
    else:
        goals.append(("certificate on all, p50 ms", 20.0, p50, False))
        goals.append(("certificate on all, p99 ms", 60.0, p99, False))
    parts = (
        ("cpu_ms_per_entry", 0.35, False),
        ("catch_up_certificates_per_s", 1000.0, True),
        ("idle_cpu_percent", 1.0, False),
        ("idle_pss_mb", 120.0, False),
        ("storm_ratio_to_js", 0.5, False),
    )
    return goals + [(name, goal, result[name], more) for name, goal, more in parts if result.get(name) is not None]


def missed(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """[{figure, goal, got, by}…]; `by`: how many times the goal, or what part of it where more is better.
    A part that failed is missed altogether, and says why."""
    found: list[dict[str, Any]] = []
    for name, goal, got, more in goals_of(result):
        if got is None or (got < goal if more else got > goal):
            found.append({"figure": name, "goal": goal, "got": got, "by": ratio(got, goal)})
    failed = result.get("failed", {})
    return found + [{"figure": part, "goal": None, "got": None, "by": None, "why": failed[part]} for part in failed]
