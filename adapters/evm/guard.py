"""A lever that an owner listed in their Guard (`contracts/Guard.vy`), pulled by the owner's own node alone.

The guard keeps the lease, the cooldown and the budget; it ends once anybody calls `lapse`, which this node does, and
whose a flag of the target is it knows. A quorum's certificate needs no lever: `guard_words.pack_act` makes its call."""

from __future__ import annotations

from adapters.api import Beyond, ExpiresBy, LeverDeclaration, LeverOrder, Outcome, Plan
from adapters.declared import Owned
from adapters.evm.client import ChainClient
from adapters.evm.errors import ChainError, NoGas, Reverted
from adapters.evm.guard_state import ABI, CLOSED, OPEN, SHOWN, GuardTarget, Standing, read_standing, refusals
from adapters.evm.levers import CLOCK_SLACK_S, LOOKBACK_BLOCKS, WAIT_S, until_s
from adapters.evm.pausable_abi import right_missing
from adapters.evm.sending import Sender
from adapters.evm.survey.generic import beyond
from adapters.evm.survey.look import STRANGER, Looker
from adapters.evm.wire import ask_logs
from adapters.moment import utc

CALL = "guard.pull"
OWNERS: tuple[tuple[str, str, tuple[object, ...]], ...] = (
    ("give the guard to anybody", "offer(address)", (STRANGER,)),
    ("name the guard's operator", "set_operator(address)", (STRANGER,)),
    ("switch the guard on and off", "switch_on()", ()),
    ("lengthen the guard's delay", "raise_delay(uint256)", (30 * 86_400,)),
)


def declared(said: Owned) -> LeverDeclaration:
    what, read = "the guard makes its listed call, which closes", "as its owner read the target's source"
    return said.declare(CALL, what, read=read, expires_by=ExpiresBy.GUARD)


