"""What an account has on its way to a block: known by its hashes, pushed where it is late.

The account is its node's alone. What waits too long is sent again at a higher price under its own nonce: of one nonce a
chain takes one transaction, so that pushing never makes two of one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import trio

from adapters.evm.client import Account, ChainClient
from adapters.evm.errors import ChainDown, NotSeen, NotSent, ProvidersDisagree
from adapters.evm.wire import Receipt, ask_block, ask_gas_price, ask_nonce, ask_receipt

TIP_WEI = 10**9
FEE_WEI_MAX = 2_000 * 10**9
"""Per unit of gas. A provider that names more is not followed: it could make a lever burn its account."""
PATIENCE_S = 13.0
"""In the pool, before it is pushed: a block of the slowest chain that is reckoned with, and a step waits 20 s."""
STUCK_S = 30.0
"""What an earlier life of this node left there is given longer: nobody knows how long it has waited."""
PUSHES_MAX = 10
WAITING_MAX = 64


@dataclass
class Waiting:
    """A transaction on its way, under the hash that it was first sent with."""

    tx: bytes
    nonce: int
    unpriced: dict[str, Any]
    fees: dict[str, int]
    since_s: float
    hashes: list[bytes] = field(default_factory=list)
    """Of all its prices, `tx` among them: any may be the one that is mined."""


class Pool:
    """Of one account on one chain. `lock`: held by whoever chooses a nonce or a price."""

    def __init__(
        self,
        client: ChainClient,
        chain: str,
        account: Account,
        patience_s: float = PATIENCE_S,
        stuck_s: float = STUCK_S,
    ) -> None:
        self._client, self._chain, self._account = client, chain, account
        self._patience_s, self._stuck_s = patience_s, stuck_s
        self.lock = trio.Lock()
        self._waiting: dict[bytes, Waiting] = {}
        self._unclear_since_s: float | None = None
        """Since when providers know of more than what all of them have in a block."""
        self.over: int | None = None
        """The nonce of such a one that has waited long enough: what is sent next takes its place."""

    def sent(self, one: Waiting) -> None:
        while len(self._waiting) >= WAITING_MAX:
            self._waiting.pop(min(self._waiting, key=lambda tx: self._waiting[tx].nonce))
        self._waiting[one.tx] = one

    def mined(self, tx: bytes) -> None:
        self._waiting.pop(tx, None)

    async def receipt(self, tx: bytes) -> Receipt | None:
        """Of whichever price was mined. As reads raise."""
        one = self._waiting.get(tx)
        hashes = one.hashes if one is not None else (tx,)
        found = (await self._client.read(self._chain, *map(ask_receipt, hashes))).value
        return next((receipt for receipt in found if receipt is not None), None)

    async def in_flight(self) -> bool:
        """Whether a provider knows of a transaction of the account that is in no block yet, or has not seen our last
        one: what all agree on is then from before it. Ours are pushed where they are late. Nothing else is waited for
        without an end: what an earlier life left stuck is replaced by what is sent next, and whoever wanted it asks
        again; one provider alone, behind or lying, holds nothing up for longer. ChainDown, ProvidersDisagree."""
        own = self._account.address
        answers, faults = await self._client.every(self._chain, [ask_nonce(own), ask_nonce(own, "latest")])
        if not answers:
            raise ChainDown(f"{self._chain} gives no answer: {'; '.join(map(str, faults))}")
        self.over = None
        told = list(answers.values())
        if len({*told}) == 1 and told[0][0] == told[0][1]:
            self._unclear_since_s = None
            return False
        ours = [one for one in self._waiting.values() if one.nonce >= max(latest for _, latest in told)]
        for one in ours:
            await self.push_late(one.tx)
        now_s = trio.current_time()
        if self._unclear_since_s is None:
            self._unclear_since_s = now_s
        waits = any(pending > latest for pending, latest in told)
        if ours or now_s - self._unclear_since_s < (self._stuck_s if waits else self._patience_s):
            return True
        # a nonce that one liar names would leave a gap behind which all else waits
        first = (await self._client.read(self._chain, ask_nonce(own, "latest"))).value[0]
        if sum(pending > first + 1 for pending, _ in told) * 2 > len(told):
            return True  # several were left: nobody knows which is whose, people must look
        self.over = first if any(pending == first + 1 for pending, _ in told) else None
        return False

    async def push_late(self, tx: bytes) -> None:
        """At half as much again, and at today's price where that is more. ChainDown."""
        one = self._waiting.get(tx)
        if one is None or trio.current_time() - one.since_s < self._patience_s or len(one.hashes) > PUSHES_MAX:
            return
        async with self.lock:
            one.since_s = trio.current_time()
            answers, faults = await self._client.every(self._chain, [ask_block(), ask_gas_price()])
            rows = [row for row in answers.values() if row[0] is not None]
            if not rows:
                raise ChainDown(f"{self._chain} gives no answer: {'; '.join(map(str, faults))}")
            fees = raised(one.fees, fees_of([row[0].base_fee for row in rows], [row[1] for row in rows]))
            if fees == one.fees:
                return
            raw, hash_ = self._account.sign(one.unpriced | fees)
            # before it is sent: whoever takes it may say that they did not
            one.hashes.append(hash_)
            one.fees = fees
            try:
                await self._client.submit(self._chain, raw)
            except NotSent:
                return  # mined meanwhile, or the account cannot pay so much: what was sent before still waits

    async def fate(self, tx: bytes) -> str:
        """What became of one without a receipt, "" where nobody can tell."""
        one = self._waiting.get(tx)
        try:
            read = await self._client.read(self._chain, ask_nonce(self._account.address, "latest"))
        except (ChainDown, ProvidersDisagree, NotSeen):
            return ""
        if one is not None and read.value[0] > one.nonce:
            del self._waiting[tx]
            return f"another transaction of the account took its nonce {one.nonce}"
        return "not mined yet, it may still be"


def fees_of(bases: list[int | None], prices: list[int]) -> dict[str, int]:
    known = [base for base in bases if base is not None]
    if not known:
        return {"gasPrice": min(max(prices), FEE_WEI_MAX)}
    most = min(2 * max(known) + TIP_WEI, FEE_WEI_MAX)
    return {"maxFeePerGas": most, "maxPriorityFeePerGas": min(TIP_WEI, most)}


def raised(fees: dict[str, int], today: dict[str, int]) -> dict[str, int]:
    """Half as much again at least: pools take nothing for a replacement that pays less than a tenth more."""
    return {name: min(max(wei * 3 // 2, today.get(name, 0)), FEE_WEI_MAX) for name, wei in fees.items()}
