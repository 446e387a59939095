"""Alarms by the seed: which pattern, how many nodes, and what came of it beside the two-delay bound."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.sim.scale import gossip
from tests.sim.scale.costs import Costs
from tests.sim.scale.earth import bound, earth
from tests.sim.scale.engine import Engine, Pattern, Settings
from tests.sim.scale.patterns import AllToAll, Collectors, Scheme, Tree

SIZES = (5, 7, 13, 19, 31, 50, 100, 200, 500, 1000)
COMMITTEE = 50

PATTERNS: dict[str, Callable[[Engine], Pattern]] = {
    "all-to-all": AllToAll,
    "collectors": Collectors,
    "tree": Tree,
    "one-signature": lambda engine: Collectors(engine, scheme=Scheme(aggregated=True)),
    "committee": lambda engine: AllToAll(engine, committee=COMMITTEE),
}
GOSSIP = "gossip"
COLLECTORS_DEAD: Callable[[Engine], Pattern] = lambda engine: Collectors(engine, dead=min(3, engine.f))  # noqa: E731
"""No more of them than may lie: below n = 10 one of three collectors is honest."""


@dataclass
class Tally:
    """Of one pattern at one n, over alarms."""

    all_ratio: list[float] = field(default_factory=list)
    """Certificate on the last node ÷ the bound of the last node, one per alarm."""
    node_ratio: list[float] = field(default_factory=list)
    all_ms: list[float] = field(default_factory=list)
    bound_ms: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    """Per node and alarm: the mean over nodes, one per seed."""
    busiest_ms: list[float] = field(default_factory=list)
    kib: list[float] = field(default_factory=list)
    frames: list[float] = field(default_factory=list)

    def summary(self) -> dict[str, float]:
        """Figures of the table; p99 by nearest rank, which of few alarms is the worst."""
        if not self.all_ratio:
            return {}
        return {
            "alarms": len(self.all_ratio),
            "p50": quantile(self.all_ratio, 0.5),
            "p99": quantile(self.all_ratio, 0.99),
            "node_p50": quantile(self.node_ratio, 0.5),
            "node_p99": quantile(self.node_ratio, 0.99),
            "all_ms": quantile(self.all_ms, 0.5),
            "bound_ms": quantile(self.bound_ms, 0.5),
            "cpu_ms": quantile(self.cpu_ms, 0.5),
            "busiest_ms": quantile(self.busiest_ms, 0.5),
            "kib": quantile(self.kib, 0.5),
            "frames": quantile(self.frames, 0.5),
        }


def quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    rank = -(-int(len(ordered) * share * 1000) // 1000)
    return ordered[max(0, rank - 1)]


def seeds_at(n: int, seeds: int) -> int:
    """Fewer where one alarm is a million frames."""
    return seeds if n <= 100 else max(min(3, seeds), min(seeds, 3000 // n))


def one(name: str, make: Callable[[Engine], Pattern], n: int, seed: int, settings: Settings, tally: Tally) -> Engine:
    """One run: the same seed gives the same earth, origins and silent ones to every pattern."""
    there = earth(n, random.Random(f"earth {n} {seed}"))
    engine = Engine(there, settings, random.Random(f"nodes {n} {seed}"))
    engine.run(make(engine))
    note(engine, tally, name)
    return engine


def note(engine: Engine, tally: Tally, name: str) -> None:
    topics = len(engine.origins)
    for topic, origin in enumerate(engine.origins):
        least = bound(engine.there, origin, engine.speaks, engine.q)
        held = {}
        for node in range(engine.n):
            at_ms = engine.held_ms[topic][node]
            if engine.speaks[node]:
                if at_ms is None:
                    raise RuntimeError(f"{name}, n = {engine.n}: node {node} never held the certificate")
                held[node] = at_ms
        _ratios(tally, held, least)
    speaking = [node for node in range(engine.n) if engine.speaks[node]]
    tally.cpu_ms.append(sum(engine.cpu_ms[node] for node in speaking) / len(speaking) / topics)
    tally.busiest_ms.append(max(engine.cpu_ms) / topics)
    tally.kib.append(sum(engine.sent_bytes) / len(speaking) / topics / 1024)
    tally.frames.append(sum(engine.sent) / len(speaking) / topics)


def _ratios(tally: Tally, held: dict[int, float], least: list[float]) -> None:
    last = max(held.values())
    last_bound = max(least[node] for node in held)
    tally.all_ms.append(last)
    tally.bound_ms.append(last_bound)
    tally.all_ratio.append(last / last_bound)
    tally.node_ratio.extend(at_ms / least[node] for node, at_ms in held.items())


def gossiped(n: int, seed: int, settings: Settings, tally: Tally) -> None:
    there = earth(n, random.Random(f"earth {n} {seed}"))
    engine = Engine(there, settings, random.Random(f"nodes {n} {seed}"))
    origin = engine.origins[0]
    found: dict[str, Any] = gossip.alarm(there, origin, engine.q, engine.rng, settings.costs)
    _ratios(tally, found["held"], bound(there, origin, engine.speaks, engine.q))
    tally.cpu_ms.append(found["cpu_ms"])
    tally.busiest_ms.append(found["cpu_ms"])
    tally.kib.append(found["sent_bytes"] / 1024)
    tally.frames.append(found["sent"])


def tallied(name: str, n: int, seeds: int, settings: Settings) -> Tally:
    """`name`: one of PATTERNS, or GOSSIP."""
    tally = Tally()
    for seed in range(seeds_at(n, seeds)):
        if name == GOSSIP:
            gossiped(n, seed, settings, tally)
        else:
            one(name, PATTERNS[name], n, seed, settings, tally)
    return tally


def plain(costs: Costs) -> Settings:
    return Settings(costs)
