"""`python -m tests.sim.scale`: the table; `--write` renews RESULT.md and scale.svg, `--measure` the costs below."""

from __future__ import annotations

import argparse
import gc
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.sim.scale import costs as costs_module
from tests.sim.scale import plot, report, result
from tests.sim.scale.costs import Costs, counting_for_nothing, leaner_wire, slower
from tests.sim.scale.engine import Settings
from tests.sim.scale.run import (
    COLLECTORS_DEAD,
    GOSSIP,
    PATTERNS,
    SIZES,
    Tally,
    one,
    plain,
    seeds_at,
    tallied,
)

HERE = Path(__file__).parent
SEEDS = 100
WEATHER_SIZES = (7, 19, 50, 100)
WHAT_IF_SIZES = (100, 200, 500, 1000)


def main() -> int:
    asked = arguments()
    if asked.measure:
        costs_module.measure()
    costs = costs_module.load()
    gc.freeze()
    gc.disable()  # an engine holds a million tuples and no cycle worth looking for
    results = everything(costs, asked.n, asked.seeds, whole=asked.write)
    if asked.write:
        (HERE / "RESULT.md").write_text(result.text(results, costs), "utf-8")
        (HERE / "scale.svg").write_text(plot.svg(results), "utf-8")
    print(json.dumps(results) if asked.o == "json" else report.terminal(results))
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.sim.scale", description=__doc__)
    parser.add_argument("--n", type=int, nargs="+", default=list(SIZES), help="control groups, 4 to 1000")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="alarms at each n; fewer above 100 groups")
    parser.add_argument("-o", choices=("table", "json"), default="table")
    parser.add_argument("--measure", action="store_true", help="measure the shipped code on this machine first")
    parser.add_argument("--write", action="store_true", help="RESULT.md and scale.svg beside this file, some minutes")
    asked = parser.parse_args()
    if any(not 4 <= n <= 1000 for n in asked.n) or asked.seeds < 1:
        parser.error("--n wants numbers from 4 to 1000, --seeds one or more")
    if asked.write and set(asked.n) != set(SIZES):
        parser.error("--write is for all sizes: leave --n out")
    return asked


def everything(costs: Costs, sizes: list[int], seeds: int, whole: bool) -> dict[str, Any]:
    results: dict[str, Any] = {"seeds": seeds, "plain": {}}
    if whole:
        results["weather_sizes"] = WEATHER_SIZES
        results["weather"] = in_bad_weather(plain(costs), min(seeds, 60))
    for name in (*PATTERNS, GOSSIP):
        results["plain"][name] = {str(n): noted(name, n, seeds, plain(costs)) for n in sizes}
    if whole:
        for key, changed in (("counting", counting_for_nothing(costs)), ("leaner", leaner_wire(costs))):
            results[key] = {
                name: {str(n): noted(name, n, min(seeds, 30), plain(changed)) for n in WHAT_IF_SIZES}
                for name in ("all-to-all", "collectors", "one-signature")
            }
    return results


def noted(name: str, n: int, seeds: int, settings: Settings) -> dict[str, float]:
    print(f"{name}, n = {n}", file=sys.stderr)
    return tallied(name, n, seeds, settings).summary()


def in_bad_weather(settings: Settings, seeds: int) -> dict[str, dict[str, Any]]:
    """Title → n → summary."""
    found: dict[str, dict[str, Any]] = {}
    for n in WEATHER_SIZES:
        f, slow = (n - 1) // 3, replace(settings.costs, commit=4.0, mark=12.0)
        kinds = {
            "all-to-all, nothing wrong": ("all-to-all", settings),
            "… f members silent (the bound is theirs who speak)": ("all-to-all", replace(settings, silent=f)),
            "… 1 % of frames lost on the way": ("all-to-all", replace(settings, loss=0.01)),
            "… 16 alarms at once": ("all-to-all", replace(settings, topics=16)),
            "… f members spend their budgets on garbage": ("all-to-all", replace(settings, garbage=True)),
            "… all CPU costs doubled": ("all-to-all", replace(settings, costs=slower(settings.costs, 2))),
            "… a slow disk: 4 ms a commit, 12 ms a mark": ("all-to-all", replace(settings, costs=slow)),
            "3 collectors, nothing wrong": ("collectors", settings),
            "… f members silent, none a collector": ("collectors", replace(settings, silent=f)),
            "… 16 alarms at once ": ("collectors", replace(settings, topics=16)),
        }
        for title, (name, changed) in kinds.items():
            found.setdefault(title, {})[str(n)] = noted(name, n, seeds, changed)
        tally = Tally()
        for seed in range(seeds_at(n, seeds)):
            one("collectors", COLLECTORS_DEAD, n, seed, settings, tally)
        found.setdefault("… collectors silent, as many as may lie of the 3", {})[str(n)] = tally.summary()
    return found


if __name__ == "__main__":
    sys.exit(main())
