"""The clockwork: n nodes, each one core that takes what has arrived, thinks, waits for its disk, then sends.

Virtual time in ms. A node works as `node.loop` does: up to 64 arrivals are one batch and one transaction, and nothing
leaves before it is durable. Batches begin in the order of their times, so a node that begins one has everything that
could have reached it by then.
"""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass, field, replace
from typing import Protocol

from tests.sim.scale.costs import Costs
from tests.sim.scale.earth import Earth

EVENTS_AT_ONCE = 64
GATHERED = 100
"""Added to the kind of a frame that came in one write with the one before it."""
GARBAGE = -1
BUNDLE_WORDS = 64
BURST_BUNDLES = 28
"""Frames of 64 words with false seals that one connection may send at once: each takes 71 of a budget of 2000."""
BUNDLES_PER_S = 7
"""What the budget gives back: 500 a second."""
GARBAGE_S = 0.6
HEADERS_BYTES = 86
"""A frame's length, yamux, Noise, TCP and IPv4 around it."""
TICK_MS = 100.0
RTO_MIN_MS = 200.0

Item = tuple[float, int, int, int]
"""(arrives ms, kind, topic, what the kind wants: an author, a count, a share)."""


@dataclass(frozen=True)
class Settings:
    costs: Costs
    uplink_gbit: float = 1.0
    loss: float = 0.0
    silent: int = 0
    """Members that say nothing and do nothing, never an origin."""
    topics: int = 1
    garbage: bool = False
    """As the first word is spoken, each of f members spends its whole budget at every node on words with false seals,
    and goes on as it is refilled. They speak truly besides, so that only the load is compared."""


@dataclass
class Send:
    """One frame, for each of `to` in turn."""

    kind: int
    topic: int
    value: int
    to: list[int]
    size: int


@dataclass
class Outcome:
    """What a batch leads to once it is durable."""

    records: int = 0
    own: bool = False
    certified: list[int] = field(default_factory=list)
    sends: list[Send] = field(default_factory=list)
    later: list[Item] = field(default_factory=list)
    """Timers of the node itself."""


class Pattern(Protocol):
    def begin(self, engine: Engine) -> None:
        """Puts the first items on the origins."""

    def take(self, engine: Engine, node: int, item: Item, out: Outcome) -> float:
        """CPU ms of one item."""


