"""The levers on a market of Aave's and on a token that pauses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import trio

from tests.integration.levers.aave_market import Market, build
from tests.integration.levers.acting import Act, Target, play
from tests.integration.levers.packages import AAVE, OPEN_ZEPPELIN_4
from tests.integration.levers.pausable_token import Token, build_token, pause_scene_of
from tests.integration.levers.scene import Scene, scene_of

PACKAGES = (AAVE, OPEN_ZEPPELIN_4)
ATTACKS: dict[str, Callable[[Market], Any]] = {
    "aave.ltv_zero": lambda market: market.borrow("attacker"),
    "aave.freeze": lambda market: market.supply("attacker"),
    "aave.pause": lambda market: market.withdraw("attacker"),
    "aave.borrow_cap": lambda market: market.borrow("attacker"),
}
"""What each lever must stop, and what must work again once it has ended."""


def targets(url: str) -> list[Target]:
    return [trio.run(_aave, build(url)), trio.run(_pausable, build_token(url))]


async def _aave(market: Market) -> Target:
    target = Target("aave-v3.0")
    async with scene_of(market) as scene:
        for call in ATTACKS:
            target.actions.append(await play(_act_on_aave(scene, call)))
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
        return Target("openzeppelin-pausable", [await play(act)])
