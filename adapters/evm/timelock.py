"""Cancelling what waits in an OpenZeppelin TimelockController (v4 and v5): people only.

A timelock restricts nothing in time, but its canceller can stop what somebody has scheduled. That cannot be undone:
whoever may propose it has to schedule it again and wait its whole delay. So it is declared irreversible, and no rule
may pull it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from adapters.api import Beyond, ExpiresBy, LeverDeclaration, LeverOrder, Outcome, Plan
from adapters.declared import Owned
from adapters.evm.abi import keccak256
from adapters.evm.changes import Changes, Told
from adapters.evm.client import ChainClient
from adapters.evm.errors import ChainError, NoGas, Reverted
from adapters.evm.levers import CLOCK_SLACK_S, WAIT_S, until_s
from adapters.evm.pausable_abi import right_missing
from adapters.evm.sending import Sender
from adapters.evm.survey.fragments import fragment
from adapters.evm.survey.holders import DEFAULT_ADMIN
from adapters.evm.survey.look import STRANGER, Looker
from adapters.evm.survey.queue import LOCK, SCHEDULED, Operation, logs_back, pending
from adapters.evm.trailer import Trailer
from adapters.evm.wire import Log, Revert, ask_call
from protocol.ids import ActionKey

CALL = "timelock.cancel"
ANY = "any"
PLANNED_MAX = 256
WHENEVER = 2**63
CANCELLED = keccak256(b"Cancelled(bytes32)")
CANCELLER = keccak256(b"CANCELLER_ROLE")
_CALLS = re.compile(r"0x([0-9a-fA-F]{40}) ([A-Za-z_$][\w$]{0,63}\([a-z0-9,()\[\]]{0,400}\))\Z")


@dataclass(frozen=True)
class LockTarget:
    """`calls`: (contract, selector) of what is cancelled wherever an operation has one of them; empty: any."""

    name: str
    chain: str
    contract: bytes
    calls: frozenset[tuple[bytes, bytes]]

    def means(self, one: Operation) -> bool:
        return not self.calls or any((call.target, call.data[:4]) in self.calls for call in one.calls)


def call_of(text: str) -> tuple[bytes, bytes]:
    """`0x… upgradeTo(address)` → (contract, selector). ValueError says what is wrong."""
    found = _CALLS.match(text)
    if found is None:
        raise ValueError('must be a contract and a function with its types, 0x… upgradeTo(address), or "any" alone')
    abi, name = fragment(found[2])
    return bytes.fromhex(found[1]), abi.function(name).selector


def declared(said: Owned) -> LeverDeclaration:
    what, read = "what waits in the timelock with one of the listed calls is cancelled:", "as its owner says"
    ends = "that cannot be undone, it has to be scheduled again with its whole delay; it hinders nobody from doing so"
    return said.declare(CALL, what, read=read, expires_by=ExpiresBy.HUMAN, ends=ends, reversible=False)


class CancelLever:
    """Idempotent by action key: the trailers of our cancellations say which key cancelled what, and up to which block
    it was looked. What is scheduled after a plan is not meant by its key: nobody has seen it, and it is for good."""

    def __init__(self, target: LockTarget, declaration: LeverDeclaration, client: ChainClient, sender: Sender) -> None:
        self.declared = declaration
        self._target, self._client, self._sender = target, client, sender
        self._changes = Changes(client, target.chain, sender.account.address)
        self._planned: dict[ActionKey, int] = {}
        self.slot = f"{target.chain}/0x{target.contract.hex()}/cancel"

    async def plan(self, order: LeverOrder) -> Plan:
        """Raises nothing: what cannot be read is said in the plan, and found again by simulate."""
        target = self._target
        says = f"{CALL} on {target.name} (0x{target.contract.hex()}, {target.chain}), for good{self._sender.way}"
        try:
            last = (await self._client.block(target.chain)).value.number
            meant = await self._meant(self._keep(order.action_key, last))
        except ChainError as broken:
            return Plan(order, f"{says} (not read yet: {broken}): {self.declared.says}")
        queued = "; ".join(one.says for one in meant) or "nothing that is listed waits there now"
        return Plan(order, f"{says}: {queued}", already=not meant)

    async def simulate(self, plan: Plan) -> Outcome:
        """The role, and each cancellation as an eth_call of the account."""
        target, own = self._target, self._sender.account.address
        try:
            asked = ask_call(target.contract, LOCK, "hasRole", (CANCELLER, own))
            (may,) = (await self._client.read(target.chain, asked)).value
            if isinstance(may, Revert):
                raise Reverted(may.reason, f"hasRole of 0x{target.contract.hex()} on {target.chain}")
            if not may:
                says = f"account 0x{own.hex()} may not cancel: it takes CANCELLER_ROLE of the timelock; have it granted"
                return Outcome(False, says, answered=False)
            _, last = await self._done(plan.order)
            meant = await self._meant(last)
            for one in meant:
                await self._sender.simulate(target.contract, LOCK, "cancel", (one.id,), self._trailer(plan.order, last))
        except ChainError as broken:
            return _failed(broken)
        return Outcome(True, f"the timelock would cancel {len(meant)} operations; it is for good")

    async def apply(self, plan: Plan) -> Outcome:
        """One after another, but for those that this key cancelled before, whoever has scheduled them again since."""
        try:
            done, last = await self._done(plan.order)
            sent = []
            for one in await self._meant(last):
                if one.id not in done:  # a provider may still show what was cancelled a moment ago
                    args, trailer = (one.id,), self._trailer(plan.order, last)
                    receipt = await self._sender.transact(
                        self._target.contract, LOCK, "cancel", args, WAIT_S, trailer=trailer
                    )
                    sent.append((one, "0x" + receipt.tx.hex()))
        except ChainError as broken:
            return _failed(broken)
        if not sent:
            before = f", {len(done)} of them before under this key" if done else ""
            return Outcome(True, f"nothing to cancel{before}; nothing sent", next(iter(done.values()), ""))
        return Outcome(True, "cancelled for good: " + "; ".join(one.says for one, _ in sent), sent[0][1])

    async def read_back(self, order: LeverOrder) -> Outcome:
        """ok where nothing waits that this key means. Nothing stands that would have to end: 0."""
        try:
            done, last = await self._done(order)
            listed = await self._meant(WHENEVER)
        except ChainError as broken:
            return _failed(broken)
        waits = [one for one in listed if one.block <= last and one.id not in done]
        if waits:
            return Outcome(False, f"still waits: {'; '.join(one.says for one in waits)}", retryable=True)
        since = "; ".join(one.says for one in listed)
        return Outcome(
            True, f"scheduled since, and left to another order: {since}" if since else "nothing listed waits"
        )

    async def undo(self, order: LeverOrder) -> Outcome:
        return Outcome(True, "what was cancelled stays so: its proposers have to schedule it again; nothing sent")

    async def beyond(self) -> Beyond:
        """Proposers may cancel too, by OpenZeppelin's constructor: this says whether the key is one. ChainError."""
        look, lock, own = Looker(self._client, self._target.chain), self._target.contract, self._sender.account.address
        year_s = 365 * 86_400
        once = (STRANGER, 0, b"", bytes(32), keccak256(b"tocsin"), year_s)
        rows = [
            ("schedule anything", "schedule(address,uint256,bytes,bytes32,bytes32,uint256)", once),
            ("give anybody any of its roles", "grantRole(bytes32,address)", (DEFAULT_ADMIN, STRANGER)),
            ("change its delay", "updateDelay(uint256)", (0,)),
        ]
        said = [await look.tries(lock, call, args, own, STRANGER) for _, call, args in rows]
        return Beyond(len(rows), tuple(row[0] for row, (mine, strangers) in zip(rows, said) if strangers and not mine))

    async def outstanding(self) -> tuple[str, ...]:
        """All that waits in the timelock, listed or not. ChainError."""
        return tuple(f"waits in the timelock: {one.says}" for one in await self._waiting())

    def _keep(self, key: ActionKey, last: int) -> int:
        """Up to which block this key was first planned."""
        while len(self._planned) >= PLANNED_MAX:
            self._planned.pop(next(iter(self._planned)))
        return self._planned.setdefault(key, last)

    async def _meant(self, last: int) -> list[Operation]:
        """`last`: the block up to which an operation may have been scheduled."""
        return [one for one in await self._waiting() if self._target.means(one) and one.block <= last]

    async def _waiting(self) -> tuple[Operation, ...]:
        """As far back as is looked: what waits longer is not found. ChainError."""
        target = self._target
        logs = await logs_back(self._client, target.chain, target.contract, SCHEDULED.topic)
        return await pending(self._client, target.chain, logs)

    async def _done(self, order: LeverOrder) -> tuple[dict[bytes, str], int]:
        """Operation → our transaction that cancelled it under this key; and up to which block the key means any: none
        where this process has not planned it, and it has left no trace."""
        head = (await self._client.block(self._target.chain)).value
        told = Told(self._target.contract, [CANCELLED], _cancelled, head.number, head.timestamp)
        since_s = until_s(order) - self.declared.max_ms // 1000 - CLOCK_SLACK_S
        found, last = {}, self._planned.get(order.action_key, 0)
        for one in await self._changes.since(told, since_s):
            if one.trailer is not None and one.trailer.key == order.action_key:
                found[one.number.to_bytes(32, "big")] = f"0x{one.tx.hex()}"
                last = one.trailer.before
        return found, last

    def _trailer(self, order: LeverOrder, last: int) -> bytes:
        return Trailer(order.action_key, until_s(order), order.by_human, last).pack()


def _cancelled(logs: Sequence[Log]) -> list[tuple[Log, int | None]]:
    return [(log, int.from_bytes(log.topics[1], "big")) for log in logs if len(log.topics) == 2]


def _failed(broken: ChainError) -> Outcome:
    if not isinstance(broken, Reverted):
        return Outcome(False, str(broken), retryable=not isinstance(broken, NoGas), answered=False)
    who = right_missing(broken.reason)
    return Outcome(False, f"it takes {who} of the timelock; have it granted" if who else str(broken), answered=False)
