"""From runs to RESULT.md: tables beside the goal, and where all-to-all stops paying."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.sim.scale import patterns
from tests.sim.scale.costs import Costs, as_rows
from tests.sim.scale.run import COMMITTEE, GOSSIP, PATTERNS, SIZES

TITLES = {
    "all-to-all": "all-to-all (shipped)",
    "collectors": "3 collectors",
    "one-signature": "3 collectors, 1 signature",
    "tree": "tree of two levels",
    "committee": f"committee of {COMMITTEE}",
    GOSSIP: "GossipSub",
}
RIVALS = ("collectors", "one-signature", "tree", GOSSIP)
"""With the same safety as all-to-all; a committee has less."""
Row = Mapping[str, float]
Results = Mapping[str, Any]


def goal_p50(n: int) -> float:
    """Goal P1; between 100 and 1000 it names nothing, so the one for 1000 holds."""
    return 1.10 if n <= 19 else 1.15 if n <= 50 else 1.25 if n <= 100 else 2.5


def verdict(n: int, row: Row) -> str:
    missed = [
        text
        for text, bad in (
            (f"p50 above {goal_p50(n):.2f}", round(row["p50"], 2) > goal_p50(n)),
            ("p99 above 2 × p50", row["p99"] > 2 * row["p50"]),
        )
        if bad
    ]
    return "MISSED: " + ", ".join(missed) if missed else "met"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def headline(results: Results) -> str:
    rows = []
    for n, row in cells(results["plain"], "all-to-all"):
        rows.append([
            str(n), f"{row['alarms']:.0f}", f"{row['bound_ms']:.0f}", f"{row['all_ms']:.0f}", f"**{row['p50']:.2f}**",
            f"{row['p99']:.2f}", f"{row['node_p50']:.2f}", f"{row['node_p99']:.2f}", f"≤ {goal_p50(n):.2f}",
            verdict(n, row),
        ])  # fmt: skip
    head = ["n", "alarms", "bound, ms", "certificate on all, ms", "÷ p50", "÷ p99", "a node's ÷ p50", "p99", "goal p50",
            "P1"]  # fmt: skip
    return table(head, rows)


def cells(part: Mapping[str, Mapping[str, Row]], name: str) -> list[tuple[int, Row]]:
    return [(int(n), row) for n, row in part.get(name, {}).items()]


def beside(results: Results, show: Any, part: str = "plain", names: Sequence[str] = tuple(TITLES)) -> str:
    """One line per n, one column per pattern."""
    there = [name for name in names if name in results[part]]
    sizes = sorted({int(n) for name in there for n in results[part][name]})
    rows = [
        [str(n), *(show(results[part][name][str(n)]) if str(n) in results[part][name] else "–" for name in there)]
        for n in sizes
    ]
    return table(["n", *(TITLES[name] for name in there)], rows)


def ratio(row: Row) -> str:
    return f"{row['p50']:.2f} / {row['p99']:.2f}"


def cpu(row: Row) -> str:
    return f"{row['cpu_ms']:.1f} / {row['busiest_ms']:.1f}"


def carried(row: Row) -> str:
    return f"{row['kib']:.1f} KiB in {row['frames']:.0f}"


def crossover(part: Mapping[str, Mapping[str, Row]], name: str) -> int | None:
    """The smallest n from which on `name` has its certificate on all earlier than all-to-all."""
    shipped = part["all-to-all"]
    found = None
    for n in sorted((int(n) for n in shipped if n in part[name]), reverse=True):
        if part[name][str(n)]["p50"] >= shipped[str(n)]["p50"]:
            break
        found = n
    return found


def crossing(part: Mapping[str, Mapping[str, Row]], name: str) -> str:
    at = crossover(part, name)
    if at is None:
        worst = max(part[name], key=int)
        return (
            f"- **{TITLES[name]}**: never faster up to n = {worst}; there "
            f"{compared(part['all-to-all'][worst], part[name][worst])}."
        )
    before = max((int(n) for n in part[name] if int(n) < at), default=None)
    since = f"between n = {before} and n = {at}" if before else f"from n = {at} on"
    told = []
    for n in dict.fromkeys((str(at), max(part[name], key=int))):
        told.append(f"at n = {n} {compared(part['all-to-all'][n], part[name][n])}")
    return f"- **{TITLES[name]}**: all-to-all stops paying {since}; {'; '.join(told)}."


def compared(shipped: Row, other: Row) -> str:
    quicker = 1 - other["p50"] / shipped["p50"]
    less = shipped["cpu_ms"] / other["cpu_ms"]
    busiest = shipped["busiest_ms"] / other["busiest_ms"]
    word = f"{quicker:.0%} faster" if quicker >= 0 else f"{-quicker:.0%} slower"
    return (
        f"{word} ({other['p50']:.2f} against {shipped['p50']:.2f}), {times(less)} CPU on an average node, "
        f"{times(busiest)} on the busiest"
    )


def times(factor: float) -> str:
    return f"{factor:.1f} × less" if factor >= 1 else f"{1 / factor:.1f} × more"


def risks() -> str:
    rows = []
    for n, m in ((100, 31), (100, COMMITTEE), (200, COMMITTEE), (1000, COMMITTEE), (1000, 100), (1000, 200)):
        line = [str(n), str(m)]
        for share in (0.10, 0.20, 0.25, (n - 1) // 3 / n):
            third, alone = patterns.committee_risks(n, int(n * share + 1e-9), m)
            line.append(f"{third:.1e} / {alone:.0e}")
        rows.append(line)
    return table(["n", "committee", "10 % lie", "20 % lie", "25 % lie", "f lie"], rows)


def weather(results: Results) -> str:
    rows = []
    for title, by_n in results["weather"].items():
        rows.append([title, *(ratio(by_n[str(n)]) if str(n) in by_n else "–" for n in results["weather_sizes"])])
    return table(["p50 / p99", *(f"n = {n}" for n in results["weather_sizes"])], rows)


def costs_table(costs: Costs) -> str:
    return table(["cost", "ms of one core, or as it says"], [[f"`{name}`", figure] for name, figure in as_rows(costs)])


def certificates(measured: Mapping[str, Any]) -> str:
    rows = [
        [n, str(row["signers"]), f"{sum(row['entries']):.1f}", f"{row['check']:.2f}", f"{row['certificate_taken']:.1f}",
         f"{row['duplicate']:.3f}", f"{row['short_bytes'] / 1024:.1f}"]
        for n, row in measured["machine"].items()
    ]  # fmt: skip
    head = ["members", "Q", "all words of one alarm, ms", "`check_certificate`, none known, ms",
            "the machine takes that certificate, ms", "a duplicate, ms", "certificate, KiB"]  # fmt: skip
    return table(head, rows)


def terminal(results: Results) -> str:
    """What the command prints."""
    parts = [headline(results), "certificate on all ÷ bound, p50 / p99\n" + beside(results, ratio)]
    parts.append("CPU ms a node and alarm, mean / busiest\n" + beside(results, cpu))
    return "\n\n".join(parts)


def sizes_of(results: Results) -> tuple[int, ...]:
    return tuple(n for n in SIZES if str(n) in results["plain"]["all-to-all"])


def names_of(results: Results) -> tuple[str, ...]:
    return tuple(name for name in (*PATTERNS, GOSSIP) if name in results["plain"])
