"""Token buckets on trio's clock: how much one person, or one address, may ask for."""

from __future__ import annotations

from collections import OrderedDict

import trio

BUCKETS_MAX = 1024


class Bucket:
    """`most` at once, `rate` a second."""

    def __init__(self, most: float, rate: float) -> None:
        self._most, self._rate = most, rate
        self._left = most
        self._at_s = trio_now()

    def _fill(self) -> None:
        now_s = trio_now()
        self._left = min(self._most, self._left + (now_s - self._at_s) * self._rate)
        self._at_s = now_s

    def wait_s(self) -> float:
        """0 where one may be taken now."""
        self._fill()
        return max(0.0, (1 - self._left) / self._rate)

    def take(self) -> bool:
        if self.wait_s() > 0:
            return False
        self._left -= 1
        return True

    def give(self) -> None:
        self._left = min(self._most, self._left + 1)


class Buckets:
    """One for each name; the one that was asked for longest ago goes first, and comes back full."""

    def __init__(self, most: float, rate: float) -> None:
        self._most, self._rate = most, rate
        self._held: OrderedDict[str, Bucket] = OrderedDict()

    def _of(self, name: str) -> Bucket:
        bucket = self._held.pop(name, None) or Bucket(self._most, self._rate)
        self._held[name] = bucket
        while len(self._held) > BUCKETS_MAX:
            self._held.popitem(last=False)
        return bucket

    def wait_s(self, name: str) -> float:
        return self._of(name).wait_s()

    def take(self, name: str) -> bool:
        return self._of(name).take()

    def give(self, name: str) -> None:
        self._of(name).give()


def trio_now() -> float:
    """0 before anything runs: a bucket that is made then is full anyway."""
    try:
        return trio.current_time()
    except RuntimeError:
        return 0.0
