"""The command line of the simulator: many seeds, one seed's story, planted bugs, replay."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.sim import regressions
from tests.sim.many import Tally, run_many
from tests.sim.memo import shared_parsing
from tests.sim.run import Case, Result, options_of, play
from tests.sim.shrink import shrink

MIXED = ((4, 1560), (7, 1960), (13, 1998), (31, 2000))
MIXED_OF = 2000
MIXED_STEP = 1237
"""n → where its part of two thousand seeds ends: most are small, for a large one costs a hundred small ones. They come
in steps that share no divisor with it, so that a bounded time meets all sizes."""
SHRUNK_MAX = 3
SHOWN_MAX = 20


def parser() -> argparse.ArgumentParser:
    asked = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__)
    asked.add_argument("--seeds", type=int, default=200, help="how many (default 200)")
    asked.add_argument("--from", type=int, default=1, dest="first", help="the first of them")
    asked.add_argument("--seed", type=int, help="one seed: a readable trace of what happened to whom")
    asked.add_argument("--members", default="mix", help="control groups: 4, 7, 13, 31 or a mix of them (default)")
    asked.add_argument("--minutes", type=float, default=0, help="stop after so long")
    asked.add_argument("--workers", type=int, default=0, help="processes (default: one a core)")
    asked.add_argument("--without", default="", help="faults and scripts taken away, with commas")
    asked.add_argument("--deeds", default="", help="numbers of the deeds that are played, with commas; or none")
    asked.add_argument("--keep", action="store_true", help="shorten what fails and keep it as a regression")
    asked.add_argument("-o", dest="output", choices=("human", "json"), default="human")
    asked.add_argument("--bugs", action="store_true", help="search for each planted bug; --bugs --help says more")
    asked.add_argument("--replay", metavar="FILE", help="step through a kept case, forward and back")
    return asked


def main(arguments: list[str] | None = None) -> int:
    words = sys.argv[1:] if arguments is None else arguments
    if "--bugs" in words:
        from tests.sim.bugs.cli import main as bugs

        return bugs(words)
    if "--replay" in words:
        from tests.sim.replay import main as replay

        at = words.index("--replay")
        if at + 1 >= len(words):
            parser().error("--replay wants a file, e.g. one of tests/sim/kept/")
        return replay(Path(words[at + 1]), words[at + 2 :])
    told = parser().parse_args(words)
    if told.members not in ("4", "7", "13", "31", "mix"):
        parser().error(f"--members {told.members}: 4, 7, 13, 31 or mix")
    if told.seed is not None:
        return _tell(told)
    return _many(told)


def _case(told: argparse.Namespace, seed: int, n: int) -> Case:
    without = tuple(one for one in told.without.split(",") if one)
    deeds = None if not told.deeds else tuple(int(one) for one in told.deeds.split(",") if one != "none")
    return Case(seed, n, without, deeds)


def _cases(told: argparse.Namespace) -> Iterator[Case]:
    counts: Counter[int] = Counter()
    for at in range(told.seeds):
        place = at * MIXED_STEP % MIXED_OF
        n = int(told.members) if told.members != "mix" else next(n for n, end in MIXED if place < end)
        yield _case(told, told.first + counts[n], n)
        counts[n] += 1


def _tell(told: argparse.Namespace) -> int:
    case = _case(told, told.seed, 7 if told.members == "mix" else int(told.members))
    with shared_parsing():
        result = play(case)
    print(options_of(case).words(), *result.lines, sep="\n")
    print(f"{result.events} events, {result.virtual_ms / 1000:.0f} s of virtual time in {result.cpu_s:.2f} s")
    print("trace", result.trace_hash)
    for one in result.violations:
        print(f"VIOLATION {one}")
    return 1 if result.violations else 0


def _many(told: argparse.Namespace) -> int:
    shown: list[int] = []

    def show(result: Result) -> None:
        if result.violations and told.output == "human":
            shown.append(result.case.seed)
            if len(shown) <= SHOWN_MAX:
                print(f"{str(result.violations[0])[:600]}\n  {result.case.line()}", flush=True)

    tally = run_many(_cases(told), told.workers, told.minutes, show)
    if told.keep:
        with shared_parsing():
            for case, what in tally.violations[:SHRUNK_MAX]:
                print(f"kept as {regressions.keep(shrink(case), what)}", file=sys.stderr)
    if told.output == "json":
        print(json.dumps(tally.as_json(), indent=1))
    else:
        _summary(tally)
    return 1 if tally.violations else 0


def _summary(tally: Tally) -> None:
    found = tally.as_json()
    print(f"{tally.seeds} seeds, {len(tally.violations)} with violations, {tally.events} events")
    print(f"{found['seeds_per_core_hour']} seeds per core-hour, {found['virtual_over_real']} x virtual time")
    print(f"{tally.repeated} of {len(tally.hashes)} run again under another hash seed: equal traces")
    if tally.uncovered():
        print(f"never happened: {', '.join(tally.uncovered())}")