class GuardLever:
    """Idempotent by action key: it looks before it sends, and the guard takes a repeat as nothing."""

    def __init__(self, target: GuardTarget, declaration: LeverDeclaration, client: ChainClient, sender: Sender) -> None:
        self.declared = declaration
        self._target, self._client, self._sender = target, client, sender
        self.slot = f"{target.chain}/0x{target.contract.hex()}/{target.lever}"

    async def plan(self, order: LeverOrder) -> Plan:
        """Raises nothing: what cannot be read is said in the plan, and found again by simulate."""
        where = f"lever {self._target.lever} of 0x{self._target.contract.hex()}, {self._target.chain}"
        says = f"{CALL} on {self._target.name} ({where}) until {utc(until_s(order))}: {self.declared.says}"
        says += self._sender.way
        try:
            state = await self._read()
        except ChainError as broken:
            return Plan(order, f"{says} (not read yet: {broken})")
        return Plan(order, says, already=_holds(state, order))

    async def simulate(self, plan: Plan) -> Outcome:
        """The very call as an eth_call of the account, whether it can pay, and whether the guard could lift again."""
        try:
            state = await self._read()
            if _holds(state, plan.order):
                return Outcome(True, "the target stands so already", until_ms=plan.order.until_ms)
            fault = self._fault(plan.order, state)
            if not fault and not state.stands:
                fault = await self._target_fault(state)
            if fault:
                return Outcome(False, fault)
            args = self._arguments(plan.order)
            await self._sender.simulate(self._target.contract, ABI, "act_alone", args)
        except ChainError as broken:
            return _failed(broken)
        return Outcome(True, f"the guard would take {CALL} until {utc(until_s(plan.order))}, {_shows(state)}")

    async def apply(self, plan: Plan) -> Outcome:
        """Look, send, wait. Sends nothing where the target stands so already or did once under this key and end."""
        order = plan.order
        try:
            state = await self._read()
            done = await self._done_before(order)
            if _holds(state, order):
                by = f", by our {done}" if done else ""
                return Outcome(True, f"the target stands so already{by}; nothing sent", done, until_ms=order.until_ms)
            if done:
                return Outcome(True, f"done before under this key in {done}; nothing sent", done)
            fault = self._fault(order, state)
            if fault:
                return Outcome(False, fault)
            receipt = await self._transact("act_alone", *self._arguments(order))
        except ChainError as broken:
            return _failed(broken)
        return Outcome(True, f"{CALL} mined in block {receipt[0]}", receipt[1])

    async def read_back(self, order: LeverOrder) -> Outcome:
        """The guard's word for the end, and the target's own for the restriction, where its owner listed a probe."""
        try:
            state = await self._read()
        except ChainError as broken:
            return _failed(broken)
        if _holds(state, order):
            until_ms = order.until_ms if _somebodys(state) else state.held_s * 1000
            return Outcome(True, f"the guard says until {utc(state.held_s)}, {_shows(state)}", until_ms=until_ms)
        until_ms = state.held_s * 1000 if state.stands and state.shows != OPEN else 0
        until = f"until {utc(state.held_s)}" if state.stands else "nothing"
        return Outcome(False, f"the guard says {until}, {_shows(state)}", until_ms=until_ms, retryable=True)

    async def undo(self, order: LeverOrder) -> Outcome:
        """Takes this node's own word back, or ends what is over. A quorum's word and what is not the guard's stay."""
        try:
            if await self._sender.in_flight():
                says = "a transaction of the account is still on its way; looked at again"
                return Outcome(False, says, retryable=True)
            state = await self._read()
            if state.chain_s < state.alone_s:
                sent = await self._transact("release_alone", self._target.lever)
            elif state.ours and not state.stands:
                sent = await self._transact("lapse", self._target.lever)
            else:
                return Outcome(True, f"nothing of this node's stands here, {_held_on(state)}; nothing sent")
            return await self._undone(await self._read(), sent)
        except ChainError as broken:
            return _failed(broken)

    async def _undone(self, state: Standing, sent: tuple[int, str]) -> Outcome:
        block, tx = sent
        if state.ours and not state.stands:
            _, why = await refusals(self._client, self._target.chain, state)
            says = f"the target refuses to be lifted: {self._missing(why, state) or why or 'asked again, it would not'}"
            return Outcome(False, says, tx, retryable=True)
        return Outcome(True, f"ended in block {block}, {_held_on(state)}", tx)

    async def beyond(self) -> Beyond:
        """What its account could do as more than the operator, at the guard and at the target. ChainError."""
        own, target = self._sender.account.address, (await self._read()).listing.target
        look = Looker(self._client, self._target.chain)
        rows = (*OWNERS, ("open what a quorum closed", "release(uint256)", (self._target.lever,)))
        may = []
        for says, call, args in rows:
            mine, stranger = await look.tries(self._target.contract, call, args, own, STRANGER)
            if not mine and stranger:
                may.append(says)
        tried, also = await beyond(look, target, own)
        return Beyond(tried + len(rows), (*may, *also))

    async def _read(self) -> Standing:
        return await read_standing(self._client, self._target)

    async def _transact(self, name: str, *args: object) -> tuple[int, str]:
        receipt = await self._sender.transact(self._target.contract, ABI, name, args, WAIT_S)
        return receipt.block, "0x" + receipt.tx.hex()

    def _arguments(self, order: LeverOrder) -> tuple[object, ...]:
        return self._target.lever, until_s(order), order.action_key

    def _fault(self, order: LeverOrder, state: Standing) -> str:
        fault = state.fault(self._sender.account.address)
        if fault:
            return fault
        longest_s = self.declared.max_ms // 1000 + CLOCK_SLACK_S
        lease_s = state.listing.alone_lease_s
        if longest_s > lease_s:
            # the guard would cut the end, and this node would take what it asked for as not done
            room = f"max is {self.declared.max_ms // 1000} s: write {lease_s - CLOCK_SLACK_S} s or less"
            return f"the guard lets this node act for {lease_s} s, and {room}"
        most_s = min(state.most_s, state.chain_s + longest_s)
        if until_s(order) > most_s:
            return (
                f"asked until {utc(until_s(order))}, and lease and budget of the guard go no further than {utc(most_s)}"
            )
        return ""

    async def _target_fault(self, state: Standing) -> str:
        """What is missing for the guard itself. Roles are checked before flags, so that a lift is tried before there is
        anything to lift."""
        restrict, lift = await refusals(self._client, self._target.chain, state)
        if restrict and state.shows != CLOSED:
            return f"the target refuses the guard: {self._missing(restrict, state) or restrict}"
        unending = self._missing(lift, state)
        return f"the guard could restrict and not lift: {unending}" if unending else ""

    def _missing(self, reason: str, state: Standing) -> str:
        who = right_missing(reason)
        return f"it takes {who} of 0x{state.listing.target.hex()}; have 0x{state.caller.hex()} get it" if who else ""

    async def _done_before(self, order: LeverOrder) -> str:
        """The transaction that restricted under this key to this end, "" where none did: a key never acts twice."""
        head = (await self._client.block(self._target.chain)).value.number
        event = ABI.event("Restricted")
        topics = [event.topic, self._target.lever.to_bytes(32, "big"), (1).to_bytes(32, "big"), order.action_key]
        asked = ask_logs(self._target.contract, topics, max(0, head - LOOKBACK_BLOCKS), head)
        for log in (await self._client.read(self._target.chain, asked)).value[0]:
            fields = event.decode(log.topics, log.data)
            if fields and fields["until"] >= until_s(order):
                return f"0x{log.tx.hex()}"
        return ""


def _somebodys(state: Standing) -> bool:
    """Restricted by somebody else, who has to lift it."""
    return state.shows == CLOSED and not state.ours


def _holds(state: Standing, order: LeverOrder) -> bool:
    """Whether it stands as ordered, by whoever's word; what a person lifted does not, whatever the guard says."""
    held = state.stands and state.held_s >= until_s(order) and state.shows != OPEN
    return held or _somebodys(state)


def _shows(state: Standing) -> str:
    by = " by somebody else" if _somebodys(state) else ""
    return f"and the target shows {SHOWN[state.shows]}{by}"


def _held_on(state: Standing) -> str:
    if state.chain_s < state.quorum_s:
        return f"a quorum's word holds it until {utc(state.quorum_s)}"
    return "somebody else's restriction stays" if _somebodys(state) else "and nothing holds it"


def _failed(broken: ChainError) -> Outcome:
    """What the contract refuses or nobody pays for stays so until somebody acts; the rest may pass by itself."""
    return Outcome(False, str(broken), retryable=not isinstance(broken, Reverted | NoGas), answered=False)
