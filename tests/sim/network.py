"""Wires between members: regions, jitter, loss, duplicates, other orders, cuts. A frame is bytes and nothing else."""

from __future__ import annotations

from collections.abc import Callable

from tests.sim.options import Options
from tests.sim.scheduler import Scheduler

REGIONS = ("virginia", "oregon", "frankfurt", "london", "singapore", "tokyo", "sao-paulo", "sydney")
ONE_WAY_MS = (
    (1, 32, 46, 38, 108, 73, 57, 99),
    (32, 1, 70, 64, 83, 49, 88, 70),
    (46, 70, 1, 8, 81, 112, 101, 125),
    (38, 64, 8, 1, 86, 107, 93, 132),
    (108, 83, 81, 86, 1, 35, 162, 46),
    (73, 49, 112, 107, 35, 1, 128, 52),
    (57, 88, 101, 93, 162, 128, 1, 156),
    (99, 70, 125, 132, 46, 52, 156, 1),
)
"""Half of the round trips that public tables of cloud providers show between their regions, rounded."""
DOWN_AFTER_MS = 4_000
"""A transport notices by its pings that a peer is gone."""
UP_AFTER_MS = 150


class Network:
    """`up`, `down`, `deliver` are told to the world: (to, from) and what came."""

    def __init__(
        self,
        scheduler: Scheduler,
        options: Options,
        names: list[str],
        deliver: Callable[[str, str, bytes, bool, bool], None],
        linked: Callable[[str, str, bool], None],
    ) -> None:
        self.time, self.options, self.names = scheduler, options, names
        self._deliver, self._linked = deliver, linked
        self._chance = scheduler.chance("network")
        placed = scheduler.chance("places")
        self.place = {name: placed.randrange(options.regions) for name in names}
        self.loss = options.loss
        self.calm = False
        """After the heal nothing is duplicated, reordered or cut."""
        self.blocked: dict[tuple[str, str], int] = {}
        """(from, to) → how many cuts lie on it."""
        self.alive: set[str] = set()
        self.links: set[tuple[str, str]] = set()
        """Ordered pairs (a < b) that are connected."""
        self.slow: dict[str, int] = {}
        self.carried = self.lost = self.doubled = self.reordered = 0
        self._last_ms: dict[tuple[str, str, bool], int] = {}
        self._mixes = frozenset(one for one in ("reordering", "duplication") if one in options.faults)
        self._far_ms = {(a, b): ONE_WAY_MS[self.place[a]][self.place[b]] for a in names for b in names}

    def delay_ms(self, a: str, b: str) -> int:
        far_ms = self._far_ms[(a, b)]
        return far_ms + self.slow.get(a, 0) + self.slow.get(b, 0) if self.slow else far_ms

    def most_ms(self) -> int:
        """Δ: the longest one-way delay between any two."""
        return max(self.delay_ms(a, b) for a in self.names for b in self.names if a != b)

    # who is connected
    def appear(self, name: str) -> None:
        self.alive.add(name)
        for other in self.names:
            if other != name and other in self.alive:
                self.time.after(UP_AFTER_MS + 2 * self.delay_ms(name, other), self._connect, name, other)

    def vanish(self, name: str) -> None:
        """A process died: its sockets close, and its peers see that after one delay."""
        self.alive.discard(name)
        for pair in [pair for pair in sorted(self.links) if name in pair]:
            self.links.discard(pair)
            other = pair[0] if pair[1] == name else pair[1]
            self.time.after(self.delay_ms(name, other), self._gone, other, name)

    def _gone(self, here: str, other: str) -> None:
        if _pair(here, other) not in self.links:
            self._linked(here, other, False)

    def _connect(self, a: str, b: str) -> None:
        pair = _pair(a, b)
        if pair in self.links or a not in self.alive or b not in self.alive:
            return
        if self.blocked.get((a, b)) or self.blocked.get((b, a)):
            return
        self.links.add(pair)
        for here, other in ((a, b), (b, a)):
            self._linked(here, other, True)

    # cuts
    def cut(self, pairs: list[tuple[str, str]]) -> None:
        if self.calm:
            return
        for pair in pairs:
            self.blocked[pair] = self.blocked.get(pair, 0) + 1
            self.time.after(DOWN_AFTER_MS, self._noticed, *pair)

    def heal(self, pairs: list[tuple[str, str]]) -> None:
        for a, b in pairs:
            left = self.blocked.get((a, b), 0) - 1
            if left > 0:
                self.blocked[(a, b)] = left
            elif self.blocked.pop((a, b), None) is not None:
                self.time.after(UP_AFTER_MS + 2 * self.delay_ms(a, b), self._connect, a, b)

    def heal_all(self) -> None:
        self.calm, self.loss = True, 0.0
        self.blocked.clear()
        self.slow.clear()
        self._last_ms.clear()  # what is still on a way that was slow holds nothing up that is said from now on
        for i, a in enumerate(self.names):
            for b in self.names[i + 1 :]:
                if a in self.alive and b in self.alive:
                    self.time.after(UP_AFTER_MS + 2 * self.delay_ms(a, b), self._connect, a, b)

    def _noticed(self, a: str, b: str) -> None:
        pair = _pair(a, b)
        if self.blocked.get((a, b)) and pair in self.links:
            self.links.discard(pair)
            for here, other in ((a, b), (b, a)):
                if here in self.alive:
                    self._linked(here, other, False)

    # frames
    def connected(self, name: str) -> list[str]:
        links = self.links
        return [other for other in self.names if ((name, other) if name < other else (other, name)) in links]

    def carry(self, a: str, b: str, raw: bytes, sync: bool) -> None:
        if a == b or ((a, b) if a < b else (b, a)) not in self.links:
            return
        chance, mixes = self._chance, () if self.calm else self._mixes
        self.carried += 1
        if self.loss and chance.random() < self.loss:
            self.lost += 1
            return
        base, jitter, way = self.delay_ms(a, b), self.options.jitter, (a, b, sync)
        at_ms = self.time.now_ms + base + (int(base * jitter * chance.random()) if jitter else 0)
        last = self._last_ms.get(way, 0)
        if "reordering" in mixes and chance.random() < 0.2:
            at_ms += chance.randrange(1 + 2 * base)
            self.reordered += at_ms < last
        elif at_ms < last:
            at_ms = last
        if at_ms > last:
            self._last_ms[way] = at_ms
        self.time.at(at_ms, self._arrive, a, b, raw, sync)
        if "duplication" in mixes and chance.random() < 0.1:
            self.doubled += 1
            self.time.at(at_ms + chance.randrange(1 + 3 * base), self._arrive, a, b, raw, sync)

    def _arrive(self, a: str, b: str, raw: bytes, sync: bool) -> None:
        linked = ((a, b) if a < b else (b, a)) in self.links
        if linked and b in self.alive and not (self.blocked and self.blocked.get((a, b))):
            self._deliver(a, b, raw, not sync, sync)


def _pair(a: str, b: str) -> tuple[str, str]:
    return (a, b) if a < b else (b, a)
