"""What people of a story do at a venue of Perpetual Protocol v2; refusals are its own short words."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from adapters.evm.wire import Receipt
from node.testnet.actors_stage import Refused
from node.testnet.real.perp_abi import HOUSE, VAULT, closing, trade

if TYPE_CHECKING:
    from node.testnet.actors_deeds import Doing

Deed = Callable[["Doing"], Awaitable[Receipt]]


async def _at_vault(doing: Doing, fn: str, *args: Any) -> Receipt:
    return await doing.stage.send(doing.account, doing.part("vault"), VAULT, fn, args)


async def _open(doing: Doing, size: int) -> Receipt:
    signed = size if doing.do.params["side"] == "long" else -size
    order = trade(doing.part("base"), signed)
    return await doing.stage.send(doing.account, doing.thing, HOUSE, "openPosition", (order,))


async def _posted(doing: Doing, asset: str, amount: int, size: int) -> Receipt:
    """What was deposited comes back where no position opens."""
    token = doing.token(doing.stage.scenario.things[doing.do.thing].params[asset])
    if amount:
        await _at_vault(doing, "deposit", token, amount)
    try:
        return await _open(doing, size)
    except Refused:
        if amount:
            with suppress(Refused):  # what does not come back is its loss, and no reason to stop
                await _at_vault(doing, "withdraw", token, amount)
        raise


async def open_position(doing: Doing) -> Receipt:
    return await _posted(doing, "margin", doing.units("margin"), doing.units())


async def post_and_open(doing: Doing) -> Receipt:
    return await _posted(doing, "counts", doing.units(), doing.units("size") or doing.units())


async def close_position(doing: Doing) -> Receipt:
    """Close all, then take out what is free."""
    args = (closing(doing.part("base")),)
    receipt = await doing.stage.send(doing.account, doing.thing, HOUSE, "closePosition", args)
    own, params = doing.stage.address(doing.account), doing.stage.scenario.things[doing.do.thing].params
    for asset in (params["margin"], params["counts"]):
        token, asked = doing.token(asset), "getFreeCollateralByToken"
        free = (await doing.stage.view(doing.part("vault"), VAULT, asked, (own, token))) or 0
        if free:
            with suppress(Refused):
                await _at_vault(doing, "withdraw", token, free)
    return receipt


PERP_DEEDS: Mapping[tuple[str, str], Deed] = {
    ("perp.v2", "open"): open_position,
    ("perp.v2", "post_and_open"): post_and_open,
    ("perp.v2", "close"): close_position,
}
