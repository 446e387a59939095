"""The figures of the network, for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.bench.network_figures import goals_of

WIDTH = 30


def table(results: Sequence[Mapping[str, Any]]) -> str:
    """One block a run: alarms beside bound, floor and js-libp2p; then the goals, each missed one by how much."""
    return "\n\n".join("\n".join(_block(one)) for one in results)


def _block(one: Mapping[str, Any]) -> list[str]:
    title = f"{one['members']} members, {one['delay_ms']:g} ms one way"
    for name, unit in (("jitter_percent", "% jitter"), ("loss_percent", "% loss")):
        title += f", {one[name]:g} {unit}" if one[name] else ""
    others = one.get("others_cpu_percent", 0)
    lines = [title, f"load before {one['load_before']}; others used {others:g} % of the machine meanwhile", ""]
    got = one["certificate_on_all_ms"]
    lines.append(f"{'':<{WIDTH}}{'p50':>9}{'p95':>9}{'p99':>9}   times it (p50)")
    lines.append(f"{'certificate on all, ms':<{WIDTH}}{got['p50']:>9.1f}{got['p95']:>9.1f}{got['p99']:>9.1f}")
    lines.append(_beside("two delays and Q verifications", one["bound_ms"], one["ratio_to_bound"]))
    lines.append(_beside("floor: plain TCP", one["floor_ms"], one["ratio_to_floor"], p99=one["floor_p99_ms"]))
    lines.append(_beside("js-libp2p gossipsub", one["js_ms"], one["ratio_to_js"], one["js_reason"]))
    if one.get("storm_ms") is not None:
        lines += ["", f"{'storm of ' + str(one['storm_members']) + ', ms':<{WIDTH}}{one['storm_ms']:>9.1f}"]
        lines.append(_beside("floor: plain TCP", one["storm_floor_ms"], one["storm_ratio_to_floor"]))
        beside = (one["storm_js_ms"], one["storm_ratio_to_js"], one["storm_js_reason"])
        lines.append(_beside("js-libp2p gossipsub", *beside))
    lines += ["", f"{'figure':<{WIDTH}}{'goal':>12}{'got':>12}"]
    for name, goal, value, more in goals_of(one):
        lines.append(_goal(name, goal, value, more))
    for name in ("entries_per_s", "bytes_per_entry", "alarm_cpu_ms_per_entry", "pss_mb_per_node"):
        if one.get(name) is not None:
            lines.append(f"{name:<{WIDTH}}{'':>12}{one[name]:>12,}")
    if "catch_up" in one and one["catch_up"]["held"] < one["catch_up"]["formed"]:
        lines.append(f"after its return it held {one['catch_up']['held']} of {one['catch_up']['formed']} certificates")
    lines += [f"{part}: FAILED: {why}" for part, why in one.get("failed", {}).items()]
    return lines + (["", "CPU of two members while this went on:", *one["profile"]] if one.get("profile") else [])


def _beside(name: str, value: float | None, times: float | None, reason: str = "", p99: float | None = None) -> str:
    if value is None:
        return f"{name:<{WIDTH}}{'not run':>9}   {reason}".rstrip()
    last = f"{p99:>18.1f}" if p99 is not None else f"{'':>18}"
    return f"{name:<{WIDTH}}{value:>9.1f}{last}   {times:g}"


def _goal(name: str, goal: float, value: float | None, more: bool) -> str:
    bound = f"{'≥' if more else '≤'} {goal:,g}"
    if value is None:
        return f"{name:<{WIDTH}}{bound:>12}{'not known':>12}  MISSED"
    said = ""
    if (value < goal) if more else (value > goal):
        said = f"  MISSED by {abs(value - goal):,.2f}: {value / goal:.2f} of it"
    return f"{name:<{WIDTH}}{bound:>12}{value:>12,.2f}{said}"
