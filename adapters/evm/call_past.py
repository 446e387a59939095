"""Who moved a number that its contract tells nothing of: by the account's own transactions and what the view said then.

Where there is no event, nobody's name is written anywhere. What is ours is found by the account's nonce, block by
block; that somebody else moved the number since, by the view at each block between. Both need a provider that keeps
past state, and one is asked for before anything is sent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from adapters.evm.changes import CHANGES_MAX, REACH_S, WINDOW_BLOCKS, WINDOWS_MAX, Change, Changes, Past, Told
from adapters.evm.client import ChainClient
from adapters.evm.errors import ChainDown, NotSeen
from adapters.evm.trailer import Trailer, trailer_of
from adapters.evm.wire import Ask, Revert, Transaction, ask_block, ask_nonce, ask_receipt, ask_transactions

SENT_MAX = 256
"""Transactions of the account that are looked through: it is a lever's, and used by nobody else."""
HEIGHTS_MAX = 1_024
"""Blocks at which the view is asked, evenly spread where there are more."""
BATCH = 128


@dataclass(frozen=True)
class Sight:
    """One own transaction to the contract that was mined and did not fail."""

    block: int
    sent: Transaction
    trailer: Trailer


class Unsaid(Changes):
    """`view(block)` asks for the number as it was after that block."""

    def __init__(
        self,
        client: ChainClient,
        chain: str,
        own: bytes,
        view: Callable[[int], Ask[Any]],
        sets: Callable[[Trailer], int],
    ) -> None:
        """`sets`: what a restriction of ours with this trailer has set."""
        super().__init__(client, chain, own)
        self._view, self._sets = view, sets

    async def since(self, told: Told, since_s: int) -> tuple[Change, ...]:
        """Our own alone: what a key did before is what is asked here. ChainError."""
        return tuple([await self._change(told, one) for one in await self._sights(told, since_s)])

    async def latest(self, told: Told) -> Past:
        """The newest of ours, somebody's move since then before it, and somebody's just before ours after it."""
        sights = await self._sights(told, told.chain_s - REACH_S)
        if not sights:
            return Past((), True)
        newest = await self._change(told, sights[0])
        if not newest.sets or newest.trailer is None:
            return Past((newest,), True)
        found = [newest]
        moved = await self._moved(told, sights[0].block, newest.number)
        if moved is not None:
            found.insert(0, _somebody(moved))
        (before,) = await self._numbers([sights[0].block - 1])
        ours = (
            len(sights) > 1
            and sights[1].trailer.until_s == before
            and sights[1].trailer.before == newest.trailer.before
        )
        return Past(tuple(found) if ours else (*found, _somebody(before)), True)

    async def _change(self, told: Told, sight: Sight) -> Change:
        said = sight.trailer
        number = self._sets(said) if said.until_s else (await self._numbers([sight.block]))[0]
        return Change(number, sight.sent.tx, self._own, told.contract, said)

    async def _moved(self, told: Told, block: int, number: int) -> int | None:
        """What the view said last that is not the number, from that block to the head; None: it stood all along."""
        spread = max(1, -(-(told.head - block + 1) // HEIGHTS_MAX))
        heights = list(range(told.head, block - 1, -spread))
        for at in range(0, len(heights), BATCH):
            said = await self._numbers(heights[at : at + BATCH])
            other = next((one for one in said if one != number), None)
            if other is not None:
                return other
        return None

    async def _numbers(self, blocks: list[int]) -> list[int]:
        read = await self._past(*(self._view(max(0, block)) for block in blocks))
        if any(isinstance(one, Revert) for one in read):
            raise NotSeen(f"{self._chain} as seen from here does not say what a view was at a past block")
        return [int(one) for one in read]

    async def _sights(self, told: Told, since_s: int) -> list[Sight]:
        """Newest first."""
        found: list[Sight] = []
        for block in sorted(await self._blocks(told, since_s), reverse=True)[:CHANGES_MAX]:
            (sent,) = (await self._client.read(self._chain, ask_transactions(block))).value
            for one in reversed(sent):
                said = trailer_of(one.data) if (one.sender, one.to) == (self._own, told.contract) else None
                if said is None:
                    continue
                (receipt,) = (await self._client.read(self._chain, ask_receipt(one.tx))).value
                if receipt is not None and receipt.ok:
                    found.append(Sight(block, one, said))
        return found

    async def _blocks(self, told: Told, since_s: int) -> set[int]:
        """Those in which the account's nonce moved, from that second on as far as the windows reach."""
        first = await self._first(told.head, since_s)
        low, high = await self._past(*(ask_nonce(self._own).pinned(block) for block in (first, told.head)))
        if high - low > SENT_MAX:
            raise NotSeen(f"the account sent {high - low} transactions meanwhile: one that is a lever's sends few")
        open_, found = [(first, low, told.head, high)], set()
        if first == 0 and low:
            found.add(0)
        while open_ := [one for one in open_ if one[1] != one[3]]:
            found |= {last for begin, _, last, _ in open_ if last - begin == 1}
            wide = [one for one in open_ if one[2] - one[0] > 1]
            middles = [(begin + last) // 2 for begin, _, last, _ in wide]
            said = await self._past(*(ask_nonce(self._own).pinned(block) for block in middles)) if wide else ()
            open_ = []
            for (begin, low, last, high), middle, nonce in zip(wide, middles, said):
                open_ += [(begin, low, middle, nonce), (middle, nonce, last, high)]
        return found

    async def _first(self, head: int, since_s: int) -> int:
        block = head
        for _ in range(WINDOWS_MAX):
            block = max(0, block - WINDOW_BLOCKS)
            (header,) = (await self._client.read(self._chain, ask_block(block))).value
            if header is None:
                raise NotSeen(f"{self._chain} as seen from here has no block {block}")
            if not block or header.timestamp <= since_s:
                break
        return block

    async def _past(self, *asks: Ask[Any]) -> tuple[Any, ...]:
        try:
            return (await self._client.read(self._chain, *asks)).value
        except ChainDown as broken:
            raise ChainDown(
                f"the contract tells of no change, and without past state nobody knows whose one is ({broken}); "
                "give a [[connection]] that keeps it (an archive node), or name the event"
            ) from None


def _somebody(number: int) -> Change:
    """Nobody knows who."""
    return Change(number, b"", b"", b"", None)
