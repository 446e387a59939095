"""What no state keeps, counted as it happens: how long commits and steps took, and what failed."""

from __future__ import annotations

import bisect
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from adapters.api import Outcome
from node.effects import RunStep
from node.loop import Durable
from node.metrics.text import Spread
from node.store import Batch
from protocol.envelope import Verified

COMMIT_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
STEP_S = (0.01, 0.05, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0)


class Histogram:
    """Written by one thread, read by another: a reading may lack the observation under way, and is never torn."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._total = 0.0

    def observe(self, value: float) -> None:
        self._counts[bisect.bisect_left(self._bounds, value)] += 1
        self._total += value

    def spread(self) -> Spread:
        counts, running, at_most = list(self._counts), 0, []
        for count in counts:
            running += count
            at_most.append(running)
        return Spread(self._bounds, tuple(at_most[:-1]), running, self._total)


@dataclass
class Counted:
    """Of one running node, since its start."""

    commits: Histogram = field(default_factory=lambda: Histogram(COMMIT_S))
    accepted: dict[bool, int] = field(default_factory=lambda: {True: 0, False: 0})
    """Own or not → entries that were made durable."""
    steps: dict[tuple[str, str], Histogram] = field(default_factory=dict)
    """(lever as the policy calls it, step)."""
    failures: dict[tuple[str, str], int] = field(default_factory=dict)

    def stepped(self, effect: RunStep, outcome: Outcome, took_s: float) -> None:
        key = (effect.order.lever, effect.step)
        self.steps.setdefault(key, Histogram(STEP_S)).observe(took_s)
        self.failures[key] = self.failures.get(key, 0) + (not outcome.ok)


@dataclass
class CountedDurable(Durable):
    counted: Counted = field(default_factory=Counted)

    def write(self, batch: Batch, own: Sequence[Verified[Any]], attestation: Any) -> None:
        began = time.perf_counter()
        super().write(batch, own, attestation)
        self.counted.commits.observe(time.perf_counter() - began)
        for row in batch.entries:
            self.counted.accepted[row.own] += 1
