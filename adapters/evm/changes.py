"""Who moved a number of a contract, and when: from its events and the transactions behind them.

A target that keeps flags keeps no names. Whose a change is decides what an undo may lift, so it is read from the chain
each time, as all connections say, and never remembered here: a node that lost its disk knows its own doing again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

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
    """The contract that the sender called: the one that tells of it, or one in between."""
    trailer: Trailer | None
    """Only where it is ours: our account called the contract itself, or the one that its lever goes through."""

    @property
    def sets(self) -> bool:
        """Whether it is a restriction of ours, and no lift."""
        return self.trailer is not None and self.trailer.until_s > 0

    @property
    def who(self) -> str:
        return (
            f"0x{self.sender.hex()} (through 0x{self.through.hex()})" if self.sender else "somebody whom nothing names"
        )


@dataclass(frozen=True)
class Past:
    """The newest changes first; `whole` where nothing of ours can lie beyond them."""

    changes: tuple[Change, ...]
    whole: bool


@dataclass(frozen=True)
class Told:
    """Where a contract tells how one number moved, and from when it is looked back."""

    contract: bytes
    topics: Sequence[Topic]
    moves: Callable[[Sequence[Log]], list[tuple[Log, int | None]]]
    """Logs of a window, oldest first → those that are a decision on the number, and what each set; None: nonsense."""
    head: int
    chain_s: int
    """The chain's own time at `head`."""
    through: bytes = b""
    """The contract that this node calls to move it, where that is not the one that tells of it."""


class Changes:
    """As seen from one account: whose trailers count."""

    def __init__(self, client: ChainClient, chain: str, own: bytes) -> None:
        self._client, self._chain, self._own = client, chain, own

    async def since(self, told: Told, since_s: int) -> tuple[Change, ...]:
        """All changes of blocks from that second on (chain's time), as far as the windows reach. ChainError."""
        found: list[Change] = []
        async for changes, time_s in self._windows(told):
            found += changes
            if time_s <= since_s:
                break
        return tuple(found)

    async def latest(self, told: Told) -> Past:
        """The changes of the newest window that has any. ChainError."""
        async for changes, time_s in self._windows(told):
            if changes:
                return Past(changes, True)
            if time_s <= told.chain_s - REACH_S:
                return Past((), True)
        return Past((), False)

    async def _windows(self, told: Told) -> AsyncIterator[tuple[tuple[Change, ...], int]]:
        """Window by window into the past: its changes, newest first, and the time of its first block (0: genesis)."""
        last = told.head
        for _ in range(WINDOWS_MAX):
            first = max(0, last - WINDOW_BLOCKS + 1)
            asks: list[Ask[Any]] = [ask_logs(told.contract, told.topics, first, last), ask_block(first)]
            logs, block = (await self._client.read(self._chain, *asks)).value
            if block is None:
                raise NotSeen(f"{self._chain} as seen from here has no block {first}")
            yield await self._changes(told, logs), block.timestamp if first else 0
            if not first:
                return
            last = first - 1

    async def _changes(self, told: Told, logs: Sequence[Log]) -> tuple[Change, ...]:
        moved = told.moves(logs)[::-1][:CHANGES_MAX]
        if not moved:
            return ()
        read = await self._client.read(self._chain, *(ask_transaction(log.tx) for log, _ in moved))
        found: list[Change] = []
        for (log, number), sent in zip(moved, read.value):
            if sent is None or number is None:
                raise NotSeen(f"{self._chain} as seen from here does not know transaction 0x{log.tx.hex()}")
            through = sent.to or b""
            ours = sent.sender == self._own and through == (told.through or told.contract)
            found.append(Change(number, log.tx, sent.sender, through, trailer_of(sent.data) if ours else None))
        return tuple(found)
