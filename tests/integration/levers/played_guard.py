"""A guard of ours at a gate of ours, played."""

from __future__ import annotations

import trio

from tests.integration.evm.guard_scene import GATE
from tests.integration.levers.aave_market import KEYS
from tests.integration.levers.acting import Act, Target, play
from tests.integration.levers.guarded import guard_scene_of
from tests.integration.levers.rpc import People

PACKAGES: tuple[str, ...] = ()


async def _guarded(url: str) -> Target:
    async with guard_scene_of(url, "eip155:1") as scene:
        await scene.begin_at_gate()
        people = await trio.to_thread.run_sync(People, url)
        act = Act(
            scene.lever(),
            scene.order(),
            people,
            lambda: people.do(KEYS["attacker"], scene.gate, GATE, "go_through"),
            lambda: people.view(scene.gate, GATE, "paused"),
        )
        return Target("our-guard", [await play(act)])


def targets(url: str) -> list[Target]:
    return [trio.run(_guarded, url)]
