"""What looks at levers and sends nothing, on real contracts: the canary, and the levers of a drill."""

from __future__ import annotations

import time

from node.canary.levers import levers
from node.canary.look import Found
from node.drill.harmless import PlannedLever
from node.preflight import Seat
from protocol.subjects import asset
from tests.integration.evm.test_levers import lever_of, order, pull, restrictions, tell
from tests.integration.evm.world import HOME, World


async def looked(scene: World, who: str) -> Found:
    lever = lever_of(scene, "lend", "lending.freeze", who)
    seat = Seat("freeze", "lend:lending.freeze", lever, asset(HOME, scene.at["rs"]), ("shut",))
    return await levers([seat], (), time.time_ns() // 1_000_000)


def test_the_canary_finds_a_lever_well_and_one_whose_right_was_taken_ill_and_moves_neither(chains):
    async def story(scene: World) -> None:
        await scene.open_lending()
        assert await looked(scene, "guardian") == Found("levers", True, "freeze would move")
        ill = await looked(scene, "attacker")
        assert not ill.ok and "not guardian" in ill.says
        assert await restrictions(scene, "lend", "Lending") == 0

    tell(chains, story)


def test_a_lever_of_a_drill_goes_the_whole_way_and_the_contract_hears_nothing(chains):
    async def story(scene: World) -> None:
        await scene.open_lending()
        lever, given = PlannedLever(lever_of(scene, "lend", "lending.freeze")), order(scene, "lending.freeze")
        await pull(lever, given)
        assert (await lever.undo(given)).ok
        assert not await scene.view("lend", "is_frozen", scene.at["rs"])
        assert await restrictions(scene, "lend", "Lending") == 0

    tell(chains, story)
