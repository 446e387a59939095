"""Who moved a number of a reserve, and when: from the configurator's events and the transactions behind them.

The target keeps flags and no names. Whose a change is decides what an undo may lift, so it is read from the chain each
time, as all connections say, and never remembered here: a node that lost its disk knows its own doing again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from adapters.evm.aave_abi import CONFIGURATOR
from adapters.evm.aave_reserve import AaveTarget, Reserve
from adapters.evm.aave_rows import AaveRow
from adapters.evm.client import ChainClient
from adapters.evm.errors import NotSeen
from adapters.evm.trailer import Trailer, trailer_of
from adapters.evm.wire import Ask, Log, Topic, ask_block, ask_logs, ask_transaction

WINDOW_BLOCKS = 5_000
"""In one question: what public providers still answer."""
WINDOWS_MAX = 40
"""Then it is given up: 14 hours where a block takes a quarter of a second, 27 days where it takes 12."""
REACH_S = 7 * 86_400
"""What is older is no restriction of ours: none lasts that long."""
CHANGES_MAX = 64
"""Whose transactions are read, the newest first: admins move these numbers some times a year."""


@dataclass(frozen=True)
class Change:
    """One move of the number."""

    number: int
    """What stands since then."""
    tx: bytes
    sender: bytes
    through: bytes
    """The contract that the sender called: the configurator, or one in between."""
    trailer: Trailer | None
    """Only where it is ours: our account called the configurator itself."""

    @property
    def sets(self) -> bool:
        """Whether it is a restriction of ours, and no lift."""
        return self.trailer is not None and self.trailer.until_s > 0

    @property
    def who(self) -> str:
        return f"0x{self.sender.hex()} (through 0x{self.through.hex()})"


@dataclass(frozen=True)
class Past:
    """The newest changes first; `whole` where nothing of ours can lie beyond them."""

    changes: tuple[Change, ...]
    whole: bool


class History:
    """Of one number of one reserve."""

    def __init__(self, client: ChainClient, target: AaveTarget, row: AaveRow, own: bytes) -> None:
        self._client, self._target, self._row, self._own = client, target, row, own
        self._event = CONFIGURATOR.event(row.event)
        self._freezes = CONFIGURATOR.event("ReserveFrozen").topic

    async def since(self, reserve: Reserve, since_s: int) -> tuple[Change, ...]:
        """All changes of blocks from that second on (chain's time), as far as the windows reach. ChainError."""
        found: list[Change] = []
        async for changes, time_s in self._windows(reserve):
            found += changes
            if time_s <= since_s:
                break
        return tuple(found)

    async def latest(self, reserve: Reserve) -> Past:
        """The changes of the newest window that has any. ChainError."""
        async for changes, time_s in self._windows(reserve):
            if changes:
                return Past(changes, True)
            if time_s <= reserve.chain_s - REACH_S:
                return Past((), True)
        return Past((), False)

    async def _windows(self, reserve: Reserve) -> AsyncIterator[tuple[tuple[Change, ...], int]]:
        """Window by window into the past: its changes, newest first, and the time of its first block (0: genesis)."""
        last = reserve.head
        for _ in range(WINDOWS_MAX):
            first = max(0, last - WINDOW_BLOCKS + 1)
            asset = b"\0" * 12 + self._target.asset
            topics: Sequence[Topic] = [(self._event.topic, self._freezes), asset]
            asks: list[Ask[Any]] = [ask_logs(reserve.configurator, topics, first, last), ask_block(first)]
            logs, block = (await self._client.read(self._target.chain, *asks)).value
            if block is None:
                raise NotSeen(f"{self._target.chain} as seen from here has no block {first}")
            yield await self._changes(reserve, logs), block.timestamp if first else 0
            if not first:
                return
            last = first - 1

    async def _changes(self, reserve: Reserve, logs: Sequence[Log]) -> tuple[Change, ...]:
        moved = [log for log in logs if log.topics[0] == self._event.topic]
        if reserve.freeze_moves_ltv and self._event.topic != self._freezes:
            # a freeze, and its end, say an LTV in the log before their own: neither is anybody's decision on the LTV
            freezes = {(log.tx, log.index - 1) for log in logs if log.topics[0] == self._freezes}
            moved = [log for log in moved if (log.tx, log.index) not in freezes]
        moved = moved[::-1][:CHANGES_MAX]
        if not moved:
            return ()
        read = await self._client.read(self._target.chain, *(ask_transaction(log.tx) for log in moved))
        found: list[Change] = []
        for log, sent in zip(moved, read.value):
            fields = self._event.decode(log.topics, log.data)
            if sent is None or fields is None:
                raise NotSeen(f"{self._target.chain} as seen from here does not know transaction 0x{log.tx.hex()}")
            through = sent.to or b""
            ours = sent.sender == self._own and through == reserve.configurator
            trailer = trailer_of(sent.data) if ours else None
            found.append(Change(int(fields[self._row.field]), log.tx, sent.sender, through, trailer))
        return tuple(found)
