"""Where nodes stand and how long light and routers take between them: fixed by the seed, the same for every pattern."""

from __future__ import annotations

import random
from dataclasses import dataclass

REGIONS = (
    "N. Virginia", "Oregon", "Ireland", "Frankfurt", "Tokyo", "Singapore", "Mumbai", "Sydney", "São Paulo", "Hong Kong"
)  # fmt: skip
WEIGHTS = (20, 8, 12, 20, 10, 12, 4, 4, 4, 6)
"""Where nodes of such protocols are rented, roughly; a choice of ours."""

ONE_WAY_MS = (
    (0.5, 32, 34, 46, 74, 108, 95, 99, 57, 100),
    (32, 0.5, 62, 70, 49, 81, 108, 70, 88, 73),
    (34, 62, 0.5, 13, 101, 87, 61, 127, 89, 102),
    (46, 70, 13, 0.5, 112, 79, 56, 125, 101, 92),
    (74, 49, 101, 112, 0.5, 35, 61, 52, 128, 26),
    (108, 81, 87, 79, 35, 0.5, 30, 46, 161, 18),
    (95, 108, 61, 56, 61, 30, 0.5, 73, 150, 45),
    (99, 70, 127, 125, 52, 46, 73, 0.5, 156, 65),
    (57, 88, 89, 101, 128, 161, 150, 156, 0.5, 155),
    (100, 73, 102, 92, 26, 18, 45, 65, 155, 0.5),
)
"""Half of typical round trips between public cloud regions, rounded, in the order of `REGIONS`: the kind of figure
that public inter-region latency monitors publish. Within a region: half a millisecond."""

LAST_MILE_MS = (0.3, 2.0)
"""From a node to its region's backbone, drawn once per node."""


def shortest(table: tuple[tuple[float, ...], ...]) -> list[list[float]]:
    """No detour is faster than the way itself: else a relay would beat what we call the bound."""
    best = [list(row) for row in table]
    for via in range(len(best)):
        for a in range(len(best)):
            for b in range(len(best)):
                if a != b:
                    best[a][b] = min(best[a][b], best[a][via] + best[via][b])
    return best


_BASE = shortest(ONE_WAY_MS)


@dataclass(frozen=True)
class Earth:
    """n nodes; `rows[region][j]`: ms from any node of that region to j, without the sender's last mile."""

    n: int
    region: tuple[int, ...]
    mile_ms: tuple[float, ...]
    rows: tuple[tuple[float, ...], ...]

    def row(self, i: int) -> list[float]:
        """ms from i to everybody, one way. Symmetric; to itself 0."""
        own = self.mile_ms[i]
        found = [own + rest for rest in self.rows[self.region[i]]]
        found[i] = 0.0
        return found


def earth(n: int, rng: random.Random) -> Earth:
    region = tuple(rng.choices(range(len(REGIONS)), WEIGHTS, k=n))
    miles = tuple(rng.uniform(*LAST_MILE_MS) for _ in range(n))
    rows = tuple(tuple(_BASE[a][region[j]] + miles[j] for j in range(n)) for a in range(len(REGIONS)))
    return Earth(n, region, miles, rows)


def bound(there: Earth, origin: int, speak: list[bool], q: int) -> list[float]:
    """ms at which each node could hold the words of q nodes at the earliest, two delays and nothing else: the origin
    speaks at 0, everybody who hears of it speaks at once to everybody. No CPU, no disk, no evidence, no bandwidth."""
    said = there.row(origin)
    speakers = [i for i in range(there.n) if speak[i]]
    found = []
    for j in range(there.n):
        to_j = there.row(j)
        found.append(sorted(said[i] + to_j[i] for i in speakers)[q - 1])
    return found
