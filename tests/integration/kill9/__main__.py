"""`python -m tests.integration.kill9 --kills 200 [--seed 1]`: more kills than the suite has time for, drawn by a seed:
at later passages of the points, and at any moment."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.integration.kill9.points import LIFTING, POINTS, TIMED
from tests.integration.kill9.scene import build
from tests.integration.kill9.story import kill_at_each

AT_ONCE = 50
"""Kills on one store: each has a pool of its own, and a policy of thousands is no member's."""


def draw(chance: random.Random) -> str:
    """A named point, one of its later passages, or a moment after the alarm (most actions are through in 0.3 s)."""
    kind = chance.random()
    if kind < 0.4:
        return f"{TIMED}{chance.uniform(0, 0.35):.4f}"
    point = chance.choice(POINTS)
    return point if kind < 0.7 or point in LIFTING else f"{point.partition('#')[0]}#{chance.randint(1, 6)}"


def main() -> int:
    asked = argparse.ArgumentParser(prog="python -m tests.integration.kill9", description=__doc__)
    asked.add_argument("--kills", type=int, default=len(POINTS))
    asked.add_argument("--seed", type=int, default=int(time.time()))
    told = asked.parse_args()
    chance, left, slowest_s, reached = random.Random(told.seed), told.kills, 0.0, 0
    print(f"seed {told.seed}")
    while left > 0:
        points = [draw(chance) for _ in range(min(left, AT_ONCE))]
        with tempfile.TemporaryDirectory(prefix="kill9-") as folder:
            scene = build(Path(folder), len(points))
            try:
                deaths = kill_at_each(scene, points)
                signed = scene.signed_once()
            finally:
                scene.close()
        left -= len(points)
        slowest_s = max(slowest_s, *(died.again_s for died in deaths))
        reached += sum(died.reached for died in deaths)
        print(f"{len(deaths)} kills, {signed} own entries, each number once; served again within {slowest_s:.2f} s")
    print(f"{told.kills} kills ({reached} where they were meant, the others after the last step): no fault")
    return 0


if __name__ == "__main__":
    sys.exit(main())
