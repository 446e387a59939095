"""What an account has on its way to a block: known by its hashes, pushed where it is late.

The account is its node's alone. What waits too long is sent again at a higher price under its own nonce: of one nonce a
chain takes one transaction, so that pushing never makes two of one. Where a chain has relays they alone are given a
transaction at first; no provider knows of it then, and what this node knows of it stands for what they would say.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any

import trio

from adapters.evm.client import Account, ChainClient
from adapters.evm.errors import ChainDown, NotSeen, NotSent, ProvidersDisagree, Unsure
from adapters.evm.relays import Relays
from adapters.evm.waiting import Memory, Waiting
from adapters.evm.wire import Receipt, ask_block, ask_gas_price, ask_nonce, ask_receipt

TIP_WEI = 10**9
FEE_WEI_MAX = 2_000 * 10**9
"""Per unit of gas. A provider that names more is not followed: it could make a lever burn its account."""
PATIENCE_S = 13.0
"""In the pool, before it is pushed: a block of the slowest chain that is reckoned with, and a step waits 20 s."""
STUCK_S = 30.0
"""What an earlier life of this node left there is given longer: nobody knows how long it has waited."""
PUSHES_MAX = 10
RAISES_MAX = 64
WAITING_MAX = 64
GIVEN_UP_S = 300.0
"""After a relay was last given it: relays try for some 25 blocks, and forget it."""
PUBLIC_AGAIN_S = 2.0
"""Connections that refused what goes public are given it again."""


class Pool:
    """Of one account on one chain. `lock`: held by whoever chooses a nonce or a price."""

    def __init__(
        self,
        client: ChainClient,
        chain: str,
        account: Account,
        patience_s: float = PATIENCE_S,
        stuck_s: float = STUCK_S,
        memory: Memory | None = None,
        log: Callable[[str], None] = lambda text: None,
        given_up_s: float = GIVEN_UP_S,
    ) -> None:
        self._client, self._chain, self._account = client, chain, account
        self._patience_s, self._stuck_s, self._given_up_s = patience_s, stuck_s, given_up_s
        self._memory, self._log = memory or Memory(None), log
        self._recalled, self._recalling = False, trio.Lock()
        self.lock = trio.Lock()
        self._waiting: dict[bytes, Waiting] = {}
        self._unclear_since_s: float | None = None
        """Since when providers know of more than what all of them have in a block."""
        self.over: int | None = None
        """The nonce of such a one that has waited long enough: what is sent next takes its place."""

    @property
    def _relays(self) -> Relays | None:
        return self._client.relays(self._chain)

    @property
    def relayed(self) -> list[Waiting]:
        """What a relay was given and may still bring into a block, in the order of nonces."""
        now_s = trio.current_time()
        found = [one for one in self._waiting.values() if one.relayed and not one.over]
        for one in found:
            if now_s - one.handed_s > self._given_up_s:
                one.over = True
                self._log(f"{self._named(one)}: no block took it in {self._given_up_s:g} s; its nonce is used again")
        return sorted((one for one in found if not one.over), key=lambda one: one.nonce)

    async def recall(self) -> None:
        """What an earlier life left at relays: they are given it again, that life may have ended before. ChainDown."""
        async with self._recalling:
            if self._recalled:
                return
            for one in await self._memory.load():
                self._waiting[one.tx] = one
            self._recalled = True
        for one in self.relayed:
            if self._relays is not None and not one.public:
                self._log(f"{self._named(one)}: an earlier life left it at relays")
                with suppress(NotSent):
                    await self._hand(one, self._relays, one.raw)

    def free(self, nonce: int) -> int:
        """The first from there that nothing at a relay has: what was given up leaves a place that is filled first."""
        taken = {one.nonce for one in self.relayed}
        while nonce in taken:
            nonce += 1
        return nonce

    async def same(self, to: bytes | None, data: bytes) -> Waiting | None:
        """What a relay has of the very same call and no block took yet. ChainDown, ProvidersDisagree."""
        await self.recall()
        found = [one for one in self.relayed if one.says_the_same(to, data)]
        if not found:
            return None
        latest = (await self._client.read(self._chain, ask_nonce(self._account.address, "latest"))).value[0]
        return next((one for one in found if one.nonce >= latest), None)

    async def launch(self, unpriced: dict[str, Any], fees: dict[str, int], *, takes_over: bool) -> Waiting:
        """Signed and sent. With `takes_over` ever dearer, to take somebody's place, whose price nobody tells.
        NotSent."""
        raw, tx = self._account.sign(unpriced | fees)
        now_s = trio.current_time()
        one = Waiting(tx, unpriced["nonce"], unpriced, fees, raw, now_s, now_s, [tx])
        if self._relays is None:
            await self._offer(one, partial(self._client.submit, self._chain), RAISES_MAX if takes_over else 0)
            self.sent(one)
        else:
            await self._privately(one, self._relays)
        return one

    async def _privately(self, one: Waiting, relays: Relays) -> None:
        one.relayed = True
        self.sent(one)
        try:
            # dearer where a life that left no memory, or somebody else, has this nonce there
            await self._offer(one, partial(self._hand, one, relays), PUSHES_MAX)
        except NotSent as refused:
            if relays.never_public:
                one.over = not isinstance(refused, Unsure)
                raise type(refused)(
                    f"no relay of {self._chain} takes it, and it may never go public: {refused}"
                ) from None
            self._log(f"{self._named(one)}: no relay has taken it, so it goes public at once: {refused}")
            try:
                await self._publish(one)
            except NotSent as both:
                one.over = not isinstance(refused, Unsure)
                raise type(refused)(f"{both}; {refused}") from None

    async def _hand(self, one: Waiting, relays: Relays, raw: bytes) -> None:
        """Kept before it leaves: whoever has it may say that they have not."""
        one.handed_s = trio.current_time()
        await self._memory.save(lambda: self.relayed)
        await relays.submit(raw)

    async def _offer(self, one: Waiting, submit: Callable[[bytes], Awaitable[None]], raises: int) -> None:
        while True:
            try:
                return await submit(one.raw)
            except NotSent as refused:
                if "underpriced" not in str(refused).lower() or len(one.hashes) > raises:
                    raise
                if not self._price(one, raised(one.fees, one.fees)):
                    raise

    def _price(self, one: Waiting, fees: dict[str, int]) -> bool:
        """Signed anew; False where it can be no dearer."""
        if fees == one.fees:
            return False
        one.raw, hash_ = self._account.sign(one.unpriced | fees)
        # before it is sent: whoever takes it may say that they did not
        one.hashes.append(hash_)
        one.fees = fees
        return True

    async def _publish(self, one: Waiting) -> None:
        """To the connections, with all that waits at relays alone under lower nonces: behind a gap nothing is mined.
        NotSent."""
        for each in (each for each in self.relayed if each.nonce <= one.nonce and not each.public):
            first, each.tried_s = each.tried_s == float("-inf"), trio.current_time()
            try:
                await self._client.submit(self._chain, each.raw)
            except NotSent as refused:
                if first:
                    self._log(f"{self._named(each)}: the connections do not take it, and are asked again: {refused}")
                if each is one:
                    raise
            else:
                each.public, each.since_s = True, trio.current_time()
                self._log(f"{self._named(each)}: public now, {each.since_s - each.began_s:.0f} s after it was sent")
        with suppress(NotSent):  # the next life would give it to the connections once more, which have it
            await self._memory.save(lambda: self.relayed)

    def _named(self, one: Waiting) -> str:
        return f"transaction 0x{one.tx.hex()} on {self._chain} (nonce {one.nonce})"

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
        await self.recall()
        answers, faults = await self._client.every(self._chain, [ask_nonce(own), ask_nonce(own, "latest")])
        if not answers:
            raise ChainDown(f"{self._chain} gives no answer: {'; '.join(map(str, faults))}")
        self.over = None
        told = list(answers.values())
        if await self._at_relays([latest for _, latest in told]):
            return True
        if len({*told}) == 1 and told[0][0] == told[0][1]:
            self._unclear_since_s = None
            return False
        head = max(latest for _, latest in told)
        ours = [one for one in self._waiting.values() if one.nonce >= head and (one.public or not one.relayed)]
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

    async def _at_relays(self, latest: list[int]) -> bool:
        """Whether a relay may still bring something of ours into a block. Those that are late are pushed, or go
        public."""
        waits = False
        for one in self.relayed:
            if one.nonce < min(latest):
                one.over = True
            elif one.nonce >= max(latest):
                waits = True
                await self.push_late(one.tx)
        return waits

    async def push_late(self, tx: bytes) -> None:
        """At half as much again, and at today's price where that is more. What relays have goes public once they had
        their time. ChainDown."""
        one = self._waiting.get(tx)
        if one is None:
            return
        if self._is_due(one):
            async with self.lock:
                if self._is_due(one):
                    with suppress(NotSent):  # told in the log; tried again
                        await self._publish(one)
        if not self._is_late(one):
            return
        async with self.lock:
            if not self._is_late(one):
                return
            one.since_s = trio.current_time()
            answers, faults = await self._client.every(self._chain, [ask_block(), ask_gas_price()])
            rows = [row for row in answers.values() if row[0] is not None]
            if not rows:
                raise ChainDown(f"{self._chain} gives no answer: {'; '.join(map(str, faults))}")
            today = fees_of([row[0].base_fee for row in rows], [row[1] for row in rows])
            if not self._price(one, raised(one.fees, today)):
                return
            with suppress(NotSent):  # mined meanwhile, or the account cannot pay so much: what was sent before waits
                if one.relayed and not one.public and self._relays is not None:
                    await self._hand(one, self._relays, one.raw)
                else:
                    await self._client.submit(self._chain, one.raw)

    def _is_late(self, one: Waiting) -> bool:
        gone = one.relayed and one.over and not one.public
        return not gone and trio.current_time() - one.since_s >= self._patience_s and len(one.hashes) <= PUSHES_MAX

    def _is_due(self, one: Waiting) -> bool:
        """To go public. Without a relay left in the configuration at once: nobody would bring it anywhere."""
        relays, now_s = self._relays, trio.current_time()
        if not one.relayed or one.public or one.over or (relays is not None and relays.never_public):
            return False
        after_s = 0 if relays is None else relays.public_after_s
        return now_s - one.began_s >= after_s and now_s - one.tried_s >= PUBLIC_AGAIN_S

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
        at_relays = one is not None and one.relayed and not one.public
        return "not mined yet, it may still be" + ("; relays alone have it so far" if at_relays else "")


def fees_of(bases: list[int | None], prices: list[int]) -> dict[str, int]:
    known = [base for base in bases if base is not None]
    if not known:
        return {"gasPrice": min(max(prices), FEE_WEI_MAX)}
    most = min(2 * max(known) + TIP_WEI, FEE_WEI_MAX)
    return {"maxFeePerGas": most, "maxPriorityFeePerGas": min(TIP_WEI, most)}


def raised(fees: dict[str, int], today: dict[str, int]) -> dict[str, int]:
    """Half as much again at least: pools take nothing for a replacement that pays less than a tenth more."""
    return {name: min(max(wei * 3 // 2, today.get(name, 0)), FEE_WEI_MAX) for name, wei in fees.items()}
