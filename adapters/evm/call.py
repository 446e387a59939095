"""Any contract's own restriction, as `[target.NAME]` writes it down: one call with fixed arguments, its lift, a view.

For controls that no other kind knows. What the call closes is in the contract's source and on no chain: its owner says
so. Done as `flag_lever` does it; where the contract takes an end itself, it ends there with nobody awake."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from adapters.api import Beyond, LeverOrder, Outcome, Plan
from adapters.evm import aave_abi, pausable_abi
from adapters.evm.abi import Abi
from adapters.evm.call_config import BEFORE, Action, CallTarget
from adapters.evm.call_past import Unsaid
from adapters.evm.changes import Change, Past, Told
from adapters.evm.client import ChainClient
from adapters.evm.errors import ChainError, Reverted
from adapters.evm.flag_lever import Call, FlagLever
from adapters.evm.levers import until_s
from adapters.evm.sending import Sender
from adapters.evm.survey.generic import beyond
from adapters.evm.survey.look import Looker
from adapters.evm.trailer import Trailer
from adapters.evm.wire import Ask, Log, Revert, ask_call
from adapters.moment import utc

NO_SUCH = Abi([{"type": "function", "name": "tocsin_asks_for_what_no_contract_has", "inputs": [], "outputs": []}])
"""Taken only by a contract that takes anything, and by an address without code."""


@dataclass(frozen=True)
class Shown:
    number: int
    before: int
    """What stood before ours: the number itself, unless ours stands now and is prolonged."""
    head: int
    chain_s: int
    """The chain's own time, read before the rest."""


class CallLever:
    """One call of one contract. Each order has its own end, which the call may bear."""

    def __init__(self, target: CallTarget, client: ChainClient, sender: Sender) -> None:
        self.declared = target.declared
        self._target, self._client, self._sender = target, client, sender
        read = target.read
        self.slot = f"{target.chain}/0x{read.at.hex()}/{read.fn.signature}/{read.args}/{read.field}"
        """What it moves is what it reads."""

    def _for(self, order: LeverOrder) -> _Bound:
        return _Bound(self._target, until_s(order), self._client, self._sender)

    async def plan(self, order: LeverOrder) -> Plan:
        return await self._for(order).plan(order)

    async def simulate(self, plan: Plan) -> Outcome:
        return await self._for(plan.order).simulate(plan)

    async def apply(self, plan: Plan) -> Outcome:
        return await self._for(plan.order).apply(plan)

    async def read_back(self, order: LeverOrder) -> Outcome:
        return await self._for(order).read_back(order)

    async def undo(self, order: LeverOrder) -> Outcome:
        return await self._for(order).undo(order)

    async def beyond(self) -> Beyond:
        """Besides its own call and lift, which are this lever's to do. ChainError."""
        look = Looker(self._client, self._target.chain)
        tried, may = await beyond(look, self._target.contract, self._sender.account.address)
        return Beyond(tried, may)


