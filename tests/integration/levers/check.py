"""Each lever on published contracts, played once and measured: what the attacker could do before, during and after."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import trio

from node.testnet.chain_process import start_chain
from tests.integration.levers.aave_market import FUNDED, Market, build
from tests.integration.levers.packages import AAVE, missing
from tests.integration.levers.rpc import Refused
from tests.integration.levers.scene import Scene, scene_of

ATTACKS: dict[str, Callable[[Market], Any]] = {
    "aave.ltv_zero": lambda market: market.borrow("attacker"),
    "aave.freeze": lambda market: market.supply("attacker"),
    "aave.pause": lambda market: market.withdraw("attacker"),
    "aave.borrow_cap": lambda market: market.borrow("attacker"),
}
"""What each lever must stop, and what must work again once it has ended."""


@dataclass
class Played:
    name: str
    rung: str
    attack_before: bool = False
    """Whether the attack succeeded; so too during and after."""
    attack_during: bool = True
    attack_after: bool = False
    read_back: bool = False
    undone: bool = False
    """The undo said yes, and the target's word for the reserve is that of before."""
    gas: int = 0
    """Of the restricting transaction."""
    ms: int = 0
    """Plan, simulate, apply and read back, one after another."""

    @property
    def ok(self) -> bool:
        stopped = self.attack_before and not self.attack_during and self.attack_after
        return stopped and self.read_back and self.undone


@dataclass
class Target:
    name: str
    actions: list[Played] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return bool(self.actions) and all(one.ok for one in self.actions)


def _succeeds(attack: Callable[[Market], Any], market: Market) -> bool:
    try:
        attack(market)
    except Refused:
        return False
    return True


async def _gas(market: Market, reference: str) -> int:
    if not reference:
        return 0
    found = await trio.to_thread.run_sync(market.people.ask, "eth_getTransactionReceipt", reference)
    return int(found["gasUsed"], 16)


async def _play(scene: Scene, call: str) -> Played:
    """One action from before to after. Steps that fail are told by what they left, not raised."""
    lever, given, attack, market = scene.lever(call), scene.order(call), ATTACKS[call], scene.market
    played = Played(call, lever.declared.rung.name, attack_before=_succeeds(attack, market))
    before = market.view("pool", "getConfiguration", scene.target(call).asset)
    begun = time.perf_counter()
    plan = await lever.plan(given)
    simulated = await lever.simulate(plan)
    applied = await lever.apply(plan)
    played.read_back = simulated.ok and applied.ok and (await lever.read_back(given)).ok
    played.ms = round((time.perf_counter() - begun) * 1000)
    played.gas = await _gas(market, applied.reference)
    played.attack_during = _succeeds(attack, market)
    undone = await lever.undo(given)
    played.undone = undone.ok and market.view("pool", "getConfiguration", scene.target(call).asset) == before
    played.attack_after = _succeeds(attack, market)
    return played


async def _aave(market: Market) -> Target:
    target = Target("aave-v3.0")
    async with scene_of(market) as scene:
        for call in ATTACKS:
            target.actions.append(await _play(scene, call))
    return target


def run() -> dict[str, Any]:
    """{"ok", "targets", "why"}: `why` says what could not be played at all."""
    why = missing(AAVE)
    if why:
        return {"ok": False, "targets": [], "why": why}
    chain = start_chain("embedded", 1, FUNDED)
    try:
        targets = [trio.run(_aave, build(chain.url))]
    finally:
        chain.stop()
    return {"ok": all(one.ok for one in targets), "targets": [asdict(one) for one in targets]}
