"""The command line of the simulator."""

from __future__ import annotations

import argparse

from tests.sim.memo import shared_parsing
from tests.sim.run import Case, play


def main() -> int:
    asked = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__)
    asked.add_argument("--seed", type=int)
    asked.add_argument("--seeds", type=int, default=100)
    asked.add_argument("--from", type=int, default=1, dest="first")
    asked.add_argument("--members", type=int, default=7)
    told = asked.parse_args()
    with shared_parsing():
        if told.seed is not None:
            result = play(Case(told.seed, told.members))
            print(result.options.words())
            print("\n".join(result.lines))
            print("\n".join(map(str, result.violations)))
            print(result.events, result.virtual_ms, f"{result.cpu_s:.3f}", result.trace_hash[:16])
            return bool(result.violations)
        bad, events, virtual, real = 0, 0, 0, 0.0
        for seed in range(told.first, told.first + told.seeds):
            result = play(Case(seed, told.members))
            events, virtual, real = events + result.events, virtual + result.virtual_ms, real + result.cpu_s
            if result.violations:
                bad += 1
                print(result.case.line(), "|", str(result.violations[0])[:400])
        print(f"{told.seeds} seeds, {bad} bad, {events} events, {real:.1f} s, {3600 * told.seeds / real:.0f}/h, x{virtual / 1000 / real:.0f}")
    return 0
