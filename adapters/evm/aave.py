"""Levers on a market of Aave v3: rows of `aave_rows` on one reserve, as `flag_lever` does it."""

from __future__ import annotations

from adapters.api import Beyond, Outcome
from adapters.evm.aave_abi import CONFIGURATOR, right_missing, stands_so_already
from adapters.evm.aave_history import told
from adapters.evm.aave_reserve import AaveTarget, Reserve, Reserves
from adapters.evm.aave_rows import AAVE_ROWS, AaveRow
from adapters.evm.changes import Change, Told
from adapters.evm.client import ChainClient
from adapters.evm.flag_lever import Call, FlagLever
from adapters.evm.sending import Sender
from adapters.evm.survey.aave import beyond
from adapters.evm.survey.look import Looker


class AaveLever(FlagLever[Reserve]):
    """One row on one reserve."""

    def __init__(self, row: AaveRow, target: AaveTarget, client: ChainClient, sender: Sender) -> None:
        super().__init__(row.declared, (target.name, target.chain, target.pool), client, sender)
        self._row, self._target = row, target
        self._reserves = Reserves(client, target)
        self.slot = f"{target.chain}/0x{target.pool.hex()}/{row.fn}/{target.asset.hex()}"

    async def beyond(self) -> Beyond:
        look = Looker(self._client, self._target.chain)
        tried, may = await beyond(look, self._target.pool, self._target.asset, self._sender.account.address)
        return Beyond(tried, may)

    async def _read(self) -> Reserve:
        return await self._reserves.read()

    def _number(self, state: Reserve) -> int:
        return self._row.stands(state)

    def _wanted(self, state: Reserve) -> int:
        return self._row.wanted(state)

    def _closed(self, state: Reserve) -> bool:
        return self._row.closed(state)

    def _told(self, state: Reserve) -> Told:
        return told(self._target, self._row, state)

    def _call(self, state: Reserve, number: int) -> Call:
        args = self._row.arguments(state, self._target.asset, number)
        return Call(state.configurator, CONFIGURATOR, self._row.fn, args)

    async def _stands(self, state: Reserve) -> bool:
        if self._row.closed(state):
            return True
        if self._row.field != "cap" or not state.terms.borrow_cap:
            return False
        # repaying makes room below a cap: one that we set stands all the same, and a renewal does not move it
        past = await self._changes.latest(self._told(state))
        return bool(past.changes) and past.changes[0].sets and past.changes[0].number == state.terms.borrow_cap

    def _overtaken(self, state: Reserve, newest: Change, other: Change) -> Outcome | None:
        if state.freeze_moves_ltv and self._row.field == "ltv":
            return None  # while it is frozen its events say zero, whatever comes back
        return super()._overtaken(state, newest, other)

    def _refused(self, reason: str) -> Outcome | None:
        who = right_missing(reason)
        if who:
            own = self._sender.account.address.hex()
            says = f"account 0x{own} may not {self._row.fn}: it takes {who} of the market's ACLManager; have it granted"
            return Outcome(False, says, answered=False)
        if stands_so_already(reason):
            says = "somebody else froze or freed it in this moment; looked at again"
            return Outcome(False, says, retryable=True, answered=False)
        return None


def aave_levers(target: AaveTarget, client: ChainClient, sender: Sender) -> dict[str, AaveLever]:
    """Every row on this reserve, by call."""
    return {row.declared.call: AaveLever(row, target, client, sender) for row in AAVE_ROWS}
