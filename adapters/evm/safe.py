"""Listed calls that a k-of-n Safe makes once its owners have signed them: proposed by this node, sent by it when enough
signatures lie in its inbox, and discarded when they come too late.

Nothing is signed here, and nothing ahead of its time. A lift needs the owners too: `expires_by = human`."""

from __future__ import annotations

from collections.abc import Callable

import trio

from adapters.api import Beyond, ExpiresBy, LeverDeclaration, LeverOrder, Outcome, Plan
from adapters.declared import Owned
from adapters.evm.client import ChainClient
from adapters.evm.errors import ChainError, NoGas, Reverted
from adapters.evm.levers import CLOCK_SLACK_S, WAIT_S, misfit, until_s
from adapters.evm.safe_council import SAFE, Council, SafeReader, SafeTarget
from adapters.evm.safe_desk import Desk, in_thread
from adapters.evm.safe_files import FileFault, Proposal
from adapters.evm.safe_inbox import Held, Inbox
from adapters.evm.sending import Sender
from adapters.evm.survey.look import STRANGER, Looker
from adapters.evm.trailer import Trailer
from adapters.moment import utc
from protocol.ids import ActionKey

CALL = "safe.propose"
WATCH_S = 12.0
"""One `apply` waits that long for signatures; it is tried again, and people are called."""
POLL_S = 0.25
LIFT_S = 24 * 3_600
"""A proposal to lift is of no use after that: another one is made when somebody asks again."""


def declared(said: Owned) -> LeverDeclaration:
    what = "a Safe makes the listed calls once enough of its owners have signed them, and nothing happens before; that"
    ends = "lifting it takes as many signatures"
    read = "as its owner read its source"
    return said.declare(CALL, f"{what} closes", read=read, expires_by=ExpiresBy.HUMAN, ends=ends)


