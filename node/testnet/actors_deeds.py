"""How each verb of the registry is done on a chain. A deed is done, or Refused in the target's own words."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from adapters.evm.abi import abi_of
from adapters.evm.wire import Receipt
from node.testnet.actors_stage import Refused, Stage, action_key
from node.testnet.real.aave_deeds import AAVE_DEEDS
from node.testnet.real.perp_deeds import PERP_DEEDS
from node.testnet.scenario import Do
from node.testnet.world import ATTACKER, CROWD, ENDPOINT, FEEDER, UNIT, person, units

RESTRICTED_S_MIN = 2.0
BPS = 10_000
FEE_LEFT = 0.997
MOST = 10**36


@dataclass(frozen=True)
class Doing:
    """One verb under way: `who` is the actor, `share` its part of the event's amounts."""

    stage: Stage
    who: str
    do: Do
    share: float

    @property
    def account(self) -> str:
        return self.who if self.who in (ATTACKER, CROWD) else person(self.who)

    @property
    def thing(self) -> bytes:
        return self.stage.world.address(self.do.thing)

    def part(self, name: str) -> bytes:
        return self.stage.world.address(self.do.thing, name)

    def token(self, asset: str) -> bytes:
        return self.stage.world.address(asset, "token")

    def units(self, name: str = "amount") -> int:
        return units(self.do.params[name] * self.share)

    async def send(self, contract: str, fn: str, *args: Any, account: str = "") -> Receipt:
        return await self.stage.send(account or self.account, self.thing, contract, fn, args)

    async def view(self, contract: str, fn: str, *args: Any) -> Any:
        return await self.stage.view(self.thing, contract, fn, args)

    def until_s(self) -> int:
        """A person's restriction lasts as history has it, divided like all of history."""
        return math.ceil(time.time() + max(RESTRICTED_S_MIN, self.stage.play_s(self.do.params["for"])))

    async def restrict(self, contract: str, fn: str, *args: Any) -> Receipt:
        key = action_key(self.who, self.do)
        return await self.send(contract, fn, *args, self.until_s(), True, key)


Deed = Callable[[Doing], Awaitable[Receipt]]


async def forge_release(doing: Doing) -> Receipt:
    """The endpoint's one key is all it takes: that is the flaw."""
    to = doing.stage.address(doing.who)
    return await doing.send("Escrow", "deliver", doing.do.params["nonce"], to, doing.units(), account=ENDPOINT)


def nonce_of(receipt: Receipt, contract: str, event: str) -> int:
    found = [fields for log in receipt.logs if (fields := abi_of(contract).event(event).decode(log.topics, log.data))]
    return int(found[0]["nonce"])


async def leave_home(stage: Stage, thing: str, who: str, amount: int) -> int:
    """Lock at home; the message's nonce."""
    to = stage.address(who)
    receipt = await stage.send(who, stage.world.address(thing), "Escrow", "lock", (amount, to))
    return nonce_of(receipt, "Escrow", "Locked")


async def arrive_far(stage: Stage, thing: str, who: str, nonce: int, amount: int) -> Receipt:
    twin, to = stage.world.address(thing, "twin"), stage.address(who)
    return await stage.send(ENDPOINT, twin, "Twin", "deliver", (nonce, to, amount), stage.world.far)


async def leave_far(stage: Stage, thing: str, who: str, amount: int) -> int:
    """Burn on far; the message's nonce."""
    twin, to = stage.world.address(thing, "twin"), stage.address(who)
    receipt = await stage.send(who, twin, "Twin", "burn_out", (amount, to), stage.world.far)
    return nonce_of(receipt, "Twin", "BurnedOut")


async def arrive_home(stage: Stage, thing: str, who: str, nonce: int, amount: int) -> Receipt:
    to = stage.address(who)
    return await stage.send(ENDPOINT, stage.world.address(thing), "Escrow", "deliver", (nonce, to, amount))


async def send_out(doing: Doing) -> Receipt:
    nonce = await leave_home(doing.stage, doing.do.thing, doing.account, doing.units())
    return await arrive_far(doing.stage, doing.do.thing, doing.account, nonce, doing.units())


async def send_home(doing: Doing) -> Receipt:
    nonce = await leave_far(doing.stage, doing.do.thing, doing.account, doing.units())
    return await arrive_home(doing.stage, doing.do.thing, doing.account, nonce, doing.units())


async def over_mint(doing: Doing) -> Receipt:
    nonce = await leave_home(doing.stage, doing.do.thing, doing.account, doing.units())
    minted = doing.units() + doing.units("excess")
    return await arrive_far(doing.stage, doing.do.thing, doing.account, nonce, minted)


async def burn_some(doing: Doing) -> Receipt:
    world = doing.stage.world
    return await doing.stage.send(doing.account, doing.part("twin"), "Twin", "burn", (doing.units(),), world.far)


async def donate(doing: Doing) -> Receipt:
    args = (doing.thing, doing.units())
    return await doing.stage.send(doing.account, doing.part("token"), "Token", "transfer", args)


async def post_and_borrow(doing: Doing) -> Receipt:
    """All or nothing: what was posted comes back where nothing is lent against it."""
    asset, borrowed = doing.token(doing.do.params["asset"]), doing.units("borrow")
    if await doing.view("Lending", "available") < borrowed:
        raise Refused("no liquidity")
    await doing.send("Lending", "supply_collateral", asset, doing.units())
    try:
        return await doing.send("Lending", "borrow", borrowed)
    except Refused:
        await _back(doing, "Lending", "withdraw_collateral", asset, doing.units())
        raise


async def _back(doing: Doing, contract: str, fn: str, *args: Any) -> None:
    """What does not come back stays there: the attacker's loss, and no reason to stop."""
    try:
        await doing.send(contract, fn, *args)
    except Refused:
        return


