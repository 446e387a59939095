"""Transactions: simulate, sign, send, wait. One lock per account and chain, so that no two take the same nonce."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import trio

from adapters.evm.abi import Abi, created_address
from adapters.evm.artifacts import Artifact
from adapters.evm.client import Account, ChainClient
from adapters.evm.errors import ChainDown, NoGas, NotMined, NotSeen, NotSent, ProvidersDisagree, Reverted
from adapters.evm.pool import GIVEN_UP_S, PATIENCE_S, STUCK_S, Pool, fees_of
from adapters.evm.waiting import Memory, Waiting
from adapters.evm.wire import (
    Ask,
    Receipt,
    Revert,
    ask_balance,
    ask_block,
    ask_call,
    ask_estimate,
    ask_gas_price,
    ask_nonce,
)

POLL_S = 0.05
LOOK_S = 0.25
HOLD_S = 12.0
"""Of the 20 s that a step has: it has still to look and to send."""
GAS_CALL_MAX = 3_000_000
GAS_DEPLOY_MAX = 20_000_000


@dataclass(frozen=True)
class Costs:
    """What a transaction of the account would take now. Gas as it would be allowed, above the estimate; wei."""

    nonce: int
    gas: int
    fees: dict[str, int]
    balance: int

    @property
    def most(self) -> int:
        """Wei that the transaction may cost."""
        return self.gas * self.fees.get("maxFeePerGas", self.fees.get("gasPrice", 0))


class Sender:
    """One account on one chain. What waits for its block for longer than `patience_s` is pushed; what was not sent in
    this life, and waits for longer than `stuck_s`, is replaced. `memory`: where what relays have outlives this life."""

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
        self.client, self.chain, self.account = client, chain, account
        self._pool = Pool(client, chain, account, patience_s, stuck_s, memory, log, given_up_s)

    @property
    def way(self) -> str:
        """How a transaction leaves, for people: "; sent through 2 relays, public after 25 s", "" where by the
        connections."""
        relays = self.client.relays(self.chain)
        return "" if relays is None else f"; {relays.says}"

    async def simulate(self, contract: bytes, abi: Abi, fn: str, args: Sequence[Any], trailer: bytes = b"") -> None:
        """An eth_call as the account, and whether it can pay. Reverted, NoGas, ChainDown, ProvidersDisagree."""
        asked = ask_call(contract, abi, fn, args, sender=self.account.address, trailer=trailer)
        read = await self.client.read(self.chain, asked)
        if isinstance(read.value[0], Revert):
            raise Reverted(read.value[0].reason, f"{fn} of 0x{contract.hex()} on {self.chain}")
        await self._costs(contract, abi.function(fn).encode(args) + trailer, GAS_CALL_MAX)

    async def send(
        self, contract: bytes, abi: Abi, fn: str, args: Sequence[Any], trailer: bytes = b"", *, once: bool = False
    ) -> bytes:
        """The transaction's hash once a relay or a provider took it; with `once` that of the very same call, where a
        relay has it already. NoGas, Reverted (by estimation), NotSent, ChainDown, ProvidersDisagree."""
        data = abi.function(fn).encode(args) + trailer
        return (await self._send(contract, data, GAS_CALL_MAX, once=once)).tx

    async def transact(
        self,
        contract: bytes,
        abi: Abi,
        fn: str,
        args: Sequence[Any],
        deadline_s: float = 60,
        trailer: bytes = b"",
        *,
        once: bool = False,
    ) -> Receipt:
        """`send` and `wait`. `trailer` follows the arguments, where no contract looks."""
        return await self.wait(await self.send(contract, abi, fn, args, trailer, once=once), deadline_s)

    async def deploy(self, artifact: Artifact, args: Sequence[Any] = (), deadline_s: float = 60) -> bytes:
        """The new contract's address, computed here from sender and nonce."""
        data = artifact.bytecode + Abi(artifact.abi).construct(args)
        sent = await self._send(None, data, GAS_DEPLOY_MAX)
        await self.wait(sent.tx, deadline_s)
        return created_address(self.account.address, sent.nonce)

    async def price_of(self, contract: bytes, abi: Abi, fn: str, args: Sequence[Any]) -> Costs:
        """Sends nothing. Reverted with the contract's reason, ChainDown; a poor account is no error."""
        return await self._priced(contract, abi.function(fn).encode(args), GAS_CALL_MAX)

    async def price_of_deploying(self, artifact: Artifact, args: Sequence[Any] = ()) -> tuple[Costs, bytes]:
        """Sends nothing: the costs, and where the contract would stand. Reverted, ChainDown; a poor account is none."""
        costs = await self._priced(None, artifact.bytecode + Abi(artifact.abi).construct(args), GAS_DEPLOY_MAX)
        return costs, created_address(self.account.address, costs.nonce)

    async def wait(self, tx: bytes, deadline_s: float = 60) -> Receipt:
        """The receipt that all connections show, of whichever price was mined. Reverted where it failed, NotMined past
        the deadline."""
        last = "no connection shows a receipt"
        with trio.move_on_after(deadline_s):
            while True:
                try:
                    receipt = await self._pool.receipt(tx)
                    if receipt is not None:
                        self._pool.mined(tx)
                        if not receipt.ok:
                            raise Reverted("it was mined and failed", f"transaction 0x{tx.hex()} on {self.chain}")
                        return receipt
                    await self._pool.push_late(tx)
                except (ChainDown, ProvidersDisagree, NotSeen) as broken:
                    last = str(broken)
                await trio.sleep(POLL_S)
        raise NotMined(
            f"transaction 0x{tx.hex()} on {self.chain}: {await self._pool.fate(tx) or last}; look before retrying"
        )

    async def in_flight(self) -> bool:
        """Whether something of the account is on its way to a block, and nothing else should be sent before it is
        there. What relays have is waited for here for a while: it takes some blocks more. ChainDown,
        ProvidersDisagree."""
        until_s = trio.current_time() + HOLD_S
        while await self._pool.in_flight():
            if not self._pool.relayed or trio.current_time() >= until_s:
                return True
            await trio.sleep(LOOK_S)
        return False

    async def _send(self, to: bytes | None, data: bytes, gas_max: int, *, once: bool = False) -> Waiting:
        await self._pool.recall()
        async with self._pool.lock:
            found = await self._pool.same(to, data) if once else None
            if found is not None:
                return found
            costs = await self._costs(to, data, gas_max)
            # asked for once: whoever sends without a look must not be held up by a place that is gone meanwhile
            over, self._pool.over = self._pool.over, None
            nonce = self._pool.free(costs.nonce if over is None else over)
            unpriced: dict[str, Any] = {"chainId": int(self.chain.removeprefix("eip155:")), "nonce": nonce}
            unpriced |= {"gas": costs.gas, "value": 0, "data": data} | ({} if to is None else {"to": to})
            try:
                return await self._pool.launch(unpriced, costs.fees, takes_over=over is not None)
            except NotSent as refused:
                if "insufficient funds" in str(refused).lower():
                    raise NoGas(self.account.address, costs.balance, costs.most, self.chain) from None
                raise

    async def _costs(self, to: bytes | None, data: bytes, gas_max: int) -> Costs:
        costs = await self._priced(to, data, gas_max)
        if costs.balance < costs.most:
            raise NoGas(self.account.address, costs.balance, costs.most, self.chain)
        return costs

    async def _priced(self, to: bytes | None, data: bytes, gas_max: int) -> Costs:
        """Nonce, gas and fees in one question. Estimates and fees may differ between honest providers: the highest
        counts, bounded; the nonce must be agreed on."""
        own = self.account.address
        asks: list[Ask[Any]] = [
            ask_estimate(own, to, data),
            ask_nonce(own),
            ask_balance(own),
            ask_block(),
            ask_gas_price(),
        ]
        answers, faults = await self.client.every(self.chain, asks)
        rows = [row for row in answers.values() if row[3] is not None]
        if not rows:
            raise ChainDown(f"{self.chain} gives no answer: {'; '.join(map(str, faults))}")
        estimates = [row[0] for row in rows if isinstance(row[0], int)]
        if not estimates:
            raise Reverted(rows[0][0].reason, f"the transaction to 0x{to.hex() if to else ''} on {self.chain}")
        nonces = {row[1] for row in rows}
        nonce = nonces.pop() if len(nonces) == 1 else (await self.client.read(self.chain, ask_nonce(own))).value[0]
        fees = fees_of([row[3].base_fee for row in rows], [row[4] for row in rows])
        return Costs(nonce, min(max(estimates) * 5 // 4, gas_max), fees, max(row[2] for row in rows))
