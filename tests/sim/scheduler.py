"""Virtual time, one queue, one seed: nothing in a run depends on anything else."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from typing import Any

START_MS = 1_790_000_000_000
STEPS_MAX = 600_000
"""A seed that does not come to its end is a finding, not a wait."""


class EndlessError(Exception):
    """Something goes on and on."""


class Scheduler:
    """Time is true time, in ms since 1970; every node's clock is some distance from it."""

    def __init__(self, seed: int | str) -> None:
        self.seed = seed
        self.now_ms = START_MS
        self.fired = 0
        self._queue: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []
        self._numbers = itertools.count()

    def chance(self, name: str) -> random.Random:
        """A stream of its own for each matter: taking one option away leaves the others' luck as it was."""
        return random.Random(f"{self.seed}/{name}")

    def after(self, ms: int, fn: Callable[..., None], *args: Any) -> None:
        at_ms = self.now_ms + ms if ms > 0 else self.now_ms
        heapq.heappush(self._queue, (at_ms, next(self._numbers), fn, args))

    def at(self, at_ms: int, fn: Callable[..., None], *args: Any) -> None:
        heapq.heappush(self._queue, (max(at_ms, self.now_ms), next(self._numbers), fn, args))

    def step(self, until_ms: int) -> bool:
        """The next thing that happens before `until_ms`; False where nothing does."""
        if not self._queue or self._queue[0][0] > until_ms:
            return False
        self._fire()
        return True

    def _fire(self) -> None:
        self.now_ms, _, fn, args = heapq.heappop(self._queue)
        self.fired += 1
        if self.fired > STEPS_MAX:
            raise EndlessError(f"{STEPS_MAX} steps and no end; the last was {getattr(fn, '__qualname__', fn)}")
        fn(*args)

    def run_until(self, until_ms: int) -> None:
        queue, fire = self._queue, self._fire
        while queue and queue[0][0] <= until_ms:
            fire()
        self.now_ms = max(self.now_ms, until_ms)
