"""What a seed draws before anything happens: a swarm of options, each of which can be taken away by name."""

from __future__ import annotations

import random
from dataclasses import dataclass, fields, replace

FAULTS = (
    "loss", "duplication", "reordering", "partition", "one_way", "flapping", "slow_links",
    "torn_write", "lost_write", "disk_full", "failed_but_persisted", "persisted_but_failed", "old_backup",
    "skew", "clock_jump", "pause", "crash", "crash_at_step", "newer_records",
    "rekey", "poisoned_vendor", "outage", "lever_fails", "lever_unsure", "quiet_hours",
    "people", "releases", "twin_seat", "suspended_seat",
)  # fmt: skip
SCRIPTS = (
    "silent", "equivocates", "withholds", "replays", "forges_claims", "irrelevant_claims", "immaterial_claims",
    "true_claim", "spoofs_sources", "stretches_leases", "races_releases", "lies_in_sync", "burns_budgets", "colludes",
)  # fmt: skip
VOTING = ("votes", "vote_crash", "vote_partition")
"""Of seeds in which members propose and vote: drawn from a stream of luck of their own, see `governed`."""
VOTING_SCRIPTS = ("orders_falsely", "stuffs_ballots")
EVERYTHING = (*FAULTS, *VOTING, *SCRIPTS, *VOTING_SCRIPTS)
MIDDLE, LARGE = 7, 13
"""From so many groups on a seed is shorter: its frames grow with the square, and two short seeds meet more than one
long one."""


@dataclass(frozen=True)
class Options:
    """`faults` and `scripts` are what this seed plays; numbers are per seed as well."""

    n: int
    faults: frozenset[str]
    scripts: tuple[str, ...]
    """One for each liar; at most f."""
    skewed: int
    """Honest groups beyond the bound of the clock, or rolled back: with the liars at most f."""
    rolled_back: int
    vendors: int
    lease_divisor: int
    tick_ms: int
    span_ms: int
    deeds: int
    loss: float
    jitter: float
    regions: int
    change_delay_ms: int = 0
    """Between a passed proposal and its ordering; 0: the charter's days, in seeds where nobody proposes."""

    def without(self, *names: str) -> Options:
        """The same seed with these faults and scripts taken away."""
        gone = frozenset(names)
        left = tuple(one for one in self.scripts if one not in gone)
        return replace(
            self,
            faults=self.faults - gone,
            scripts=left,
            loss=0.0 if "loss" in gone else self.loss,
            skewed=0 if "skew" in gone else self.skewed,
            rolled_back=0 if "old_backup" in gone else self.rolled_back,
        )

    def words(self) -> str:
        told = [f"n={self.n}", *sorted(self.faults), *(f"liar:{one}" for one in self.scripts)]
        numbers = [f"{one.name}={getattr(self, one.name)}" for one in fields(self) if one.name not in _TOLD]
        return " ".join([*told, *numbers])


_TOLD = ("n", "faults", "scripts")


def draw(chance: random.Random, n: int) -> Options:
    f = (n - 1) // 3
    rate = chance.choice((0.15, 0.35, 0.6))
    faults = frozenset(one for one in FAULTS if chance.random() < rate)
    liars = chance.choice((0, f, f, f, chance.randint(0, f)))
    scripts = tuple(chance.choice(SCRIPTS) for _ in range(liars))
    left = f - liars
    skewed = min(left, 1) if "skew" in faults else 0
    rolled_back = min(left - skewed, 1) if "old_backup" in faults else 0
    drawn = Options(
        n=n,
        faults=faults,
        scripts=scripts,
        skewed=skewed,
        rolled_back=rolled_back,
        vendors=chance.choice((0, 2, 3)),
        lease_divisor=chance.choice((1, 60, 360, 720)),
        tick_ms=chance.choice((250, 400, 600)),
        span_ms=chance.choice((2_500, 4_000, 6_000, 10_000)),
        deeds=chance.randint(2, 7),
        loss=chance.choice((0.02, 0.1, 0.2)) if "loss" in faults else 0.0,
        jitter=chance.choice((0.0, 0.1, 0.5)),
        regions=chance.randint(1, 8),
    )
    if MIDDLE <= n < LARGE:
        return replace(drawn, tick_ms=600, span_ms=min(drawn.span_ms, 4_000))
    return drawn if n < LARGE else replace(drawn, tick_ms=1_000, span_ms=2_500, deeds=min(drawn.deeds, 4))


def governed(chance: random.Random, drawn: Options) -> Options:
    """A third of the seeds, in which members decide besides: whatever it draws, the other seeds stay as they were."""
    if chance.random() >= 1 / 3:
        return drawn
    more = {"votes", *(one for one in VOTING[1:] if chance.random() < 0.5)}
    scripts = tuple(chance.choice((*VOTING_SCRIPTS, one)) for one in drawn.scripts)
    delay_ms = chance.choice((500, 1_500, 4_000))
    span_ms = max(drawn.span_ms, delay_ms + (5_000 if drawn.n < LARGE else 2_500))
    return replace(drawn, faults=drawn.faults | more, scripts=scripts, change_delay_ms=delay_ms, span_ms=span_ms)