def _plain(contract: str, fn: str) -> Deed:
    async def deed(doing: Doing) -> Receipt:
        return await doing.send(contract, fn, doing.units())

    return deed


async def repay(doing: Doing) -> Receipt:
    return await doing.send("Lending", "repay", doing.units(), doing.stage.address(doing.account))


def _signed(doing: Doing, size: int) -> int:
    return size if doing.do.params["side"] == "long" else -size


async def open_position(doing: Doing) -> Receipt:
    margin = doing.units("margin")
    if margin:
        await doing.send("Perp", "deposit_margin", margin)
    try:
        return await doing.send("Perp", "open", doing.part("market"), _signed(doing, doing.units()))
    except Refused:
        if margin:
            await _back(doing, "Perp", "withdraw_margin", margin)
        raise


async def post_and_open(doing: Doing) -> Receipt:
    await doing.send("Perp", "deposit_collateral_margin", doing.units())
    size = doing.units("size") or doing.units()
    try:
        return await doing.send("Perp", "open", doing.part("market"), _signed(doing, size))
    except Refused:
        await _back(doing, "Perp", "withdraw_collateral_margin", doing.units())
        raise


async def close_position(doing: Doing) -> Receipt:
    """Close all, then take out what can be taken, also where there was nothing to close."""
    own = doing.stage.address(doing.account)
    try:
        receipt = await doing.send("Perp", "close", doing.part("market"), MOST)
    finally:
        margin = await doing.view("Perp", "margin_of", own)
        if margin > 0:
            await _back(doing, "Perp", "withdraw_margin", margin)
        posted = await doing.view("Perp", "collateral_margin_of", own)
        if posted > 0:
            await _back(doing, "Perp", "withdraw_collateral_margin", posted)
    return receipt


async def push_spot(doing: Doing) -> Receipt:
    """Trades until the price is where it is wanted, as far as the purse reaches (the pool's fee included)."""
    stage, pool = doing.stage, _params(doing)
    wanted = units(stage.scenario.usd(pool["base"]) / stage.scenario.usd(pool["quote"]) * doing.do.params["ratio"])
    base, quote = await doing.view("SpotPool", "base_reserve"), await doing.view("SpotPool", "quote_reserve")
    base_then = math.isqrt(base * quote * UNIT // max(1, wanted))
    sells = base_then > base
    quote_then = base * quote // max(1, base_then)
    asset, amount = (pool["base"], base_then - base) if sells else (pool["quote"], quote_then - quote)
    token = doing.token(asset)
    owned = await stage.view(token, "Token", "balanceOf", (stage.address(doing.account),))
    amount = min(int(amount / FEE_LEFT), owned)
    if amount <= 0:
        raise Refused("nothing to trade")
    return await doing.send("SpotPool", "swap", token, amount, 0)


def _params(doing: Doing) -> Mapping[str, Any]:
    return doing.stage.scenario.things[doing.do.thing].params


async def push_oracle(doing: Doing) -> Receipt:
    params, scenario = _params(doing), doing.stage.scenario
    price = scenario.usd(params["of"]) / scenario.usd(params["quote"]) * doing.do.params["ratio"]
    return await doing.send("Oracle", "push", units(price), account=FEEDER)


async def ltv_zero(doing: Doing) -> Receipt:
    return await doing.restrict("Lending", "set_ltv_zero", doing.token(doing.do.params["asset"]))


async def freeze(doing: Doing) -> Receipt:
    return await doing.restrict("Lending", "freeze", doing.token(doing.do.params["asset"]))


async def cap(doing: Doing) -> Receipt:
    return await doing.restrict("Lending", "set_borrow_cap", doing.units())


async def pause(doing: Doing) -> Receipt:
    return await doing.restrict("Escrow", "pause_releases")


async def reduce_only(doing: Doing) -> Receipt:
    return await doing.restrict("Perp", "set_reduce_only", doing.part("market"))


async def margin(doing: Doing) -> Receipt:
    bps = round(doing.do.params["ratio"] * BPS)
    return await doing.restrict("Perp", "set_initial_margin_bps", doing.part("market"), bps)


async def halt(doing: Doing) -> Receipt:
    return await doing.restrict("Perp", "halt", doing.part("market"))


DEEDS: Mapping[tuple[str, str], Deed] = {
    ("bridge.escrow", "forge_release"): forge_release,
    ("bridge.escrow", "send_out"): send_out,
    ("bridge.escrow", "send_home"): send_home,
    ("bridge.escrow", "burn_some"): burn_some,
    ("bridge.escrow", "donate"): donate,
    ("bridge.escrow", "over_mint"): over_mint,
    ("bridge.escrow", "pause"): pause,
    ("lending", "post_and_borrow"): post_and_borrow,
    ("lending", "provide"): _plain("Lending", "provide"),
    ("lending", "withdraw"): _plain("Lending", "withdraw"),
    ("lending", "borrow"): _plain("Lending", "borrow"),
    ("lending", "repay"): repay,
    ("lending", "ltv_zero"): ltv_zero,
    ("lending", "freeze"): freeze,
    ("lending", "cap"): cap,
    **AAVE_DEEDS,
    **PERP_DEEDS,
    ("perp", "open"): open_position,
    ("perp", "post_and_open"): post_and_open,
    ("perp", "close"): close_position,
    ("perp", "reduce_only"): reduce_only,
    ("perp", "margin"): margin,
    ("perp", "halt"): halt,
    ("oracle", "push"): push_oracle,
    ("spot", "push"): push_spot,
}
"""(kind, verb) → how. Every verb of the registry but the node's own, which its operator does."""
