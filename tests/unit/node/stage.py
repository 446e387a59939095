"""A whole node without sockets: real store, real mark, real loop; the wires are the memory transport's."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import trio
from trio.testing import MockClock

from adapters.api import LeverOrder, News, Outcome, Plan
from node import mark
from node.dispatch import Dispatch
from node.effects import Effect
from node.events import Clock, FrameArrived, PeerCameUp, PeerWentDown
from node.loop import Durable, Loop
from node.machine import Machine
from node.perform import Performer
from node.records import unpack_record
from node.store import Store
from node.transport.api import Channel, PeerAddress, PeerDown, PeerUp, ReceivedFrame
from node.transport.memory import MemoryNetwork
from node.watch import Watch
from protocol.evidence import Judgement, refuted
from protocol.messages import Claim, Tlp
from tests.unit.machine.world import FREEZE, START_MS, World, hot, keyset, member, peer_of

NAMES = [member(i) for i in range(4)]
PEERS = {peer_of(name): PeerAddress(peer_of(name), ()) for name in NAMES}


def clock() -> Clock:
    """The node's time is the test's."""
    ms = int(trio.current_time() * 1000)
    return Clock(START_MS + ms, 1_000_000 + ms)


def virtually(body: Callable[..., Awaitable[None]], *args: Any) -> None:
    """The threshold leaves the disk its time."""
    with mock.patch("node.loop.now", clock):
        trio.run(functools.partial(body, *args), clock=MockClock(autojump_threshold=0.02))


class TableVerifier:
    claim_types = frozenset({"evm-supply-above-backing"})

    def __init__(self) -> None:
        self.truth: dict[bytes, Judgement] = {}
        self.fails = False

    async def verify(self, claim: Claim, blob: bytes) -> Judgement:
        if self.fails:
            raise RuntimeError("no such provider")
        return self.truth.get(claim.digest, refuted("untrue"))


class NotedLever:
    declared = FREEZE

    def __init__(self) -> None:
        self.until_ms: dict[bytes, int] = {}
        self.fails = 0

    async def plan(self, order: LeverOrder) -> Plan:
        return Plan(order, "will note it")

    async def simulate(self, plan: Plan) -> Outcome:
        return Outcome(True, "it would be noted")

    async def apply(self, plan: Plan) -> Outcome:
        if self.fails:
            self.fails -= 1
            raise OSError("wire cut")
        self.until_ms[plan.order.action_key] = plan.order.until_ms
        return Outcome(True, "noted", "ref-1")

    async def read_back(self, order: LeverOrder) -> Outcome:
        until_ms = self.until_ms.get(order.action_key, 0)
        return Outcome(until_ms >= order.until_ms, f"until {until_ms}", until_ms=until_ms)

    async def undo(self, order: LeverOrder) -> Outcome:
        self.until_ms.pop(order.action_key, None)
        return Outcome(True, "undone")


class ListSink:
    name, ceiling = "list", Tlp.AMBER

    def __init__(self) -> None:
        self.told: list[str] = []
        self.counts: Counter[str] = Counter()

    async def tell(self, news: News) -> None:
        self.told.append(news.text)
        raise RuntimeError("and then it breaks")


class House:
    """One node of four on its directory; `run` as often as there are lives."""

    def __init__(self, path: Path, network: MemoryNetwork, i: int) -> None:
        self.name = NAMES[i]
        self.path = path / self.name
        self.path.mkdir(parents=True, exist_ok=True)
        self.network = network
        self.verifier, self.lever, self.sink = TableVerifier(), NotedLever(), ListSink()
        self.heard: list[dict[str, Any]] = []

    def machine(self) -> Machine:
        template = World(4)[0].setup if not hasattr(House, "_template") else House._template
        House._template = template
        fresh = mark.read(self.path / "mark") is None
        if fresh:
            mark.write_first(self.path / "mark", hot(self.name).public, 0)
        return Machine(replace(template, member=self.name, signer=hot(self.name), fresh=fresh,
                               own_sources=(f"{self.name}-node",)))  # fmt: skip

    def looped(self, machine: Machine, durable: Durable, perform: Callable[[Effect], None]) -> Loop:
        return Loop(machine, durable, self.watch, perform)

    @asynccontextmanager
    async def living(self) -> AsyncIterator[House]:
        self.store = Store.open(self.path / "store.sqlite")
        self.loop_machine = machine = self.machine()
        machine.recover(unpack_record(row.kind, row.version, row.body) for _, row in self.store.records())
        self.watch = Watch(self.heard.append)
        transport = self.network.transport(peer_of(self.name), PEERS)
        performer: list[Performer] = []
        durable = Durable(self.store, self.path / "mark", 0)
        self.loop = self.looped(machine, durable, lambda effect: performer[0](effect))
        async with trio.open_nursery() as nursery:
            dispatch = Dispatch({"pool:log.freeze": self.lever}, self.loop.send)
            performer.append(Performer(transport, self.store, [self.verifier], dispatch, [self.sink], nursery,
                                       self.loop.send))  # fmt: skip
            self.performer, self.transport = performer[0], transport
            await self.loop.begin([keyset(name) for name in NAMES])
            nursery.start_soon(transport.run)
            nursery.start_soon(self._pump)
            nursery.start_soon(self.loop.run)
            nursery.start_soon(self.loop.tick)
            yield self
            nursery.cancel_scope.cancel()
        self.store.close()

    async def _pump(self) -> None:
        async for event in self.transport.events:
            if isinstance(event, ReceivedFrame):
                direct, sync = event.channel is Channel.ENTRIES, event.channel is Channel.SYNC
                await self.loop.offer(FrameArrived(event.peer_id, direct, sync, event.frame))
            elif isinstance(event, PeerUp):
                await self.loop.send(PeerCameUp(event.peer_id))
            elif isinstance(event, PeerDown):
                await self.loop.send(PeerWentDown(event.peer_id, event.why))

    @property
    def state(self) -> Any:
        return self.loop_machine.state


async def until(holds: Callable[[], Any], s: float = 20.0) -> None:
    with trio.fail_after(s):
        while not holds():  # noqa: ASYNC110 (what is waited for is many things)
            await trio.sleep(0.02)
