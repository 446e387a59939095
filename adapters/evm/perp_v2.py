"""Levers on a market of Perpetual Protocol v2: rows of `perp_v2_rows`, as `flag_lever` does it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adapters.api import Beyond, Outcome
from adapters.evm.changes import Told
from adapters.evm.client import ChainClient
from adapters.evm.errors import Reverted
from adapters.evm.flag_lever import Call, FlagLever
from adapters.evm.perp_v2_rows import HALTED, NOT_OWNER, PERP_ROWS, SETTERS, PerpMarket, PerpRow, PerpTarget
from adapters.evm.sending import Sender
from adapters.evm.survey.generic import beyond
from adapters.evm.survey.look import STRANGER, Looker, as_address
from adapters.evm.wire import Log

KNOWN_RELEASE = "2.8.4"
SWAP = "swap((address,address,bool,bool,bool,uint256,uint160))"
FEE_ALL = 1_000_000
"""Millionths of a trade."""


class PerpLever(FlagLever[PerpMarket]):
    """One row on one market."""

    def __init__(self, row: PerpRow, target: PerpTarget, client: ChainClient, sender: Sender) -> None:
        super().__init__(row.declared, (target.name, target.chain, target.clearing_house), client, sender)
        self._row, self._target = row, target
        self.slot = f"{target.chain}/0x{target.clearing_house.hex()}/{row.fn}/{target.base.hex()}"

    async def _read(self) -> PerpMarket:
        """Each part is asked of the one before it, and an unknown release is refused with words."""
        target = self._target
        head = (await self._client.block(target.chain)).value
        look = Looker(self._client, target.chain)
        exchange = as_address(await look.view(target.clearing_house, "getExchange() address"))
        if exchange is None:
            raise self._strange("it names no Exchange")
        found = await look.views(
            exchange,
            "getClearingHouse() address",
            "getMarketRegistry() address",
            ("getMaxTickCrossedWithinBlock(address) uint24", (target.base,)),
        )
        obeyed, registry, ticks = as_address(found[0]), as_address(found[1]), found[2]
        if obeyed != target.clearing_house or registry is None or ticks is None:
            raise self._strange(f"its Exchange 0x{exchange.hex()} is other than in release {KNOWN_RELEASE}")
        listed, spread = await look.views(
            registry,
            ("hasPool(address) bool", (target.base,)),
            ("getMarketMaxPriceSpreadRatio(address) uint24", (target.base,)),
        )
        is_open = await look.view(target.base, "isOpen() bool")
        if not listed:
            raise self._strange(f"it has no market of the base token 0x{target.base.hex()}")
        if spread is None or is_open is None:
            raise self._strange(f"its market is other than in release {KNOWN_RELEASE}")
        halted = not ticks and await self._refuses_trades(look, exchange)
        return PerpMarket(exchange, registry, head.number, head.timestamp, ticks, spread, is_open, halted)

    async def _refuses_trades(self, look: Looker, exchange: bytes) -> bool:
        """A trade as the ClearingHouse would ask for it: the halt is looked at before anything else."""
        order = (STRANGER, self._target.base, False, True, False, 1, 0)
        (why,) = await look.tries(exchange, SWAP, (order,), self._target.clearing_house)
        return why == HALTED

    def _strange(self, why: str) -> Reverted:
        return Reverted(why, f"the ClearingHouse 0x{self._target.clearing_house.hex()} on {self._target.chain}")

    def _number(self, state: PerpMarket) -> int:
        return self._row.stands(state)

    def _wanted(self, state: PerpMarket) -> int:
        return self._row.wanted(state, self._target)

    def _closed(self, state: PerpMarket) -> bool:
        return self._row.closed(state, self._target)

    def _word(self, number: int) -> str:
        return f"{number} {self._row.unit}"

    def _told(self, state: PerpMarket) -> Told:
        base = b"\0" * 12 + self._target.base
        topic = SETTERS.event(self._row.event).topic
        return Told(self._row.at(state), [topic, base], self._moves, state.head, state.chain_s)

    def _moves(self, logs: Sequence[Log]) -> list[tuple[Log, int | None]]:
        said = [(log, SETTERS.event(self._row.event).decode(log.topics, log.data)) for log in logs]
        return [(log, None if one is None else one["number"] or self._row.unset) for log, one in said]

    def _call(self, state: PerpMarket, number: int) -> Call:
        return Call(self._row.at(state), SETTERS, self._row.fn, (self._target.base, number))

    async def _unending(self, state: PerpMarket) -> str:
        """What stands is tried to be put back before it is taken away: a later release may take less than an earlier
        one did."""
        if not state.ticks and not state.halted:
            return f"a limit of 0 ticks halts nothing here: this is another release than {KNOWN_RELEASE}"
        own, look = self._sender.account.address, Looker(self._client, self._target.chain)
        call = self._call(state, self._number(state))
        (why,) = await look.tries(call.contract, f"{call.fn}(address,uint24)", call.args, own)
        return f"{self._word(self._number(state))} could not be put back: {call.fn} says {why}" if why else ""

    def _refused(self, reason: str) -> Outcome | None:
        if reason != NOT_OWNER:
            return None
        says = f"account 0x{self._sender.account.address.hex()} may not {self._row.fn}: it takes the ownership"
        return Outcome(
            False, f"{says}, which may do far more; a contract of yours may own it in between", answered=False
        )

    async def beyond(self) -> Beyond:
        """One owner may do all of it. ChainError."""
        own, look = self._sender.account.address, Looker(self._client, self._target.chain)
        state = await self._read()
        feed = as_address(await look.view(self._target.base, "getPriceFeed() address")) or STRANGER
        rows, may = self._beyond_rows(state, feed), []
        for says, at, call, args in rows:
            (why,) = await look.tries(at, call, args, own)
            if not why:
                may.append(says)
        tried, also = await beyond(look, state.exchange, own)
        return Beyond(len(rows) + tried, (*may, *also))

    def _beyond_rows(self, state: PerpMarket, feed: bytes) -> list[tuple[str, bytes, str, tuple[Any, ...]]]:
        base, house = self._target.base, self._target.clearing_house
        return [
            ("give the Exchange to anybody", state.exchange, "setOwner(address)", (STRANGER,)),
            ("let the Exchange obey anybody", state.exchange, "setClearingHouse(address)", (STRANGER,)),
            ("give the MarketRegistry to anybody", state.registry, "setOwner(address)", (STRANGER,)),
            ("take all of a trade as its fee", state.registry, "setFeeRatio(address,uint24)", (base, FEE_ALL)),
            ("pause every market", house, "pause()", ()),
            ("end the market for good", base, "pause()", ()),
            ("set the market's price feed", base, "setPriceFeed(address)", (feed,)),
        ]


def perp_levers(target: PerpTarget, client: ChainClient, sender: Sender) -> dict[str, PerpLever]:
    """Every row on this market, by call."""
    return {row.declared.call: PerpLever(row, target, client, sender) for row in PERP_ROWS}
