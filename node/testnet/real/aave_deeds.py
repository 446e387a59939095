"""What people of a story do at a market of Aave v3.0; refusals are Aave's own words, which are numbers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from adapters.evm.wire import Receipt
from node.testnet.actors_stage import Refused
from node.testnet.real.aave_abi import CONFIGURE, MARKET
from node.testnet.real.aave_market import VARIABLE

if TYPE_CHECKING:
    from node.testnet.actors_deeds import Doing

Deed = Callable[["Doing"], Awaitable[Receipt]]


async def _at_pool(doing: Doing, fn: str, *args: Any) -> Receipt:
    return await doing.stage.send(doing.account, doing.thing, MARKET, fn, args)


def _own(doing: Doing) -> bytes:
    return doing.stage.address(doing.account)


async def provide(doing: Doing) -> Receipt:
    return await _at_pool(doing, "supply", doing.part("loan"), doing.units(), _own(doing), 0)


async def withdraw(doing: Doing) -> Receipt:
    return await _at_pool(doing, "withdraw", doing.part("loan"), doing.units(), _own(doing))


async def repay(doing: Doing) -> Receipt:
    return await _at_pool(doing, "repay", doing.part("loan"), doing.units(), VARIABLE, _own(doing))


async def _lent(doing: Doing, amount: int) -> Receipt:
    return await _at_pool(doing, "borrow", doing.part("loan"), amount, VARIABLE, 0, _own(doing))


async def borrow(doing: Doing) -> Receipt:
    return await _lent(doing, doing.units())


async def post_and_borrow(doing: Doing) -> Receipt:
    """All or nothing: what was posted comes back where nothing is lent against it."""
    asset = doing.token(doing.do.params["asset"])
    await _at_pool(doing, "supply", asset, doing.units(), _own(doing), 0)
    try:
        return await _lent(doing, doing.units("borrow"))
    except Refused:
        with suppress(Refused):  # what does not come back is the attacker's loss, and no reason to stop
            await _at_pool(doing, "withdraw", asset, doing.units(), _own(doing))
        raise


async def freeze(doing: Doing) -> Receipt:
    """A person's freeze has no end of its own there: a person lifts it."""
    args = (doing.token(doing.do.params["asset"]), True)
    return await doing.stage.send(doing.account, doing.part("configurator"), CONFIGURE, "setReserveFreeze", args)


AAVE_DEEDS: Mapping[tuple[str, str], Deed] = {
    ("lending.aave", "post_and_borrow"): post_and_borrow,
    ("lending.aave", "provide"): provide,
    ("lending.aave", "withdraw"): withdraw,
    ("lending.aave", "borrow"): borrow,
    ("lending.aave", "repay"): repay,
    ("lending.aave", "freeze"): freeze,
}
