"""What came out in one arm: read from the chains, and from the actors' record where the chain keeps no trace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adapters.evm.abi import abi_of
from adapters.evm.client import Account, ChainClient
from adapters.evm.wire import Ask, Revert, ask_call
from node.testnet.real.aave_abi import DATA, VARIABLE_DEBT
from node.testnet.real.perp_abi import VAULT
from node.testnet.registry import LENDING, PERPS
from node.testnet.scenario import Scenario, Thing
from node.testnet.world import ATTACKER, CROWD, UNIT, World

HONEST_WAYS_OUT = ("repay", "withdraw", "close")


@dataclass(frozen=True)
class Outcome:
    """Amounts in whole units of an asset. `gained`: what the attacker owns of ordinary tokens (in its purse or as
    margin) above what it owned at the start; the contaminated asset is worth nothing to it and counts nowhere.
    `borrowed`: the attacker's debt by market. `refused`: forged messages by bridge."""

    arm: str
    obtained_usd: float
    gained: Mapping[str, float]
    borrowed: Mapping[str, float]
    borrowed_assets: Mapping[str, float]
    forged_released: Mapping[str, float]
    forged_refused: Mapping[str, int]
    blocked: Mapping[str, int]
    messages: int
    messages_late: int

    def metrics(self) -> dict[str, float]:
        """By the names that `[expect]` uses."""
        found = {"obtained_usd": self.obtained_usd, "honest.messages_late": float(self.messages_late)}
        found |= {f"attacker.borrowed.{asset}": amount for asset, amount in self.borrowed_assets.items()}
        found |= {f"{market}.borrowed": amount for market, amount in self.borrowed.items()}
        found |= {f"{bridge}.forged_released": amount for bridge, amount in self.forged_released.items()}
        found |= {f"{bridge}.forged_refused": float(count) for bridge, count in self.forged_refused.items()}
        return found | {f"honest.{verb}_blocked": float(count) for verb, count in self.blocked.items()}


def blocked_usd(control: Outcome, tocsin: Outcome) -> float:
    """What the attacker obtained without the defence and not with it. Below zero where it did better with it."""
    return control.obtained_usd - tocsin.obtained_usd


async def measure(world: World, client: ChainClient, deeds: Sequence[Mapping[str, Any]]) -> Outcome:
    """`deeds`: `actors.read_deeds` of this arm. Raises the client's ChainError."""
    reader = _Reader(world, client)
    gained = await reader.gained()
    markets = [one for one in world.scenario.things.values() if one.kind in LENDING]
    borrowed = {one.name: await reader.debt(one) for one in markets}
    assets: dict[str, int] = {}
    for one in markets:
        loan = one.params["loan"]
        assets[loan] = assets.get(loan, 0) + borrowed[one.name]
    return Outcome(
        arm=world.arm,
        obtained_usd=sum(amount / UNIT * world.scenario.usd(asset) for asset, amount in gained.items()),
        gained=_whole(gained),
        borrowed=_whole(borrowed),
        borrowed_assets=_whole(assets),
        forged_released=_whole(await reader.forged()),
        forged_refused=_refused(world.scenario, deeds),
        blocked={verb: _blocked(world, deeds, verb) for verb in HONEST_WAYS_OUT},
        messages=sum(one["event"] == "in-flight" for one in deeds),
        messages_late=sum(one["event"] == "in-flight" and bool(one["why"]) for one in deeds),
    )


def _whole(amounts: Mapping[str, int]) -> dict[str, float]:
    return {name: amount / UNIT for name, amount in amounts.items()}


def _refused(scenario: Scenario, deeds: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    bridges = [one.name for one in scenario.things.values() if one.kind == "bridge.escrow"]
    return {name: sum(one["do"] == f"{name}.forge_release" and not one["ok"] for one in deeds) for name in bridges}


def _blocked(world: World, deeds: Sequence[Mapping[str, Any]], verb: str) -> int:
    """Honest steps that were due and were not done: a crowd that never came counts as blocked too."""
    events = world.scenario.events_in(world.arm, world.members)
    due = sum(one.steps for one in events if one.who == CROWD and one.do.verb == verb)
    names = {one.name for one in events if one.who == CROWD and one.do.verb == verb}
    return due - sum(one["event"] in names and bool(one["ok"]) for one in deeds)


class _Reader:
    def __init__(self, world: World, client: ChainClient) -> None:
        self.world, self.client = world, client
        self.attacker = Account(world.key(ATTACKER)).address

    async def view(self, thing: str, contract: str, fn: str, *args: Any, part: str = "contract") -> Any:
        at = self.world.address(thing, part)
        return (await self.client.call(self.world.home, at, abi_of(contract), fn, args)).value

    async def debt(self, market: Thing) -> int:
        """The attacker's, in the loan asset."""
        if market.kind == "lending":
            return int(await self.view(market.name, "Lending", "debt_of", self.attacker))
        at, args = self.world.address(market.name, "data"), (self.world.address(market.name, "loan"), self.attacker)
        owed = (await self.client.call(self.world.home, at, DATA, "getUserReserveData", args)).value
        return int(owed[VARIABLE_DEBT])

    async def margin(self, venue: Thing) -> int:
        """The attacker's, in the margin asset."""
        if venue.kind == "perp":
            return int(await self.view(venue.name, "Perp", "margin_of", self.attacker))
        at = self.world.address(venue.name, "vault")
        return int((await self.client.call(self.world.home, at, VAULT, "getBalance", (self.attacker,))).value)

    async def gained(self) -> dict[str, int]:
        things = self.world.scenario.things.values()
        plain = [one.name for one in things if one.kind == "token"]
        owned = {name: await self.view(name, "Token", "balanceOf", self.attacker, part="token") for name in plain}
        for one in (venue for venue in things if venue.kind in PERPS and venue.params["margin"] in owned):
            owned[one.params["margin"]] += max(0, await self.margin(one))
        return {name: amount - self.world.opening.get(name, 0) for name, amount in owned.items()}

    async def forged(self) -> dict[str, int]:
        """Released to the attacker, by the contracts' own record of the forged messages."""
        found: dict[str, int] = {
            one.name: 0 for one in self.world.scenario.things.values() if one.kind == "bridge.escrow"
        }
        for event in self.world.scenario.events_in(self.world.arm):
            if event.do.verb == "forge_release":
                found[event.do.thing] += await self._released(event.do.thing, event.do.params["nonce"])
        return found

    async def _released(self, bridge: str, nonce: int) -> int:
        escrow, abi = self.world.address(bridge), abi_of("Escrow")
        asks: list[Ask[Any]] = [ask_call(escrow, abi, name, (nonce,)) for name in ("released_amount", "released_to")]
        amount, to = (await self.client.read(self.world.home, *asks)).value
        return 0 if isinstance(amount, Revert) or to != self.attacker else int(amount)
