"""From what members and attackers tell to figures, and figures beside their goals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.integration.hostile.lab import Alarm, Lab

GOALS: dict[str, float] = {
    "ratio_p99": 2.0,
    "first_entry_later_ms": 50.0,
    "crashes": 0,
    "uncertified": 0,
    "dialled": 0,
    "rss_mb_per_h": 50.0,
}
Happening = Mapping[str, Any]


def summary(values: Sequence[float]) -> dict[str, float]:
    """p50, p95, p99 (nearest rank) and max, in ms; {} of nothing."""
    ordered = sorted(values)
    if not ordered:
        return {}
    found = {name: ordered[max(0, -(-len(ordered) * share // 100) - 1)] for name, share in RANKS.items()}
    return {name: round(value, 1) for name, value in (found | {"max": ordered[-1]}).items()}


ROW = "{:<20}{:>8}{:>8}{:>8}{:>7}{:>7}{:>10}{:>7}{:>9}"
RANKS = {"p50": 50, "p95": 95, "p99": 99}


def certificates(lab: Lab, alarms: Sequence[Alarm]) -> list[float]:
    """Per alarm that is certified everywhere: first attestation committed anywhere → ISOLATE certificate committed on
    the last honest member, ms."""
    found = []
    for alarm in alarms:
        said = [one["at_ms"] for one in _own_words(lab, alarm).values()]
        held = [_first(lab.about(name, "certificate", alarm)) for name in lab.nodes]
        if said and all(held):
            found.append(max(one["at_ms"] for one in held if one) - min(said))
    return found


def first_entries(lab: Lab, alarms: Sequence[Alarm]) -> list[float]:
    """Per alarm and other honest member: the first word committed at its author → committed at the other, ms."""
    found = []
    for alarm in alarms:
        own = _own_words(lab, alarm)
        if not own:
            continue
        author, said = min(own.items(), key=lambda one: one[1]["at_ms"])
        for name in lab.nodes:
            for one in lab.about(name, "attestation", alarm):
                if name != author and (one["author"], one["seq"]) == (said["author"], said["seq"]):
                    found.append(one["at_ms"] - said["at_ms"])
    return found


def _own_words(lab: Lab, alarm: Alarm) -> dict[str, Happening]:
    said = {name: _first([o for o in lab.about(name, "attestation", alarm) if o["own"]]) for name in lab.nodes}
    return {name: one for name, one in said.items() if one is not None}


def _first(happenings: Sequence[Happening]) -> Happening | None:
    return next((one for one in happenings if one["level"] == "ISOLATE"), None)


def slope_mb_per_h(samples: Sequence[tuple[float, float]]) -> float:
    """Least squares over (s, MB)."""
    count = len(samples)
    if count < 3:
        return 0.0
    mean_s, mean_mb = (sum(one[i] for one in samples) / count for i in (0, 1))
    spread = sum((at_s - mean_s) ** 2 for at_s, _ in samples)
    return round(3600 * sum((at_s - mean_s) * (mb - mean_mb) for at_s, mb in samples) / spread, 1) if spread else 0.0


def missed(result: Mapping[str, Any]) -> list[str]:
    """Every goal that was missed, in words."""
    found = []
    for name, one in result["attacks"].items():
        for figure in ("ratio_p99", "first_entry_later_ms", "crashes", "uncertified", "dialled"):
            got = one.get(figure)
            if got is not None and got > GOALS[figure]:
                found.append(f"{name}: {figure} {got} above {GOALS[figure]:g}")
    growth = result["rss_mb_per_h"]
    if growth is not None and growth > GOALS["rss_mb_per_h"]:
        found.append(f"rss_mb_per_h {growth} above {GOALS['rss_mb_per_h']:g}")
    return found


def table(result: Mapping[str, Any]) -> str:
    """For people."""
    quiet = result["quiet"]["certificate_ms"]
    lines = [
        f"{result['members']} seats, {result['honest']} honest nodes on core {result['cores']['honest']}, attackers on "
        f"{result['cores']['attackers']}; quiet: p50 {quiet['p50']} p95 {quiet['p95']} p99 {quiet['p99']} ms",
        "",
        ROW.format("attack", "p50", "p95", "p99", "x p50", "x p99", "first +ms", "cpu %", "refused"),
    ]
    for name, one in result["attacks"].items():
        told = [one["certificate_ms"].get(rank) for rank in RANKS]
        told += [one["ratio_p50"], one["ratio_p99"], one["later_ms"], one["cpu_percent"], sum(one["refused"].values())]
        lines.append(ROW.format(name, *("-" if value is None else value for value in told)))
    lines += ["", f"memory under everything at once: {result['rss_mb_per_h']} MB/h (goal {GOALS['rss_mb_per_h']:g})"]
    for name, cost in result["handshake_cpu_ms"].items():
        lines.append(f"a stranger's handshake ({name}): {cost} ms of CPU")
    lines.append(f"load average meanwhile: {result['load_average']}")
    lines += [f"MISSED {one}" for one in result["missed"]]
    return "\n".join(lines)
