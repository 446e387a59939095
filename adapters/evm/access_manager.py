"""Levers through OpenZeppelin's AccessManager (v5), as `flag_lever` does it: a contract closed there, or paused by it.

A manager may let an account act at once, or only some time after it announced the very call. Restricting has to be at
once, or it is no lever. Lifting may take its time: then it is scheduled as soon as the restriction stands, so that
it can be made when the lease ends."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from adapters.api import Beyond, LeverDeclaration, LeverOrder, Outcome, Plan
from adapters.declared import Owned
from adapters.evm.access_manager_abi import (
    ADMIN_ROLE,
    IN_THIS_MOMENT,
    MANAGER,
    SAYS_CLOSED,
    UNAUTHORIZED_CALL,
    operation_id,
    role_missing,
    role_word,
)
from adapters.evm.changes import Told
from adapters.evm.client import ChainClient
from adapters.evm.errors import ChainError, Reverted
from adapters.evm.flag_lever import Call, FlagLever
from adapters.evm.levers import WAIT_S, until_s
from adapters.evm.pausable import moves
from adapters.evm.pausable_abi import PAUSABLE, SAYS_PAUSED, SAYS_UNPAUSED, right_missing, stands_so_already
from adapters.evm.sending import Sender
from adapters.evm.survey.look import Looker
from adapters.evm.survey.manager import beyond, scheduled
from adapters.evm.wire import Ask, Log, Revert, ask_call

CLOSE, PAUSE = "access.close_target", "access.pause"
DOES = {
    CLOSE: "the access manager closes the contract, and with it every function that asks the manager, which shuts",
    PAUSE: "the contract is paused through its access manager, which closes",
}
LIFT = {CLOSE: "opening it again", PAUSE: "unpause()"}
DO = {CLOSE: "closing it", PAUSE: "pause()"}


@dataclass(frozen=True)
class ManagedTarget:
    """`manager` is asked, `contract` is what it manages, `asset` the token whose risk that carries; 20 bytes each."""

    name: str
    chain: str
    manager: bytes
    contract: bytes
    asset: bytes


@dataclass(frozen=True)
class Managed:
    """Delays in seconds, of this account: None where the manager does not let it at all."""

    stands: bool
    do_delay_s: int | None
    lift_delay_s: int | None
    head: int
    chain_s: int
    """The chain's own time, read before the rest."""
    role: int = ADMIN_ROLE
    """What restricting takes."""
    lift_role: int = ADMIN_ROLE
    shut: bool = False
    """The contract is closed at the manager: nothing that asks it goes through."""


def declared(call: str, said: Owned) -> LeverDeclaration:
    """`call`: CLOSE or PAUSE."""
    return said.declare(call, DOES[call], read="as its owner read its source")


