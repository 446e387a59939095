"""`python -m tests.integration.kill9 --kills 200 [--seed 1]`: more kills than the suite has time for, drawn by a seed:
at later passages of the points, and at any moment. Exit 1 where a rule broke or serving again took above two seconds
(p99)."""

from __future__ import annotations

import argparse
import math
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.integration.kill9.points import LIFTING, POINTS, TIMED
from tests.integration.kill9.scene import SERVING_S, build
from tests.integration.kill9.story import Died, kill_at_each

AT_ONCE = 50
"""Kills on one store: each has a pool of its own, and a policy of thousands is no member's."""


def draw(chance: random.Random) -> str:
    """A named point, one of its later passages, or a moment after the alarm (most actions are through in 0.3 s)."""
    kind = chance.random()
    if kind < 0.4:
        return f"{TIMED}{chance.uniform(0, 0.35):.4f}"
    point = chance.choice(POINTS)
    return point if kind < 0.7 or point in LIFTING else f"{point.partition('#')[0]}#{chance.randint(1, 6)}"


def rank(times_s: Sequence[float], share: float) -> float:
    """The nearest-rank percentile."""
    ordered = sorted(times_s)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def run(chance: random.Random, count: int) -> list[Died]:
    points = [draw(chance) for _ in range(count)]
    with tempfile.TemporaryDirectory(prefix="kill9-") as folder:
        scene = build(Path(folder), len(points))
        try:
            deaths = kill_at_each(scene, points)
            signed = scene.signed_once()
        finally:
            scene.close()
    print(f"{len(deaths)} kills, {signed} own entries, each number once, none that went out is lost")
    return deaths


def main() -> int:
    asked = argparse.ArgumentParser(prog="python -m tests.integration.kill9", description=__doc__)
    asked.add_argument("--kills", type=int, default=len(POINTS))
    asked.add_argument("--seed", type=int, default=int(time.time()))
    told = asked.parse_args()
    chance, deaths = random.Random(told.seed), list[Died]()
    print(f"seed {told.seed}")
    while len(deaths) < told.kills:
        try:
            deaths += run(chance, min(told.kills - len(deaths), AT_ONCE))
        except AssertionError as fault:
            print(f"FAULT: {fault}")
            return 1
    times_s = [died.again_s for died in deaths]
    middle, late, last = (rank(times_s, share) for share in (0.5, 0.99, 1.0))
    print(f"serving again after p50 {middle:.2f} s, p99 {late:.2f} s, at most {last:.2f} s")
    reached = sum(died.reached for died in deaths)
    print(f"{told.kills} kills ({reached} where they were meant, the others after the last step)")
    if late > SERVING_S:
        print(f"FAULT: p99 above {SERVING_S:g} s")
        return 1
    print("no fault")
    return 0


if __name__ == "__main__":
    sys.exit(main())
