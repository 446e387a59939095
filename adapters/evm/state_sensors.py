"""Sensors of lasting states: something holds from some block on. They name the block at which it began, so that
every sensor names the same claim, and report again only when it got worse or came back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

import trio

from adapters.evm.client import ChainClient
from adapters.evm.readings import ask_prices, block_at, compared
from adapters.evm.sensors import POLL_MS, EvmSensor, Report
from adapters.evm.trail import Trail, held
from adapters.evm.wire import Block, Revert
from protocol.evidence import (
    DEVIATION_GUARD_BPS,
    DEVIATION_ISOLATE_BPS,
    SHORTFALL_GUARD_BPS,
    SHORTFALL_ISOLATE_BPS,
    Inputs,
    OracleDeviation,
    Ruling,
    SupplyAboveBacking,
    deviation_bps,
    shortfall_bps,
)
from protocol.membership import Bridge, Epoch, OracleFeed
from protocol.messages import Level

STEPS_MAX = 256
"""How far back the beginning is looked for; an older state is told by `health` and cannot be proved by its start."""
CHUNK = 8
REST_S = 0.75
"""After a comparison at the end of a second: the next end is no nearer, and seven idle members poll one provider."""


class StateSensor(EvmSensor):
    """Keeps what was told of each watched thing: the level and, while nothing moved, the block compared last."""

    def __init__(self, name: str, client: ChainClient, epoch: Callable[[], Epoch], poll_ms: int = POLL_MS) -> None:
        super().__init__(name, client, epoch, poll_ms)
        self._told: dict[Bridge | OracleFeed, Level] = {}
        self._seen: dict[Bridge | OracleFeed, int] = {}
        self._fault_at: dict[Bridge | OracleFeed, str] = {}

    async def settle(
        self,
        watched: Bridge | OracleFeed,
        block: int,
        level: Level,
        first: Callable[[], Awaitable[Inputs | None]],
        report: Report,
    ) -> str:
        """Tell once per level: `first` finds the claim at which this level began, None where that is too long ago."""
        told = self._told.get(watched, Level.NONE)
        fault = ""
        if level > told:
            inputs = await first()
            if inputs is None:
                fault = f"a state at {level.name} that began more than {STEPS_MAX} blocks ago"
            else:
                judgement = await self.verifier.judge(inputs)
                if judgement.ruling is Ruling.UNDECIDED:
                    return judgement.why
                await self.tell(report, inputs, judgement)
        self._told[watched], self._seen[watched], self._fault_at[watched] = level, block, fault
        return fault


class BackingSensor(StateSensor):
    """Supply on far against the escrow at home, compared at ends of seconds (see `readings.read_backing`)."""

    def __init__(self, name: str, client: ChainClient, epoch: Callable[[], Epoch], poll_ms: int = POLL_MS) -> None:
        super().__init__(name, client, epoch, poll_ms)
        self._rests_until: dict[Bridge, float] = {}

    def rounds(self) -> list[tuple[str, Callable[[Report], Awaitable[str]]]]:
        return [(str(bridge.asset), partial(self._look, bridge)) for bridge in self.watched_bridges()]

    async def _look(self, bridge: Bridge, report: Report) -> str:
        if trio.current_time() < self._rests_until.get(bridge, 0.0):
            return self._fault_at.get(bridge, "")
        far, home = await self.head(bridge.far), await self.head(bridge.home)
        trail = Trail(self.client)
        block = await block_at(trail, bridge.home, far.timestamp - 1, home)
        if block is None or block.number == self._seen.get(bridge):
            return self._fault_at.get(bridge, "")
        level = await self._level(trail, bridge, block, far)

        async def first() -> Inputs | None:
            return await self._first(trail, bridge, block, far, level)

        fault = await self.settle(bridge, block.number, level, first, report)
        if self._seen.get(bridge) == block.number:
            self._rests_until[bridge] = trio.current_time() + REST_S
        return fault

    async def _level(self, trail: Trail, bridge: Bridge, block: Block, far: Block) -> Level:
        backing, supply = await compared(trail, bridge, block, far)
        if supply <= backing:
            return Level.NONE
        return graded(shortfall_bps(supply, backing), SHORTFALL_ISOLATE_BPS, SHORTFALL_GUARD_BPS)

    async def _first(self, trail: Trail, bridge: Bridge, block: Block, far: Block, level: Level) -> Inputs | None:
        for _ in range(STEPS_MAX):
            before = await block_at(trail, bridge.home, block.timestamp - 1, block)
            if before is None or await self._level(trail, bridge, before, far) < level:
                return SupplyAboveBacking(bridge.home, bridge.escrow, bridge.far, bridge.twin, block.number)
            block = before
        return None


class OracleSensor(StateSensor):
    """Every registered price feed against the references registered beside it. Below GUARD there is no claim."""

    def rounds(self) -> list[tuple[str, Callable[[Report], Awaitable[str]]]]:
        feeds = [feed for feed in self.epoch().oracles if feed.chain in self.client.chains]
        return [(str(feed.subject), partial(self._look, feed)) for feed in feeds]

    async def _look(self, feed: OracleFeed, report: Report) -> str:
        head = await self.head(feed.chain)
        if head.number == self._seen.get(feed):
            return self._fault_at.get(feed, "")
        trail = Trail(self.client)
        (level,) = await self._levels(trail, feed, range(head.number, head.number + 1))

        async def first() -> Inputs | None:
            return await self._first(trail, feed, head.number, level)

        return await self.settle(feed, head.number, level, first, report)

    async def _levels(self, trail: Trail, feed: OracleFeed, blocks: range) -> list[Level]:
        count = 1 + len(feed.references)
        prices = await trail.read(feed.chain, *(ask for block in blocks for ask in ask_prices(feed, block)))
        rows = [prices[at : at + count] for at in range(0, len(prices), count)]
        return [_deviating(row) for row in rows]

    async def _first(self, trail: Trail, feed: OracleFeed, block: int, level: Level) -> Inputs | None:
        for low in range(block - CHUNK, block - STEPS_MAX, -CHUNK):
            blocks = range(max(0, low), low + CHUNK)
            for at, before in reversed(list(zip(blocks, await self._levels(trail, feed, blocks)))):
                if before < level:
                    return OracleDeviation(feed.chain, feed.feed, at + 1)
            if low <= 0:
                return OracleDeviation(feed.chain, feed.feed, 0)
        return None


def _deviating(row: tuple[object, ...]) -> Level:
    """NONE where the feed gives no price: it was not there, or it refuses, and then there is nothing to compare."""
    if isinstance(row[0], Revert):
        return Level.NONE
    bps = deviation_bps(held(row[0]), tuple(map(held, row[1:])))
    level = graded(bps, DEVIATION_ISOLATE_BPS, DEVIATION_GUARD_BPS)
    return level if level > Level.WATCH else Level.NONE


def graded(bps: int, isolate: int, guard: int) -> Level:
    return Level.ISOLATE if bps >= isolate else Level.GUARD if bps >= guard else Level.WATCH