class ManagedLever(FlagLever[Managed]):
    """What both have in common: delays."""

    def __init__(
        self, target: ManagedTarget, declaration: LeverDeclaration, client: ChainClient, sender: Sender
    ) -> None:
        super().__init__(declaration, (target.name, target.chain, target.contract), client, sender)
        self._target = target
        self.slot = f"{target.chain}/0x{target.manager.hex()}/{declaration.call}/{target.contract.hex()}"

    @abc.abstractmethod
    def _operation(self, order: LeverOrder, state: Managed) -> tuple[bytes, bytes]:
        """(target, data) of the lift, as the manager knows a call that is scheduled."""

    async def beyond(self) -> Beyond:
        """Each call of the manager, and of the contract through it, that is none of this lever's. ChainError."""
        look, target = Looker(self._client, self._target.chain), self._target
        own = self._sender.account.address
        tried, may = await beyond(look, target.manager, target.contract, own, closes=self.declared.call != CLOSE)
        return Beyond(tried, may)

    async def outstanding(self) -> tuple[str, ...]:
        """All that is scheduled at the manager, by this node or by others. ChainError."""
        return await scheduled(self._client, self._target.chain, self._target.manager)

    async def apply(self, plan: Plan) -> Outcome:
        """As any flag; then what lifts it is scheduled, where lifting takes a delay."""
        outcome = await super().apply(plan)
        return await self._lift_ahead(plan.order, outcome) if outcome.ok else outcome

    async def _lift_ahead(self, order: LeverOrder, outcome: Outcome) -> Outcome:
        try:
            state = await self._read()
            if not state.stands or not state.lift_delay_s:
                return outcome
            past = await self._changes.latest(self._told(state))
            if not past.changes or not past.changes[0].sets:
                return outcome  # somebody else's: there is nothing to lift
            due_s = await self._due_s(order, state) or await self._schedule(order, state)
        except ChainError as broken:
            says = f"{outcome.says}; {LIFT[self.declared.call]} takes a delay and is not scheduled yet: {broken}"
            failed = self._failed(broken)
            return Outcome(False, says, outcome.reference, retryable=failed.retryable, answered=failed.answered)
        return replace(outcome, says=f"{outcome.says}; scheduled: {LIFT[self.declared.call]}, from {due_s} s on")

    async def _due_s(self, order: LeverOrder, state: Managed) -> int:
        """From when the lift that we scheduled may be made, chain's time; 0 where none is, or it ends too early."""
        target, data = self._operation(order, state)
        own, at = self._sender.account.address, self._target.manager
        scheduled = ask_call(at, MANAGER, "getSchedule", (operation_id(own, target, data),))
        lives = ask_call(at, MANAGER, "expiration")
        due_s, lives_s = map(int, await _answers(self._client, self._target, scheduled, lives))
        if not due_s or due_s + lives_s > max(until_s(order), state.chain_s):
            return due_s
        # left from an earlier restriction: it would have run out when this lease ends
        await self._sender.transact(at, MANAGER, "cancel", (own, target, data), WAIT_S)
        return 0

    async def _schedule(self, order: LeverOrder, state: Managed) -> int:
        """As early as it goes: it is made when the lease ends, or when people ask for it. When that is, in seconds."""
        target, data = self._operation(order, state)
        receipt = await self._sender.transact(self._target.manager, MANAGER, "schedule", (target, data, 0), WAIT_S)
        block = await self._client.block(self._target.chain, receipt.block)
        return block.value.timestamp + (state.lift_delay_s or 0)

    async def undo(self, order: LeverOrder) -> Outcome:
        """A lift that takes a delay goes out once it is due: until then it is to be tried again."""
        try:
            waits = await self._waits(order)
        except ChainError as broken:
            return self._failed(broken)
        return waits or await super().undo(order)

    async def _waits(self, order: LeverOrder) -> Outcome | None:
        """None where nothing is to be waited for: nothing of ours stands, or it may be lifted now."""
        if await self._sender.in_flight():
            return Outcome(False, "a transaction of the account is still on its way; looked at again", retryable=True)
        state = await self._read()
        if not state.stands or not state.lift_delay_s:
            return None
        if self._kept(state, await self._changes.latest(self._told(state))) is not None:
            return None
        due_s = await self._due_s(order, state) or await self._schedule(order, state)
        if due_s <= state.chain_s:
            return None
        takes = f"{LIFT[self.declared.call]} takes {state.lift_delay_s} s at the manager, and is scheduled"
        return Outcome(False, f"{takes}: it may be made {due_s - state.chain_s} s from now", retryable=True)

    def _number(self, state: Managed) -> int:
        return int(state.stands)

    def _wanted(self, state: Managed) -> int:
        return 1

    def _closed(self, state: Managed) -> bool:
        return state.stands

    def _too_long(self, order: LeverOrder, state: Managed) -> str:
        """Also a delay that makes it no lever, or keeps it standing past its lease."""
        what, own = self.declared.call, self._sender.account.address.hex()
        if state.do_delay_s:
            role = role_word(state.role)
            takes = f"{DO[what]} takes {state.do_delay_s} s at the manager, after it was announced, for account 0x{own}"
            return f"{takes}: no lever in time; have {role} granted to it without a delay"
        left_s, lift_s = until_s(order) - state.chain_s, state.lift_delay_s or 0
        if lift_s > left_s:
            takes = f"{LIFT[what]} takes {lift_s} s at the manager, and the lease has {left_s}"
            return f"{takes}: it would stand {lift_s - left_s} s too long; ask for a longer one, or a shorter delay"
        return super()._too_long(order, state)

    def _refused(self, reason: str) -> Outcome | None:
        own, at = self._sender.account.address.hex(), self._target.manager.hex()
        role, right = role_missing(reason), right_missing(reason)
        if role:
            says = f"account 0x{own} may not do this: it takes {role} of the manager 0x{at}; have it granted"
            return Outcome(False, says, answered=False)
        if right:
            # the manager let us, and the contract did not let the manager
            says = f"the manager 0x{at} may not do this at the contract: it takes {right} there; have it granted"
            return Outcome(False, says, answered=False)
        if reason.startswith(IN_THIS_MOMENT) or stands_so_already(reason):
            says = "somebody else changed this in this moment; looked at again"
            return Outcome(False, says, retryable=True, answered=False)
        return None