class _Bound(FlagLever[Shown]):
    """The lever for one end."""

    def __init__(self, target: CallTarget, until: int, client: ChainClient, sender: Sender) -> None:
        super().__init__(target.declared, (target.name, target.chain, target.contract), client, sender)
        self._target, self._until_s = target, until
        if target.declared.expires_by.value != "node":
            self._ends = "ended by the contract itself" if target.keeps_ends else "ended by nobody"
        if not target.events:
            self._changes = Unsaid(client, target.chain, sender.account.address, self._view, self._set_by)

    async def beyond(self) -> Beyond:
        return Beyond(0, ())

    def _view(self, block: int | None = None) -> Ask[Any]:
        """The number; an answer of another shape is a contract that is something else, and no fault of a provider."""
        read = self._target.read
        asked = ask_call(read.at, read.fn.abi, read.fn.name, read.args, block=block)

        def parse(raw: Any) -> Any:
            try:
                value = asked.parse(raw)
                found = value if isinstance(value, Revert) or len(read.fn.outputs) == 1 else value[read.field]
                return found if isinstance(found, Revert) else int(found)
            except (ValueError, TypeError):
                return Revert("an answer of another shape")

        return Ask(asked.method, asked.params, parse, asked.height)

    async def _read(self) -> Shown:
        target = self._target
        head = (await self._client.block(target.chain)).value
        (number,) = (await self._client.read(target.chain, self._view())).value
        read = f"{target.read.fn.signature} of 0x{target.read.at.hex()} on {target.chain}"
        if isinstance(number, Revert):
            raise Reverted(number.reason, read)
        if number < 0:
            raise Reverted(f"it says {number}, below 0", read)
        shown = Shown(number, number, head.number, head.timestamp)
        if not target.keeps_ends or number <= head.timestamp:
            return shown
        # prolonging what is ours keeps in mind what stood before the first of it
        newest = next(iter((await self._changes.latest(self._told(shown))).changes), None)
        if newest is not None and newest.trailer is not None and newest.sets and newest.number == number:
            return Shown(number, newest.trailer.before, head.number, head.timestamp)
        return shown

    def _number(self, state: Shown) -> int:
        return state.number

    def _wanted(self, state: Shown) -> int:
        return self._until_s if self._target.keeps_ends else int(self._target.becomes)

    def _closed(self, state: Shown) -> bool:
        binds = not self._target.keeps_ends or state.number > state.chain_s
        return binds and self._target.read.holds(state.number, self._until_s)

    def _set_by(self, said: Trailer) -> int:
        return said.until_s if self._target.keeps_ends else int(self._target.becomes)

    def _told(self, state: Shown) -> Told:
        topics = tuple({one.event.topic for one in self._target.events})
        return Told(self._target.contract, [topics], self._moves, state.head, state.chain_s)

    def _moves(self, logs: Sequence[Log]) -> list[tuple[Log, int | None]]:
        found: list[tuple[Log, int | None]] = []
        for log in logs:
            for one in self._target.events:
                if not log.topics or log.topics[0] != one.event.topic:
                    continue
                said = one.event.abi.event(one.event.name).decode(log.topics, log.data)
                if said is None:
                    found.append((log, None))
                elif all(said[key] == value for key, value in one.where):
                    found.append((log, int(said[one.field]) if one.field else one.number))
        return found

    def _call(self, state: Shown, number: int) -> Call:
        """A number that the restriction does not set is what a lift puts back."""
        does = self._target.restrict
        if number != self._wanted(state) and self._target.lift is not None:
            does = self._target.lift
        return self._called(does, number)

    def _called(self, does: Action, number: int) -> Call:
        return Call(self._target.contract, does.fn.abi, does.fn.name, does.filled(self._until_s, number))

    def _trailer(self, order: LeverOrder, end_s: int, state: Shown) -> bytes:
        return Trailer(order.action_key, end_s, order.by_human, state.before).pack()

    def _too_long(self, order: LeverOrder, state: Shown) -> str:
        return super()._too_long(order, state) or self._no_way_back(state)

    def _no_way_back(self, state: Shown) -> str:
        """Why the lift would not put back what stands now."""
        lift, target = self._target.lift, self._target
        if lift is None:
            return ""
        if lift.uses(BEFORE) and state.before > lift.room(BEFORE):
            return f"it shows {state.before}, which {lift.fn.signature} has no room for"
        if lift.uses(BEFORE) or target.keeps_ends or state.number == target.lifted:
            return ""
        return f"it shows {state.number}, and its lift would leave {target.lifted}: let the lift put back {BEFORE}"

    async def _unending(self, state: Shown) -> str:
        """Tried as the account: that the lift is not refused for a right, and that the contract refuses anything."""
        target, own = self._target, self._sender.account.address
        asks = [ask_call(target.contract, NO_SUCH, "tocsin_asks_for_what_no_contract_has", sender=own)]
        if target.lift is not None:
            call = self._called(target.lift, state.before)
            asks.append(ask_call(call.contract, call.abi, call.fn, call.args, sender=own))
        anything, *lifts = (await self._client.read(target.chain, *asks)).value
        if not isinstance(anything, Revert):
            return f"0x{target.contract.hex()} takes any call, or has no code: nothing that it takes says anything"
        who = _right_missing(lifts[0].reason) if lifts and isinstance(lifts[0], Revert) else ""
        if who and target.lift is not None:
            fn = target.lift.fn.signature
            return f"account 0x{own.hex()} may restrict and not lift: {fn} takes {who}; have it granted"
        return await self._of_one_mind(state)

    async def _of_one_mind(self, state: Shown) -> str:
        """Whether the events tell of what the view reads. Of an end that is over a view may show 0."""
        if not self._target.events:
            return ""
        newest = next(iter((await self._changes.latest(self._told(state))).changes), None)
        over = newest is not None and self._target.keeps_ends and newest.number <= state.chain_s
        if newest is not None and newest.number != state.number and not over:
            shows = f"the view shows {state.number} and the last event {newest.number}"
            return f"{shows}: they speak of different things; name the event that tells of what the view reads"
        return ""

    async def read_back(self, order: LeverOrder) -> Outcome:
        if not self._target.keeps_ends:
            return await super().read_back(order)
        try:
            state = await self._read()
        except ChainError as broken:
            return self._failed(broken)
        until_ms = state.number * 1000 if state.number > state.chain_s else 0
        if self._closed(state):
            return Outcome(True, f"the target says until {utc(state.number)}", until_ms=until_ms)
        shows = f"only until {utc(state.number)}" if until_ms else "no restriction"
        return Outcome(False, f"the target shows {shows}", until_ms=until_ms, retryable=True)

    async def undo(self, order: LeverOrder) -> Outcome:
        if self._target.lift is None:
            ends = "the contract ends it itself" if self._target.keeps_ends else "look, and undo what can be by hand"
            return Outcome(self._target.keeps_ends, f"it has no lift: {ends}; nothing sent")
        return await super().undo(order)

    def _kept(self, state: Shown, past: Past) -> Outcome | None:
        ends = self._target.keeps_ends
        if ends and state.number <= state.chain_s:
            return Outcome(True, "it has ended by itself, or never stood; nothing sent")
        newest = past.changes[0] if past.changes else None
        if newest is None and self._target.events and past.whole and self._closed(state):
            return Outcome(
                False, "it stands, and no event of the last days tells by whom: look, and lift it if it is ours"
            )
        if newest is not None and not newest.sender:
            says = f"left alone: somebody moved it after us, to {newest.number}; it shows {state.number}; nothing sent"
            return Outcome(True, says)
        kept = super()._kept(state, past)
        lift = self._target.lift
        if kept is None and ends and newest is not None and newest.trailer is not None and lift is not None:
            under = newest.trailer.before
            if under > state.chain_s and not lift.uses(BEFORE):
                says = f"left alone: one until {utc(under)} stood before ours, and the lift takes both"
                return Outcome(True, f"{says}; it ends by itself at {utc(state.number)}")
        return kept

    def _overtaken(self, state: Shown, newest: Change, other: Change) -> Outcome | None:
        if self._target.keeps_ends:
            mine, theirs = newest.trailer, other.trailer
            prolonged = mine is not None and theirs is not None and other.sets and theirs.before == mine.before
            if prolonged or other.number <= state.chain_s:
                return None  # one that is over counts for nothing, whatever the view said of it
        return super()._overtaken(state, newest, other)

    def _refused(self, reason: str) -> Outcome | None:
        who = _right_missing(reason)
        if who:
            own, at, fn = self._sender.account.address.hex(), self._target.contract.hex(), self._target.restrict.fn
            says = f"account 0x{own} may not {fn.name}: it takes {who} of 0x{at}; have it granted"
            return Outcome(False, says, answered=False)
        if pausable_abi.stands_so_already(reason) or aave_abi.stands_so_already(reason):
            says = "somebody else moved it in this moment; looked at again"
            return Outcome(False, says, retryable=True, answered=False)
        return None


def _right_missing(reason: str) -> str:
    return pausable_abi.right_missing(reason) or aave_abi.right_missing(reason)
