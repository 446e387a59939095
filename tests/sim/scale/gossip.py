"""GossipSub, kindly estimated: everybody's word floods a random graph; only the receivers' CPU is counted, not the
wait for a relay's CPU at every hop, so the true figure is worse."""

from __future__ import annotations

import heapq
import random

from tests.sim.scale.costs import Costs
from tests.sim.scale.earth import Earth
from tests.sim.scale.engine import HEADERS_BYTES

DEGREE = 6
DELIVERY_MS = 5.4
"""CPU of one delivery with its duplicates over py-libp2p's GossipSub: the lowest of the figures once measured on two
cores (5.4 to 11 ms for 4 to 32 nodes), so again a kind one."""
SAMPLED = 40
"""Nodes whose waiting is replayed: one way search through the graph each."""


def graph(n: int, rng: random.Random) -> list[list[int]]:
    """About DEGREE neighbours each, connected by a ring."""
    near: list[set[int]] = [set() for _ in range(n)]
    order = list(range(n))
    rng.shuffle(order)
    for at, node in enumerate(order):
        chosen = [order[(at + 1) % n], *rng.sample(range(n), min(n - 1, DEGREE // 2 - 1))]
        for other in chosen:
            if other != node:
                near[node].add(other)
                near[other].add(node)
    return [sorted(some) for some in near]


def ways(there: Earth, near: list[list[int]], start: int) -> list[float]:
    """ms from `start` to everybody along the graph: delays are symmetric."""
    best = [float("inf")] * there.n
    best[start] = 0.0
    heap = [(0.0, start)]
    while heap:
        at, node = heapq.heappop(heap)
        if at > best[node]:
            continue
        row = there.row(node)
        for other in near[node]:
            if at + row[other] < best[other]:
                best[other] = at + row[other]
                heapq.heappush(heap, (best[other], other))
    return best


def alarm(there: Earth, origin: int, q: int, rng: random.Random, costs: Costs) -> dict[str, object]:
    """{held: {node: ms}, cpu_ms, sent_bytes, sent}: the last three a node and alarm."""
    near = graph(there.n, rng)
    durable = costs.mark + costs.commit
    said = [at + DELIVERY_MS + durable for at in ways(there, near, origin)]
    said[origin] = durable
    sample = range(there.n) if there.n <= SAMPLED else rng.sample(range(there.n), SAMPLED)
    held = {}
    for node in sample:
        to_me = ways(there, near, node)
        arrivals = sorted(at + way for at, way in zip(said, to_me, strict=True))
        free = 0.0
        for at in arrivals[:q]:
            free = max(free, at) + DELIVERY_MS
        held[node] = free + costs.commit
    copies = there.n * sum(map(len, near)) / there.n / 2
    return {
        "held": held,
        "cpu_ms": there.n * DELIVERY_MS,
        "sent_bytes": copies * (costs.entry_bytes + 200 + HEADERS_BYTES),
        "sent": copies,
    }
