"""The table of planted bugs: which invariant sees each, at which seed, after how many."""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tests.sim.bugs.bank import BANK
from tests.sim.bugs.search import Found, search_all

HERE = Path(__file__).parent
RECORDED = HERE / "found.json"
TABLE = HERE / "README.md"
MARK = "<!-- table -->\n"


def recorded() -> dict[str, Found]:
    """Name → what was found when it was last searched for."""
    if not RECORDED.exists():
        return {}
    return {one["name"]: Found(**one) for one in json.loads(RECORDED.read_text("utf-8"))}


def record(found: dict[str, Found]) -> None:
    rows = [asdict(found[name]) for name in BANK if name in found and found[name].seed]
    RECORDED.write_text(json.dumps(rows, indent=1) + "\n", "utf-8")
    before = TABLE.read_text("utf-8").partition(MARK)[0]
    TABLE.write_text(before + MARK + "\n".join(table(found)) + "\n", "utf-8")


def table(found: dict[str, Found]) -> list[str]:
    lines = ["| bug | what was written | seen by | seed, n | seeds needed |", "|---|---|---|---|---|"]
    for name, bug in BANK.items():
        one = found.get(name)
        if one is not None and one.seed:
            lines.append(f"| {name} | {bug.story} | {one.invariant} | {one.seed}, {one.n} | {one.seeds} |")
    lines += ["", "Not shown by any seed yet, and what the simulator lacks for it:", ""]
    lines += [f"- {name}: {bug.story}. {bug.unseen}." for name, bug in BANK.items() if bug.unseen]
    seeds = [one.seeds for name, one in found.items() if one.seed and name in BANK]
    if seeds:
        lines += ["", f"{len(seeds)} bugs; seeds needed: median {statistics.median(seeds):g}, most {max(seeds)}."]
    return lines


def main(arguments: Sequence[str] | None = None) -> int:
    asked = argparse.ArgumentParser(prog="python -m tests.sim --bugs", description=__doc__)
    asked.add_argument("--bugs", action="store_true", help=argparse.SUPPRESS)
    asked.add_argument("--only", action="append", default=[], metavar="NAME")
    asked.add_argument("--seeds-max", type=int, default=2_000)
    asked.add_argument("--from", type=int, default=1, dest="first")
    asked.add_argument("--unseen", action="store_true", help="those that no seed has shown yet")
    asked.add_argument("--record", action="store_true", help="rewrites found.json and the table in the README")
    told = asked.parse_args(arguments)
    names = told.only or [name for name, bug in BANK.items() if bool(bug.unseen) == told.unseen]
    found: dict[str, Found] = {}
    for one in search_all(names, told.seeds_max, told.first):
        found[one.name] = one
        if told.record:
            record({**recorded(), **found})
        print(
            f"{one.name:44} {one.seeds:5} {one.seed:5} n={one.n} {one.invariant or 'NOT FOUND'}: {one.what[:110]}",
            flush=True,
        )
    print("\n".join(table(found)))
    return int(any(not one.seed for one in found.values()))
