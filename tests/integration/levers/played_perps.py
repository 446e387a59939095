"""The levers on Synthetix and on Perpetual Protocol."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import trio

from adapters.evm.synthetix_rows import word32
from tests.integration.levers.acting import Act, Target, play
from tests.integration.levers.forked import served
from tests.integration.levers.packages import PERP, SYNTHETIX, UNISWAP
from tests.integration.levers.perp_v2_market import Perp, perp_chain, perp_scene_of
from tests.integration.levers.synthetix_system import System, build_system, suspend_scene_of

PACKAGES = (SYNTHETIX, PERP, UNISWAP)


def targets(url: str) -> list[Target]:
    return [trio.run(_synthetix, build_system(url)), _perp()]


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
            target.actions.append(await play(act))
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
            target.actions.append(await play(act))
    return target
