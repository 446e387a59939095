"""Levers of the EVM family: a row of `lever_rows` on a target, which keeps the lease and reads as lifted after it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from adapters.api import LeverDeclaration, LeverOrder, Outcome, Plan
from adapters.evm.abi import abi_of
from adapters.evm.client import ChainClient
from adapters.evm.errors import ChainError, NoGas, Reverted
from adapters.evm.lever_rows import ROWS, Row, Target
from adapters.evm.sending import Sender
from adapters.evm.wire import Ask, Revert, ask_call, ask_logs
from adapters.moment import utc

LOOKBACK_BLOCKS = 5_000
"""How far back a restriction under the same key is looked for: above the longest lease of any row at 12 s a block."""
CLOCK_SLACK_S = 120
"""Between our clock, which made the order, and the chain's."""
WAIT_S = 60.0


@dataclass(frozen=True)
class Standing:
    """One slot as the target has it: end in seconds, the number where there is one, and the chain's own time."""

    until_s: int
    limit: int
    chain_s: int

    @property
    def binds(self) -> bool:
        return self.chain_s < self.until_s


def until_s(order: LeverOrder) -> int:
    """The order's end for the target, in whole seconds: rounded up, since a lease is kept at least."""
    return -(-order.until_ms // 1000)


def misfit(order: LeverOrder, declared: LeverDeclaration, chain_s: int) -> str:
    """Why an order's end is none that may be sent at the chain's time, "" where it may."""
    end_s, longest_s = until_s(order), chain_s + declared.max_ms // 1000 + CLOCK_SLACK_S
    if end_s <= chain_s:
        return f"its end {end_s} s has come (the chain has {chain_s} s); nothing sent"
    if end_s > longest_s:
        return f"asked until {utc(end_s)}, and {declared.call} goes no further than {utc(longest_s)}: shorten it"
    return ""


class EvmLever:
    """One row on one target. Idempotent by action key: it looks before it sends, and the target ignores repeats."""

    def __init__(self, row: Row, target: Target, client: ChainClient, sender: Sender) -> None:
        self.declared = row.declared
        self._row, self._target = row, target
        self._client, self._sender = client, sender
        self._abi = abi_of(row.contract)
        self._scope: tuple[Any, ...] = (target.asset,) if row.scoped else ()
        scope = target.asset.hex() if row.scoped else ""
        self.slot = f"{target.chain}/0x{target.contract.hex()}/{row.what}/{scope}"
        """What it moves: two targets of one contract share what is not scoped by asset."""

    async def plan(self, order: LeverOrder) -> Plan:
        """Raises nothing: what cannot be read is said in the plan, and found again by simulate."""
        what = f"{self.declared.call} on {self._target.name} (0x{self._target.contract.hex()}, {self._target.chain})"
        says = f"{what} until {utc(until_s(order))}: {self.declared.says}{self._sender.way}"
        try:
            standing = await self._standing(order.by_human)
        except ChainError as broken:
            return Plan(order, f"{says} (not read yet: {broken})")
        return Plan(order, says, already=standing.binds and standing.until_s >= until_s(order))

    async def simulate(self, plan: Plan) -> Outcome:
        """The very call as an eth_call of the account, and whether it can pay for it."""
        try:
            standing = await self._standing(plan.order.by_human)
            fault = misfit(plan.order, self.declared, standing.chain_s)
            if fault:
                return Outcome(False, fault)
            args = await self._arguments(plan.order, standing)
            await self._sender.simulate(self._target.contract, self._abi, self._row.set, args)
        except ChainError as broken:
            return _failed(broken)
        until_ms = standing.until_s * 1000 if standing.binds else 0
        return Outcome(True, f"the target would take {self.declared.call}", until_ms=until_ms)

    async def apply(self, plan: Plan) -> Outcome:
        """Look, send, wait. Sends nothing where the target stands so already or did once under this key and end."""
        order = plan.order
        try:
            standing = await self._standing(order.by_human)
            if standing.binds and standing.until_s >= until_s(order):
                return await self._stands_already(order, standing)
            fault = misfit(order, self.declared, standing.chain_s)
            if fault:
                return Outcome(False, fault)
            done = await self._done_before(order)
            if done:
                return Outcome(True, f"done before under this key in {done}; nothing sent", done)
            args = await self._arguments(order, standing)
            # an earlier try may have ended while a relay has it: that one is waited for
            receipt = await self._sender.transact(
                self._target.contract, self._abi, self._row.set, args, WAIT_S, once=True
            )
        except ChainError as broken:
            return _failed(broken)
        return Outcome(True, f"{self.declared.call} mined in block {receipt.block}", "0x" + receipt.tx.hex())

    async def _stands_already(self, order: LeverOrder, standing: Standing) -> Outcome:
        """By our own transaction, where the node died between sending and its journal: then it is named."""
        try:
            tx = await self._done_before(order)
        except ChainError:  # the name is for the journal; the restriction stands all the same
            tx = ""
        says = f"the target stands so already, by our {tx}" if tx else "the target stands so already"
        return Outcome(True, f"{says}; nothing sent", tx, until_ms=standing.until_s * 1000)

    async def read_back(self, order: LeverOrder) -> Outcome:
        try:
            standing = await self._standing(order.by_human)
        except ChainError as broken:
            return _failed(broken)
        until_ms = standing.until_s * 1000 if standing.binds else 0
        if until_ms and standing.until_s >= until_s(order):
            return Outcome(True, f"the target says until {utc(standing.until_s)}", until_ms=until_ms)
        shows = f"only until {utc(standing.until_s)}" if until_ms else "no restriction"
        return Outcome(False, f"the target shows {shows}", until_ms=until_ms, retryable=True)

    async def undo(self, order: LeverOrder) -> Outcome:
        """Lifts the order's own slot, automatic or human, and never the other one."""
        try:
            standing = await self._standing(order.by_human)
            # what is still on its way may restrict later: a lift takes the nonce after it, and so lands after it
            if not standing.binds and not await self._sender.in_flight():
                return Outcome(True, "nothing stands in this slot; nothing sent")
            args = (*self._scope, order.by_human, order.action_key)
            receipt = await self._sender.transact(
                self._target.contract, self._abi, self._row.lift, args, WAIT_S, once=True
            )
        except ChainError as broken:
            return _failed(broken)
        return Outcome(True, f"lifted in block {receipt.block}", "0x" + receipt.tx.hex())

    async def _standing(self, by_human: bool) -> Standing:
        """As all connections say. The chain's time comes first: a slot read later ends no earlier than it shows."""
        asks: list[Ask[Any]] = [ask_call(self._target.contract, self._abi, self._row.view, (*self._scope, by_human))]
        head = await self._client.block(self._target.chain)
        read = await self._client.read(self._target.chain, *asks)
        value = read.value[0]
        if isinstance(value, Revert):
            raise Reverted(value.reason, f"{self._row.view} of 0x{self._target.contract.hex()} on {self._target.chain}")
        limit, until = (0, value) if self._row.limit is None else value
        return Standing(until, limit, head.value.timestamp)

    async def _arguments(self, order: LeverOrder, standing: Standing) -> tuple[Any, ...]:
        number: tuple[int, ...] = ()
        if self._row.limit is not None:
            # a renewal keeps the number that stands: it extends, and asks nothing new of anybody
            wanted = standing.limit if standing.binds else await self._row.limit.wanted(self._client, self._target)
            number = (wanted,)
        return (*self._scope, *number, until_s(order), order.by_human, order.action_key)

    async def _done_before(self, order: LeverOrder) -> str:
        """The transaction that restricted under this key to this end, "" where none did: a key never acts twice, even
        where a person has lifted it since or the node died between sending and its journal."""
        head = (await self._client.block(self._target.chain)).value.number
        event = self._abi.event("Restricted")
        topics = [event.topic, self._row.what.encode().ljust(32, b"\0"), None, order.action_key]
        asked = ask_logs(self._target.contract, topics, max(0, head - LOOKBACK_BLOCKS), head)
        read = await self._client.read(self._target.chain, asked)
        for log in read.value[0]:
            fields = event.decode(log.topics, log.data)
            if fields and fields["by_human"] == order.by_human and fields["until"] >= until_s(order):
                return f"0x{log.tx.hex()}"
        return ""


def _failed(broken: ChainError) -> Outcome:
    """What the contract refuses or nobody pays for stays so until somebody acts; the rest may pass by itself."""
    return Outcome(False, str(broken), retryable=not isinstance(broken, Reverted | NoGas), answered=False)


def levers_for(kind: str, target: Target, client: ChainClient, sender: Sender) -> dict[str, EvmLever]:
    """Every row of a contract kind ("lending", "perp", "escrow") on this target, by call."""
    rows = [row for row in ROWS if row.declared.call.startswith(f"{kind}.")]
    return {row.declared.call: EvmLever(row, target, client, sender) for row in rows}
