"""What the world gives a node of the simulator: ways for its effects, and a clock that may be wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from node.effects import Effect, RunStep, VerifyClaim
from node.events import Clock, Event
from node.machine import Decision
from node.records import Record
from protocol.envelope import Verified
from tests.sim.scheduler import START_MS

if TYPE_CHECKING:
    from tests.sim.shell import Process


class Ports:
    """What the world gives a node; each method is one kind of effect."""

    def send(self, name: str, peer_id: str, raw: bytes, sync: bool) -> None: ...
    def broadcast(self, name: str, raw: bytes) -> None: ...
    def gossip(self, name: str, raw: bytes) -> None: ...
    def verify(self, process: Process, effect: VerifyClaim) -> None: ...
    def lever(self, process: Process, effect: RunStep) -> None: ...
    def tell(self, process: Process, effect: Effect) -> None: ...
    def decided(self, process: Process, event: Event | None, decision: Decision) -> None: ...
    def released(self, process: Process, own: Sequence[Verified[Any]], records: Sequence[Record]) -> None: ...
    def died(self, process: Process, why: str) -> None: ...


@dataclass
class Wall:
    """A node's clock: how far from true time, and since when the machine runs."""

    ahead_ms: int = 0
    booted_ms: int = START_MS - 1_000_000

    def read(self, now_ms: int) -> Clock:
        return Clock(now_ms + self.ahead_ms, now_ms - self.booted_ms)