class Engine:
    def __init__(self, there: Earth, settings: Settings, rng: random.Random) -> None:
        self.there, self.settings, self.rng = there, settings, rng
        self.n = n = there.n
        self.f = (n - 1) // 3
        self.q = n - self.f
        self.costs = settings.costs
        self.speaks = [True] * n
        order = list(range(n))
        rng.shuffle(order)
        self.ring = order + order
        self.place = {node: at for at, node in enumerate(order)}
        topics = min(settings.topics, n)
        self.origins = order[:topics]
        for node in order[topics:][: settings.silent]:
            self.speaks[node] = False
        self.held_ms: list[list[float | None]] = [[None] * n for _ in range(topics)]
        self.cpu_ms = [0.0] * n
        self.sent_bytes = [0] * n
        self.sent = [0] * n
        self.phase_ms = [rng.uniform(0, TICK_MS) for _ in range(n)]
        self._rows: dict[int, list[float]] = {}
        self._waiting: list[list[Item]] = [[] for _ in range(n)]
        self._free = [0.0] * n
        self._uplink = [0.0] * n
        self._starts: list[tuple[float, int]] = []
        self._next = [float("inf")] * n

    def others(self, node: int) -> list[int]:
        """Everybody else, in this node's own order."""
        at = self.place[node]
        return self.ring[at + 1 : at + self.n]

    def arrive(self, node: int, item: Item) -> None:
        if not self.speaks[node]:
            return
        heapq.heappush(self._waiting[node], item)
        start = max(self._free[node], item[0])
        if start < self._next[node]:
            self._next[node] = start
            heapq.heappush(self._starts, (start, node))

    def run(self, pattern: Pattern) -> None:
        if self.settings.garbage:
            self._pour()
        pattern.begin(self)
        while self._starts:
            start, node = heapq.heappop(self._starts)
            if start != self._next[node]:
                continue
            self._next[node] = float("inf")
            self._batch(pattern, node, start)
            if self._waiting[node]:
                self._next[node] = max(self._free[node], self._waiting[node][0][0])
                heapq.heappush(self._starts, (self._next[node], node))

    def _pour(self) -> None:
        for node in range(self.n):
            for _ in range(self.f):
                later = (self.rng.uniform(0, GARBAGE_S * 1000) for _ in range(int(BUNDLES_PER_S * GARBAGE_S)))
                for at in [*[0.0] * BURST_BUNDLES, *later]:
                    self.arrive(node, (at, GARBAGE, 0, 0))

    def _batch(self, pattern: Pattern, node: int, start: float) -> None:
        waiting, out = self._waiting[node], Outcome()
        spent, taken = 0.0, 0
        saved_ms = self.costs.receive - self.costs.receive_more
        garbage_ms = self.costs.receive + BUNDLE_WORDS * self.costs.garbage
        while waiting and waiting[0][0] <= start and taken < EVENTS_AT_ONCE:
            item = heapq.heappop(waiting)
            taken += 1
            if item[1] == GARBAGE:
                spent += garbage_ms
                continue
            if item[1] >= GATHERED:
                item = (item[0], item[1] - GATHERED, item[2], item[3])
                spent -= saved_ms
            spent += pattern.take(self, node, item, out)
        now = start + spent
        costs = self.costs
        if out.records:
            packing = out.records * costs.batch
            spent += packing
            now += packing + costs.commit + costs.commit_per_entry * out.records + (costs.mark if out.own else 0.0)
        for topic in out.certified:
            self.held_ms[topic][node] = now
        told: list[int] | None = None
        for send in out.sends:
            now, cpu = self._send(node, send, now, gathered=send.to == told)
            told = send.to
            spent += cpu
        self.cpu_ms[node] += spent
        self._free[node] = now
        for item in out.later:
            self.arrive(node, item)

    def _send(self, node: int, send: Send, now: float, gathered: bool) -> tuple[float, float]:
        """One after the other: each costs CPU, then its bytes stand in line for the uplink. `gathered`: in one write
        with what goes to the same peers already."""
        settings, row = self.settings, self._row(node)
        once = self.costs.send_more if gathered else self.costs.send
        each = once + self.costs.send_per_kib * send.size / 1024
        size = send.size + HEADERS_BYTES
        on_wire = size * 8 / (settings.uplink_gbit * 1e6)
        uplink, topic, value = self._uplink[node], send.topic, send.value
        kind = send.kind + (GATHERED if gathered else 0)
        for to in send.to:
            now += each
            uplink = (now if now > uplink else uplink) + on_wire
            at = uplink + row[to]
            if settings.loss:
                at += self._resent(row[to])
            self.arrive(to, (at, kind, topic, value))
        self._uplink[node] = uplink
        self.sent[node] += len(send.to)
        self.sent_bytes[node] += size * len(send.to)
        return now, each * len(send.to)

    def _resent(self, one_way: float) -> float:
        """TCP's retransmission: after two round trips, never under 200 ms, each time twice as long."""
        late, timer = 0.0, max(RTO_MIN_MS, 4 * one_way)
        while self.rng.random() < self.settings.loss:
            late += timer
            timer *= 2
        return late

    def _row(self, node: int) -> list[float]:
        row = self._rows.get(node)
        if row is None:
            row = self._rows[node] = self.there.row(node)
        return row

    def next_tick(self, node: int, now: float) -> float:
        """The node's first tick after `now`."""
        phase = self.phase_ms[node]
        return phase + TICK_MS * (int((now - phase) // TICK_MS) + 1)


def free(settings: Settings) -> Settings:
    """No CPU, no disk, no bandwidth in the way."""
    from tests.sim.scale.costs import FREE

    return replace(settings, costs=FREE, uplink_gbit=1e12)
