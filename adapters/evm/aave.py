"""Levers on a market of Aave v3. The target keeps flags only, so this node ends what it restricts, and what it needs to
know of its own doing stands in its transactions (`trailer`): idempotent by key, and lifting nothing of anybody else."""

from __future__ import annotations

from adapters.api import Beyond, LeverOrder, Outcome, Plan
from adapters.evm.aave_abi import CONFIGURATOR, right_missing, stands_so_already
from adapters.evm.aave_history import Change, History, Past
from adapters.evm.aave_reserve import AaveTarget, Reserve, Reserves
from adapters.evm.aave_rows import AAVE_ROWS, AaveRow
from adapters.evm.client import ChainClient
from adapters.evm.errors import ChainError, NoGas, Reverted
from adapters.evm.levers import CLOCK_SLACK_S, WAIT_S, until_s
from adapters.evm.sending import Sender
from adapters.evm.survey.aave import beyond
from adapters.evm.survey.look import Looker
from adapters.evm.trailer import Trailer


class AaveLever:
    """One row on one reserve."""

    def __init__(self, row: AaveRow, target: AaveTarget, client: ChainClient, sender: Sender) -> None:
        self.declared = row.declared
        self._row, self._target, self._client, self._sender = row, target, client, sender
        self._reserves = Reserves(client, target)
        self._history = History(client, target, row, sender.account.address)
        self.slot = f"{target.chain}/0x{target.pool.hex()}/{row.fn}/{target.asset.hex()}"

    async def plan(self, order: LeverOrder) -> Plan:
        """Raises nothing: what cannot be read is said in the plan, and found again by simulate."""
        what = f"{self.declared.call} on {self._target.name} (0x{self._target.pool.hex()}, {self._target.chain})"
        says = f"{what} until {until_s(order)} s, lifted by this node: {self.declared.says}"
        try:
            already = await self._stands(await self._reserves.read())
        except ChainError as broken:
            return Plan(order, f"{says} (not read yet: {broken})")
        return Plan(order, says, already=already)

    async def simulate(self, plan: Plan) -> Outcome:
        """The very call as an eth_call of the account, and whether it can pay for it; a missing right by its name."""
        order = plan.order
        try:
            reserve = await self._reserves.read()
            if await self._stands(reserve):
                return Outcome(True, "the target stands so already", until_ms=order.until_ms)
            fault = self._too_long(order, reserve)
            if fault:
                return Outcome(False, fault)
            number = self._row.wanted(reserve)
            args = self._row.arguments(reserve, self._target.asset, number)
            trailer = self._trailer(order, until_s(order), reserve)
            await self._sender.simulate(reserve.configurator, CONFIGURATOR, self._row.fn, args, trailer)
        except ChainError as broken:
            return self._failed(broken)
        return Outcome(True, f"the target would take {self.declared.call}: {self._row.stands(reserve)} to {number}")

    async def apply(self, plan: Plan) -> Outcome:
        """Look, send, wait. Sends nothing where the target stands so already or did once under this key and end."""
        order = plan.order
        try:
            reserve = await self._reserves.read()
            if await self._stands(reserve):
                return await self._stands_already(order, reserve)
            fault = self._too_long(order, reserve)
            if fault:
                return Outcome(False, fault)
            done = await self._done_before(order, reserve)
            if done:
                return Outcome(True, f"done before under this key in {done}; nothing sent", done)
            trailer = self._trailer(order, until_s(order), reserve)
            return await self._send(reserve, self._row.wanted(reserve), trailer, f"{self.declared.call} mined")
        except ChainError as broken:
            return self._failed(broken)

    async def read_back(self, order: LeverOrder) -> Outcome:
        """`until_ms` is the order's: the target knows no end, this node brings it."""
        try:
            reserve = await self._reserves.read()
            if await self._stands(reserve):
                shows = f"the target shows it, at {self._row.stands(reserve)}"
                return Outcome(True, f"{shows}; this node lifts it", until_ms=order.until_ms)
            past = await self._history.latest(reserve)
        except ChainError as broken:
            return self._failed(broken)
        newest = past.changes[0] if past.changes else None
        by = f", since 0x{newest.tx.hex()} of {newest.who}" if newest else ""
        return Outcome(False, f"the target shows no restriction{by}", retryable=True)

    async def undo(self, order: LeverOrder) -> Outcome:
        """Lifts what the newest change set, where that is ours; what somebody else did since is left alone and told."""
        try:
            if await self._sender.in_flight():
                return Outcome(
                    False, "a transaction of the account is still on its way; looked at again", retryable=True
                )
            reserve = await self._reserves.read()
            past = await self._history.latest(reserve)
            kept = self._kept(reserve, past)
            if kept is not None:
                return kept
            (newest, *_), number = past.changes, self._row.stands(reserve)
            if newest.trailer is None or number != newest.number:
                says = f"the target shows {number} and its last change {newest.number}; looked at again"
                return Outcome(False, says, retryable=True)
            return await self._send(reserve, newest.trailer.before, self._trailer(order, 0, reserve), "lifted")
        except ChainError as broken:
            return self._failed(broken)

    async def beyond(self) -> Beyond:
        """What else its account could do to the market, each call tried as it. ChainError."""
        look = Looker(self._client, self._target.chain)
        tried, may = await beyond(look, self._target.pool, self._target.asset, self._sender.account.address)
        return Beyond(tried, may)

    def _kept(self, reserve: Reserve, past: Past) -> Outcome | None:
        """Why nothing is to be lifted, None where something of ours stands."""
        closed = self._row.closed(reserve)
        if not past.changes:
            if past.whole or not closed:
                return Outcome(True, "nothing of ours stands here; nothing sent")
            return Outcome(
                False, "it stands, and who set it lies further back than is looked: look and lift it by hand"
            )
        newest, *older = past.changes
        if newest.trailer is None:
            says = f"left alone: 0x{newest.tx.hex()} of {newest.who} came last, and set {newest.number}; nothing sent"
            return Outcome(True, says)
        if not newest.sets:
            return Outcome(True, f"lifted before in 0x{newest.tx.hex()}; nothing sent", f"0x{newest.tx.hex()}")
        return self._overtaken(reserve, newest, older[0]) if older else None

    def _overtaken(self, reserve: Reserve, newest: Change, other: Change) -> Outcome | None:
        """Somebody moved the number between our look and our transaction: what we would put back is not what stood."""
        if reserve.freeze_moves_ltv and self._row.field == "ltv":
            return None  # while it is frozen its events say zero, whatever comes back
        if newest.trailer is None or other.number == newest.trailer.before:
            return None
        said = f"0x{other.tx.hex()} of {other.who} set {other.number} just before ours"
        if other.number == newest.number:
            return Outcome(True, f"left alone: {said}; nothing sent")
        return Outcome(False, f"{said}, which found {newest.trailer.before} when it looked: set it back by hand")

    async def _stands(self, reserve: Reserve) -> bool:
        if self._row.closed(reserve):
            return True
        if self._row.field != "cap" or not reserve.terms.borrow_cap:
            return False
        # repaying makes room below a cap: one that we set stands all the same, and a renewal does not move it
        past = await self._history.latest(reserve)
        return bool(past.changes) and past.changes[0].sets and past.changes[0].number == reserve.terms.borrow_cap

    async def _stands_already(self, order: LeverOrder, reserve: Reserve) -> Outcome:
        """By our own transaction, where the node died between sending and its journal: then it is named."""
        try:
            tx = await self._done_before(order, reserve)
        except ChainError:  # the name is for the journal; the restriction stands all the same
            tx = ""
        says = f"the target stands so already, by our {tx}" if tx else "the target stands so already"
        return Outcome(True, f"{says}; nothing sent", tx, until_ms=order.until_ms)

    async def _done_before(self, order: LeverOrder, reserve: Reserve) -> str:
        """The transaction that restricted under this key to this end, "" where none did: a key never acts twice, even
        where a person has lifted it since. None can be older than the longest lease before that end."""
        since_s = until_s(order) - self.declared.max_ms // 1000 - CLOCK_SLACK_S
        for change in await self._history.since(reserve, since_s):
            said = change.trailer
            same = said is not None and (said.key, said.by_human) == (order.action_key, order.by_human)
            if said is not None and same and said.until_s >= until_s(order):
                return f"0x{change.tx.hex()}"
        return ""

    def _trailer(self, order: LeverOrder, end_s: int, reserve: Reserve) -> bytes:
        return Trailer(order.action_key, end_s, order.by_human, self._row.stands(reserve)).pack()

    async def _send(self, reserve: Reserve, number: int, trailer: bytes, done: str) -> Outcome:
        args = self._row.arguments(reserve, self._target.asset, number)
        receipt = await self._sender.transact(
            reserve.configurator, CONFIGURATOR, self._row.fn, args, WAIT_S, trailer=trailer
        )
        return Outcome(True, f"{done} in block {receipt.block}: now {number}", "0x" + receipt.tx.hex())

    def _too_long(self, order: LeverOrder, reserve: Reserve) -> str:
        longest_s = reserve.chain_s + self.declared.max_ms // 1000 + CLOCK_SLACK_S
        if until_s(order) <= longest_s:
            return ""
        return (
            f"asked until {until_s(order)} s, and {self.declared.call} goes no further than {longest_s} s: shorten it"
        )

    def _failed(self, broken: ChainError) -> Outcome:
        """What the contract refuses or nobody pays for stays so until somebody acts; the rest may pass by itself."""
        if not isinstance(broken, Reverted):
            return Outcome(False, str(broken), retryable=not isinstance(broken, NoGas), answered=False)
        who = right_missing(broken.reason)
        if who:
            own = self._sender.account.address.hex()
            says = f"account 0x{own} may not {self._row.fn}: it takes {who} of the market's ACLManager; have it granted"
            return Outcome(False, says, answered=False)
        if stands_so_already(broken.reason):
            says = "somebody else froze or freed it in this moment; looked at again"
            return Outcome(False, says, retryable=True, answered=False)
        return Outcome(False, str(broken), answered=False)


def aave_levers(target: AaveTarget, client: ChainClient, sender: Sender) -> dict[str, AaveLever]:
    """Every row on this reserve, by call."""
    return {row.declared.call: AaveLever(row, target, client, sender) for row in AAVE_ROWS}