class SafeLever:
    """Idempotent by action key: a proposal bears the Safe's nonce, and what this node sends a trailer with the key."""

    def __init__(
        self,
        target: SafeTarget,
        declaration: LeverDeclaration,
        client: ChainClient,
        sender: Sender,
        desk: tuple[Inbox, Callable[[str], None]],
        watch_s: float = WATCH_S,
    ) -> None:
        """`desk`: where proposals and signatures lie, and what tells people."""
        self.declared = declaration
        self._target, self._client, self._sender, self._watch_s = target, client, sender, watch_s
        self._reader = SafeReader(target, client, sender.account.address)
        self._desk = Desk(target, self._reader, *desk)
        self.slot = f"{target.chain}/0x{target.contract.hex()}/{target.shows.view.text}"

    async def plan(self, order: LeverOrder) -> Plan:
        """Raises nothing: what cannot be read is said in the plan, and found again by simulate."""
        target = self._target
        calls = "; ".join(one.text for one in target.restrict)
        where = f"{CALL} on {target.name} (Safe 0x{target.contract.hex()}, {target.chain})"
        says = f"{where} until {utc(until_s(order))}: {calls}; signed in {self._desk.inbox.path}. {self.declared.says}"
        try:
            state = await self._reader.council()
        except ChainError as broken:
            return Plan(order, f"{says} (not read yet: {broken})")
        return Plan(order, f"{says}; now {state.threshold} of {len(state.owners)} owners", already=state.stands)

    async def simulate(self, plan: Plan) -> Outcome:
        """Each listed call as an eth_call of the Safe; its owners' part cannot be tried."""
        order = plan.order
        try:
            await in_thread(self._desk.inbox.ready)
            state = await self._reader.council()
            if state.stands:
                return Outcome(True, "the target stands so already", until_ms=order.until_ms)
            fault = self._too_long(order, state) or await self._reader.comes_to_nothing(self._sender.account.address)
            how = _by_approval(await self._reader.contracts(state.owners))
        except (ChainError, FileFault) as broken:
            return _failed(broken)
        if fault:
            return Outcome(False, fault)
        needs = f"{state.threshold} of {len(state.owners)} owners must sign first, and nothing happens before"
        return Outcome(True, f"the target would take these calls from the Safe; {needs}{how}")

    async def apply(self, plan: Plan) -> Outcome:
        """Proposes, waits a while for signatures, sends when there are enough. To be tried again until they are."""
        order = plan.order
        try:
            state, held = await self._desk.look()
            done = await self._done_before(order, state, held)
            if state.stands:
                says = f"the target stands so already{f', by our {done}' if done else ''}; nothing proposed"
                return Outcome(True, says, done, until_ms=order.until_ms)
            if done:
                return Outcome(True, f"done before under this key in {done}; nothing proposed", done)
            fault = self._too_long(order, state)
            if fault:
                return Outcome(False, fault)
            return await self._gathered(order, "restrict", until_s(order))
        except (ChainError, FileFault) as broken:
            return _failed(broken)

    async def read_back(self, order: LeverOrder) -> Outcome:
        """`until_ms` is the order's: the target knows no end, and only its owners bring it."""
        try:
            state, _ = await self._desk.look()
        except (ChainError, FileFault) as broken:
            return _failed(broken)
        if state.stands:
            says = f"the target shows it; {state.threshold} of {len(state.owners)} owners must sign to lift it"
            return Outcome(True, says, until_ms=order.until_ms)
        return Outcome(False, "the target shows no restriction", retryable=True)

    async def undo(self, order: LeverOrder) -> Outcome:
        """Proposes the lift of what the owners did under this key; who would not have it lifted does not sign."""
        try:
            state, held = await self._desk.look()
            key = order.action_key
            if await self._desk.drop(state, held, lambda one: (one.key, one.does) == (key, "restrict")):
                state, held = await self._desk.look()
            if not state.stands:
                return Outcome(True, "the target shows no restriction; nothing proposed")
            if not await self._done_before(order, state, held):
                return Outcome(True, "left alone: it stands, and not by this key; nothing proposed")
            return await self._gathered(order, "lift", state.chain_s + LIFT_S)
        except (ChainError, FileFault) as broken:
            return _failed(broken)

    async def beyond(self) -> Beyond:
        """What the node's account could do at the Safe besides. ChainError."""
        look, own = Looker(self._client, self._target.chain), self._sender.account.address
        state, call = await self._reader.council(), "execTransactionFromModule(address,uint256,bytes,uint8) bool"
        mine, strangers = await look.tries(self._target.contract, call, (STRANGER, 0, b"", 0), own, STRANGER)
        may = ["make the Safe do anything, as its module"] if strangers and not mine else []
        if own in state.owners:
            how = "alone" if state.threshold == 1 else f"as one of the {state.threshold} who must"
            may.append(f"sign anything for the Safe, {how}")
        return Beyond(2, tuple(may))

    async def outstanding(self) -> tuple[str, ...]:
        """What owners have signed and could still be executed, as far as this node knows; clears nothing away.
        ChainError, FileFault."""
        return self._desk.outstanding(await self._reader.council(), await in_thread(self._desk.inbox.read))

    async def _gathered(self, order: LeverOrder, does: str, use_s: int) -> Outcome:
        """The proposal at the Safe's nonce now, and its execution where enough have signed within the watch."""
        give_up = trio.current_time() + self._watch_s
        while True:
            state, held = await self._desk.look()
            tx = self._target.tx(does, state.nonce)
            one = await self._desk.proposed(Proposal(tx, order.action_key, order.lever, does, use_s), held)
            words = await self._desk.words(one, state, held)
            if len(words) >= state.threshold:
                return await self._execute(one, order, state, words)
            if trio.current_time() >= give_up:
                contracts = await self._reader.contracts([owner for owner in state.owners if owner not in words])
                return self._waits(one, state, words, held, _by_approval(contracts))
            await trio.sleep(POLL_S)

    async def _execute(self, one: Proposal, order: LeverOrder, state: Council, words: dict[bytes, bytes]) -> Outcome:
        owners = sorted(words)[: state.threshold]  # the Safe wants them in the order of their addresses
        args = [*list(one.tx.values.values())[:-1], b"".join(words[owner] for owner in owners)]
        end_s = until_s(order) if one.does == "restrict" else 0
        trailer = Trailer(ActionKey(one.key), end_s, order.by_human, int(state.stands)).pack()
        safe = self._target.contract
        await self._sender.simulate(safe, SAFE, "execTransaction", args, trailer)
        receipt = await self._sender.transact(safe, SAFE, "execTransaction", args, WAIT_S, trailer=trailer)
        await self._desk.clear(one)
        by = ", ".join(f"0x{owner.hex()}" for owner in owners)
        return Outcome(True, f"signed by {by}: to {one.does}, mined in block {receipt.block}", "0x" + receipt.tx.hex())

    def _waits(self, one: Proposal, state: Council, words: dict[bytes, bytes], held: Held, how: str) -> Outcome:
        silent = ", ".join(f"0x{owner.hex()}" for owner in state.owners if owner not in words)
        has = f"{len(words)} of {state.threshold} owners have signed {self._desk.inbox.path / one.name}"
        strange = f"; not taken: {'; '.join(held.faults)}"[:300] if held.faults else ""
        must = f"{state.threshold - len(words)} more of {silent} must{how}"
        return Outcome(False, f"{has}; {must}{strange}", retryable=True)

    async def _done_before(self, order: LeverOrder, state: Council, held: Held) -> str:
        """The transaction that restricted under this key, "" where none did; sent by this node, or by an owner."""
        since_s = until_s(order) - self.declared.max_ms // 1000 - CLOCK_SLACK_S
        return self._desk.done(held, order.action_key) or await self._reader.ours(state, order.action_key, since_s)

    def _too_long(self, order: LeverOrder, state: Council) -> str:
        return misfit(order, self.declared, state.chain_s)


def _by_approval(contracts: tuple[bytes, ...]) -> str:
    """EIP-1271: what a contract answers to a signature it may answer otherwise once the Safe asks."""
    named = ", ".join(f"0x{owner.hex()}" for owner in contracts)
    says = "signs no file: it counts once it has called approveHash of the Safe"
    return f"; the owner {named} is a contract and {says}" if named else ""


def _failed(broken: ChainError | FileFault) -> Outcome:
    if isinstance(broken, FileFault):
        return Outcome(False, str(broken), answered=False)
    lasting = isinstance(broken, Reverted | NoGas)
    return Outcome(False, str(broken), retryable=not lasting, answered=False)