class CloseLever(ManagedLever):
    """`setTargetClosed`: keeps who may call what, and lets nobody."""

    async def _read(self) -> Managed:
        target, own = self._target, self._sender.account.address
        head = (await self._client.block(target.chain)).value
        asks = (
            ask_call(target.manager, MANAGER, "isTargetClosed", (target.contract,)),
            ask_call(target.manager, MANAGER, "hasRole", (ADMIN_ROLE, own)),
            ask_call(target.manager, MANAGER, "getTargetAdminDelay", (target.contract,)),
        )
        shut, (member, own_delay_s), target_delay_s = await _answers(self._client, target, *asks)
        delay_s = max(own_delay_s, target_delay_s) if member else None
        return Managed(bool(shut), delay_s, delay_s, head.number, head.timestamp, shut=bool(shut))

    def _word(self, number: int) -> str:
        return "closed" if number else "open"

    def _told(self, state: Managed) -> Told:
        topics = [SAYS_CLOSED, self._target.contract.rjust(32, b"\0")]
        return Told(self._target.manager, topics, _closings, state.head, state.chain_s)

    def _call(self, state: Managed, number: int) -> Call:
        return Call(self._target.manager, MANAGER, "setTargetClosed", (self._target.contract, bool(number)))

    def _operation(self, order: LeverOrder, state: Managed) -> tuple[bytes, bytes]:
        data = MANAGER.function("setTargetClosed").encode((self._target.contract, False))
        return self._target.manager, data + self._trailer(order, 0, state)


class ManagedPauseLever(ManagedLever):
    """`pause()` by the manager's `execute`: of a contract that asks the manager, and of one that obeys it as its owner
    or pauser. Each function has its own role there, and each role its own delay."""

    async def _read(self) -> Managed:
        target, own = self._target, self._sender.account.address
        head = (await self._client.block(target.chain)).value
        pause, unpause = (PAUSABLE.function(name).selector for name in ("pause", "unpause"))
        asks = (
            ask_call(target.contract, PAUSABLE, "paused"),
            ask_call(target.manager, MANAGER, "isTargetClosed", (target.contract,)),
            *(ask_call(target.manager, MANAGER, "canCall", (own, target.contract, one)) for one in (pause, unpause)),
            *(
                ask_call(target.manager, MANAGER, "getTargetFunctionRole", (target.contract, one))
                for one in (pause, unpause)
            ),
        )
        paused, shut, do, lift, role, lift_role = await _answers(self._client, target, *asks)
        delays = _delay(*do), _delay(*lift)
        return Managed(bool(paused), *delays, head.number, head.timestamp, role, lift_role, bool(shut))

    def _word(self, number: int) -> str:
        return "paused" if number else "not paused"

    def _told(self, state: Managed) -> Told:
        target = self._target
        topics = [SAYS_PAUSED + SAYS_UNPAUSED]
        return Told(target.contract, topics, moves, state.head, state.chain_s, through=target.manager)

    def _call(self, state: Managed, number: int) -> Call:
        data = PAUSABLE.function("pause" if number else "unpause").encode(())
        return Call(self._target.manager, MANAGER, "execute", (self._target.contract, data))

    def _operation(self, order: LeverOrder, state: Managed) -> tuple[bytes, bytes]:
        return self._target.contract, PAUSABLE.function("unpause").encode(())

    async def _unending(self, state: Managed) -> str:
        own = self._sender.account.address
        if state.lift_delay_s is None:
            takes = role_word(state.lift_role)
            return (
                f"account 0x{own.hex()} may pause and not lift: unpause() takes {takes} of the manager; have it granted"
            )
        if state.lift_delay_s:
            return ""  # it is not scheduled, so that it cannot be tried
        call = self._call(state, 0)
        asked = ask_call(call.contract, call.abi, call.fn, call.args, sender=own)
        (said,) = (await self._client.read(self._target.chain, asked)).value
        who = right_missing(said.reason) if isinstance(said, Revert) else ""
        return (
            f"the manager may pause and not lift: unpause() takes {who} of the contract; have it granted" if who else ""
        )

    def _too_long(self, order: LeverOrder, state: Managed) -> str:
        if state.shut:
            return "the contract is closed at the manager: what asks it is shut already, and no pause goes through"
        if state.do_delay_s is None:
            own = self._sender.account.address.hex()
            return f"account 0x{own} may not pause: it takes {role_word(state.role)} of the manager; have it granted"
        return super()._too_long(order, state)

    def _refused(self, reason: str) -> Outcome | None:
        if reason.startswith(UNAUTHORIZED_CALL):
            own = self._sender.account.address.hex()
            says = f"the manager lets account 0x{own} do this no more: its role was taken, or the contract closed there"
            return Outcome(False, says, answered=False)
        return super()._refused(reason)


def _delay(immediate: bool, delay_s: int) -> int | None:
    return 0 if immediate else delay_s or None


async def _answers(client: ChainClient, target: ManagedTarget, *asks: Ask[Any]) -> tuple[Any, ...]:
    found = (await client.read(target.chain, *asks)).value
    for one in found:
        if isinstance(one, Revert):
            where = f"a question to the access manager 0x{target.manager.hex()} or its contract on {target.chain}"
            raise Reverted(one.reason, where)
    return found


def _closings(logs: Sequence[Log]) -> list[tuple[Log, int | None]]:
    return [(log, int(any(log.data)) if len(log.data) == 32 else None) for log in logs]


LEVERS: dict[str, type[CloseLever] | type[ManagedPauseLever]] = {CLOSE: CloseLever, PAUSE: ManagedPauseLever}
