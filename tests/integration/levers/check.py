"""Each lever on published contracts, played once and measured: what the attacker could do before, during and after."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any

import trio

from adapters.api import Lever, LeverOrder
from adapters.evm.synthetix_rows import word32
from node.testnet.chain_process import start_chain
from tests.integration.levers.aave_market import FUNDED, Market, build
from tests.integration.levers.forked import served
from tests.integration.levers.packages import AAVE, OPEN_ZEPPELIN_4, PERP, SYNTHETIX, UNISWAP, missing
from tests.integration.levers.pausable_token import Token, build_token, pause_scene_of
from tests.integration.levers.perp_v2_market import Perp, perp_chain, perp_scene_of
from tests.integration.levers.rpc import People, Refused
from tests.integration.levers.scene import Scene, scene_of
from tests.integration.levers.synthetix_system import System, build_system, suspend_scene_of

PLAYED = (AAVE, OPEN_ZEPPELIN_4, SYNTHETIX, PERP, UNISWAP)
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


def _succeeds(attack: Callable[[], Any]) -> bool:
    try:
        attack()
    except Refused:
        return False
    return True


async def _gas(people: People, reference: str) -> int:
    if not reference:
        return 0
    found = await trio.to_thread.run_sync(people.ask, "eth_getTransactionReceipt", reference)
    return int(found["gasUsed"], 16)


@dataclass(frozen=True)
class Act:
    """`stands` is the target's own word for what the lever moves."""

    lever: Lever
    given: LeverOrder
    people: People
    attack: Callable[[], Any]
    stands: Callable[[], Any]


async def _play(act: Act) -> Played:
    """One action from before to after. Steps that fail are told by what they left, not raised."""
    lever, given = act.lever, act.given
    played = Played(lever.declared.call, lever.declared.rung.name, attack_before=_succeeds(act.attack))
    before = act.stands()
    begun = time.perf_counter()
    plan = await lever.plan(given)
    simulated = await lever.simulate(plan)
    applied = await lever.apply(plan)
    played.read_back = simulated.ok and applied.ok and (await lever.read_back(given)).ok
    played.ms = round((time.perf_counter() - begun) * 1000)
    played.gas = await _gas(act.people, applied.reference)
    played.attack_during = _succeeds(act.attack)
    undone = await lever.undo(given)
    played.undone = undone.ok and act.stands() == before
    played.attack_after = _succeeds(act.attack)
    return played


async def _aave(market: Market) -> Target:
    target = Target("aave-v3.0")
    async with scene_of(market) as scene:
        for call in ATTACKS:
            target.actions.append(await _play(_act_on_aave(scene, call)))
    return target


def _act_on_aave(scene: Scene, call: str) -> Act:
    market, asset = scene.market, scene.target(call).asset
    return Act(
        scene.lever(call),
        scene.order(call),
        market.people,
        lambda: ATTACKS[call](market),
        lambda: market.view("pool", "getConfiguration", asset),
    )


async def _pausable(token: Token) -> Target:
    async with pause_scene_of(token) as scene:
        act = Act(
            scene.lever(), scene.order(), token.people, lambda: token.transfer("attacker"), lambda: token.view("paused")
        )
        return Target("openzeppelin-pausable", [await _play(act)])


async def _synthetix(system: System) -> Target:
    attacks = {
        "synthetix.market": (lambda: system.trade("attacker"), "getFuturesMarketSuspensions", "sETHPERP"),
        "synthetix.synth": (lambda: system.transfer("attacker"), "getSynthSuspensions", "sETH"),
        "synthetix.synth_exchange": (lambda: system.exchange("attacker"), "getSynthExchangeSuspensions", "sETH"),
    }
    target = Target("synthetix-2.102")
    async with suspend_scene_of(system) as scene:
        for call, (attack, view, key) in attacks.items():
            stands = partial(system.view, view, [word32(key)])
            act = Act(scene.lever(call), scene.order(call), system.people, attack, stands)
            target.actions.append(await _play(act))
    return target


def _perp() -> Target:
    """On a chain of its own: a pool is asked what its price was half an hour ago."""
    chain, perp = perp_chain()
    with served(chain) as url:
        return trio.run(_perp_v2, replace(perp, url=url, answer=None))


async def _perp_v2(perp: Perp) -> Target:
    market = (("Exchange", "getMaxTickCrossedWithinBlock"), ("MarketRegistry", "getMarketMaxPriceSpreadRatio"))
    target = Target("perp-v2.8.4")
    async with perp_scene_of(perp) as scene:
        for call in ("perp2.halt", "perp2.spread"):
            act = Act(
                scene.lever(call),
                scene.order(call),
                perp.people,
                lambda: perp.push("attacker"),
                lambda: [perp.view(contract, fn, perp.base) for contract, fn in market],
            )
            target.actions.append(await _play(act))
    return target


def run() -> dict[str, Any]:
    """{"ok", "targets", "why"}: `why` says what could not be played at all."""
    why = next(filter(None, map(missing, PLAYED)), "")
    if why:
        return {"ok": False, "targets": [], "why": why}
    chain = start_chain("embedded", 1, FUNDED)
    try:
        targets = [
            trio.run(_aave, build(chain.url)),
            trio.run(_pausable, build_token(chain.url)),
            trio.run(_synthetix, build_system(chain.url)),
            _perp(),
        ]
    finally:
        chain.stop()
    return {"ok": all(one.ok for one in targets), "targets": [asdict(one) for one in targets]}
