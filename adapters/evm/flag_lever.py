"""Levers on targets that keep flags only, no keys and no ends. This node ends what it restricts, and what it needs to
know of its own doing stands in its transactions (`trailer`): idempotent by key, and lifting nothing of anybody else."""

from __future__ import annotations

import abc
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from adapters.api import Beyond, LeverDeclaration, LeverOrder, Outcome, Plan
from adapters.evm.abi import Abi
from adapters.evm.changes import Change, Changes, Past, Told
from adapters.evm.client import ChainClient
from adapters.evm.errors import ChainError, NoGas, Reverted
from adapters.evm.levers import CLOCK_SLACK_S, WAIT_S, misfit, until_s
from adapters.evm.sending import Sender
from adapters.evm.trailer import Trailer
from adapters.moment import utc

State = TypeVar("State")
ON_ITS_WAY = "a transaction of the account is still on its way; looked at again"
"""By a life that has ended, it may be: what is sent now would come after it, and do what it does once more."""


@dataclass(frozen=True)
class Call:
    contract: bytes
    abi: Abi
    fn: str
    args: Sequence[Any] = ()


class FlagLever(abc.ABC, Generic[State]):
    """Moves one number of a target, and puts back what stood. `State` is what the target shows in one look."""

    _ends = "lifted by this node"

    def __init__(
        self, declared: LeverDeclaration, where: tuple[str, str, bytes], client: ChainClient, sender: Sender
    ) -> None:
        """`where`: the target's name, its chain, and the address that people know it by."""
        self.declared = declared
        self._client, self._sender = client, sender
        self._name, self._chain, self._at = where
        self._changes = Changes(client, self._chain, sender.account.address)

    @abc.abstractmethod
    async def _read(self) -> State:
        """As all connections say. ChainError."""

    @abc.abstractmethod
    def _number(self, state: State) -> int:
        """What stands."""

    @abc.abstractmethod
    def _wanted(self, state: State) -> int:
        """What this lever sets."""

    @abc.abstractmethod
    def _closed(self, state: State) -> bool:
        """Whether the target is as restricted as this lever would make it, whoever did that."""

    @abc.abstractmethod
    def _told(self, state: State) -> Told: ...

    @abc.abstractmethod
    def _call(self, state: State, number: int) -> Call:
        """What sets the number."""

    @abc.abstractmethod
    def _refused(self, reason: str) -> Outcome | None:
        """In words, where the target's reason is one that is known."""

    @abc.abstractmethod
    async def beyond(self) -> Beyond:
        """What else its account could do to the target, each call tried as it. ChainError."""

    async def _stands(self, state: State) -> bool:
        return self._closed(state)

    async def _unending(self, state: State) -> str:
        """Why this node could not lift what it sets, "" where it could. ChainError."""
        return ""

    def _word(self, number: int) -> str:
        """The number as people say it."""
        return str(number)

    async def plan(self, order: LeverOrder) -> Plan:
        """Raises nothing: what cannot be read is said in the plan, and found again by simulate."""
        what = f"{self.declared.call} on {self._name} (0x{self._at.hex()}, {self._chain})"
        says = f"{what} until {utc(until_s(order))}, {self._ends}: {self.declared.says}{self._sender.way}"
        try:
            already = await self._stands(await self._read())
        except ChainError as broken:
            return Plan(order, f"{says} (not read yet: {broken})")
        return Plan(order, says, already=already)

    async def simulate(self, plan: Plan) -> Outcome:
        """The very call as an eth_call of the account, and whether it can pay for it; a missing right by its name."""
        order = plan.order
        try:
            state = await self._read()
            if await self._stands(state):
                return Outcome(True, "the target stands so already", until_ms=order.until_ms)
            fault = self._too_long(order, state)
            if fault:
                return Outcome(False, fault)
            number = self._wanted(state)
            call = self._call(state, number)
            trailer = self._trailer(order, until_s(order), state)
            await self._sender.simulate(call.contract, call.abi, call.fn, call.args, trailer)
            unending = await self._unending(state)
        except ChainError as broken:
            return self._failed(broken)
        if unending:
            return Outcome(False, unending)
        moves = f"{self._word(self._number(state))} to {self._word(number)}"
        return Outcome(True, f"the target would take {self.declared.call}: {moves}")

    async def apply(self, plan: Plan) -> Outcome:
        """Look, send, wait. Sends nothing where the target stands so already or did once under this key and end."""
        order = plan.order
        try:
            # before the look, so that what is mined in between is seen by it
            waits = await self._sender.in_flight()
            state = await self._read()
            if await self._stands(state):
                return await self._stands_already(order, state)
            fault = self._too_long(order, state)
            if fault:
                return Outcome(False, fault)
            done = await self._done_before(order, state)
            if done:
                return Outcome(True, f"done before under this key in {done}; nothing sent", done)
            if waits:
                return Outcome(False, ON_ITS_WAY, retryable=True)
            trailer = self._trailer(order, until_s(order), state)
            return await self._send(state, self._wanted(state), trailer, f"{self.declared.call} mined")
        except ChainError as broken:
            return self._failed(broken)

    async def read_back(self, order: LeverOrder) -> Outcome:
        """`until_ms` is the order's: the target knows no end, this node brings it."""
        try:
            state = await self._read()
            if await self._stands(state):
                shows = f"the target shows it, at {self._word(self._number(state))}"
                return Outcome(True, f"{shows}; this node lifts it", until_ms=order.until_ms)
            past = await self._changes.latest(self._told(state))
        except ChainError as broken:
            return self._failed(broken)
        newest = past.changes[0] if past.changes else None
        by = f", since 0x{newest.tx.hex()} of {newest.who}" if newest else ""
        return Outcome(False, f"the target shows no restriction{by}", retryable=True)

    async def undo(self, order: LeverOrder) -> Outcome:
        """Lifts what the newest change set, where that is ours; what somebody else did since is left alone and told."""
        try:
            if await self._sender.in_flight():
                return Outcome(False, ON_ITS_WAY, retryable=True)
            state = await self._read()
            past = await self._changes.latest(self._told(state))
            kept = self._kept(state, past)
            if kept is not None:
                return kept
            first, number = _ours(past.changes)[-1], self._number(state)
            if first.trailer is None or number != first.number:
                shows = f"{self._word(number)} and its last change {self._word(first.number)}"
                return Outcome(False, f"the target shows {shows}; looked at again", retryable=True)
            return await self._send(state, first.trailer.before, self._trailer(order, 0, state), "lifted")
        except ChainError as broken:
            return self._failed(broken)

    def _kept(self, state: State, past: Past) -> Outcome | None:
        """Why nothing is to be lifted, None where something of ours stands."""
        if not past.changes:
            if past.whole or not self._closed(state):
                return Outcome(True, "nothing of ours stands here; nothing sent")
            return Outcome(
                False, "it stands, and who set it lies further back than is looked: look and lift it by hand"
            )
        newest = past.changes[0]
        tx = f"0x{newest.tx.hex()}"
        if newest.trailer is None:
            says = f"left alone: {tx} of {newest.who} came last, and set {self._word(newest.number)}; nothing sent"
            return Outcome(True, says)
        if not newest.sets:
            return Outcome(True, f"lifted before in {tx}; nothing sent", tx)
        ours = _ours(past.changes)
        older = past.changes[len(ours) :]
        return self._overtaken(state, ours[-1], older[0]) if older else None

    def _overtaken(self, state: State, newest: Change, other: Change) -> Outcome | None:
        """Somebody moved the number between our look and our transaction: what we would put back is not what stood."""
        if newest.trailer is None or other.number == newest.trailer.before:
            return None
        said = f"0x{other.tx.hex()} of {other.who} set {self._word(other.number)} just before ours"
        if other.number == newest.number:
            return Outcome(True, f"left alone: {said}; nothing sent")
        found = self._word(newest.trailer.before)
        return Outcome(False, f"{said}, which found {found} when it looked: set it back by hand")

    async def _stands_already(self, order: LeverOrder, state: State) -> Outcome:
        """By our own transaction, where the node died between sending and its journal: then it is named."""
        try:
            tx = await self._done_before(order, state)
        except ChainError:  # the name is for the journal; the restriction stands all the same
            tx = ""
        says = f"the target stands so already, by our {tx}" if tx else "the target stands so already"
        return Outcome(True, f"{says}; nothing sent", tx, until_ms=order.until_ms)

    async def _done_before(self, order: LeverOrder, state: State) -> str:
        """The transaction that restricted under this key to this end, "" where none did: a key never acts twice, even
        where a person has lifted it since. None can be older than the longest lease before that end."""
        since_s = until_s(order) - self.declared.max_ms // 1000 - CLOCK_SLACK_S
        for change in await self._changes.since(self._told(state), since_s):
            said = change.trailer
            same = said is not None and (said.key, said.by_human) == (order.action_key, order.by_human)
            if said is not None and same and said.until_s >= until_s(order):
                return f"0x{change.tx.hex()}"
        return ""

    def _trailer(self, order: LeverOrder, end_s: int, state: State) -> bytes:
        return Trailer(order.action_key, end_s, order.by_human, self._number(state)).pack()

    async def _send(self, state: State, number: int, trailer: bytes, done: str) -> Outcome:
        call = self._call(state, number)
        receipt = await self._sender.transact(call.contract, call.abi, call.fn, call.args, WAIT_S, trailer=trailer)
        return Outcome(True, f"{done} in block {receipt.block}: now {self._word(number)}", "0x" + receipt.tx.hex())

    def _too_long(self, order: LeverOrder, state: State) -> str:
        """Why an order with this end is not sent, "" where it may be: too long, or over."""
        return misfit(order, self.declared, self._told(state).chain_s)

    def _failed(self, broken: ChainError) -> Outcome:
        """What the contract refuses or nobody pays for stays so until somebody acts; the rest may pass by itself."""
        if not isinstance(broken, Reverted):
            return Outcome(False, str(broken), retryable=not isinstance(broken, NoGas), answered=False)
        return self._refused(broken.reason) or Outcome(False, str(broken), answered=False)


def _ours(changes: Sequence[Change]) -> tuple[Change, ...]:
    """The newest change, with those of ours below it that set the same: two lives of a node may have sent one each, and
    what stood is what the first of them found."""
    same = itertools.takewhile(lambda one: one.sets and one.number == changes[0].number, changes)
    return tuple(same) or tuple(changes[:1])
