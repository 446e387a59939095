"""The levers through an access manager, a Safe's owners and a Safe's module."""

from __future__ import annotations

import tempfile
from pathlib import Path

import trio

from tests.integration.levers.acting import Act, Target, play
from tests.integration.levers.managed_token import ManagedToken, build_managed, managed_scene_of
from tests.integration.levers.packages import OPEN_ZEPPELIN, OPEN_ZEPPELIN_4, SAFE
from tests.integration.levers.safe_token import GUARD, OWNERS, THRESHOLD, SafeToken, address, build_safe, safe_scene_of
from tests.integration.levers.scene import OTHER_KEY

PACKAGES = (OPEN_ZEPPELIN, OPEN_ZEPPELIN_4, SAFE)


def targets(url: str) -> list[Target]:
    return [trio.run(_managed, build_managed(url)), trio.run(_safe, build_safe(url))]


async def _managed(managed: ManagedToken) -> Target:
    async with managed_scene_of(managed) as scene:
        closing = Act(scene.lever(), scene.order(), managed.people, managed.mint, lambda: managed.shut)
        return Target("openzeppelin-access-manager", [await play(closing)])


async def _safe(built: SafeToken) -> Target:
    with tempfile.TemporaryDirectory() as folder:
        async with safe_scene_of(built, Path(folder)) as scene:
            attack, stands = lambda: built.token.transfer("attacker"), lambda: built.paused
            signs = lambda: scene.sign(*OWNERS[:THRESHOLD])  # noqa: E731
            proposed = Act(scene.lever(), scene.order(), built.people, attack, stands, signs)
            actions = [await play(proposed)]
            built.executes(f"enableModule(address) 0x{address(GUARD).hex()}", safe=True)
            own_key = scene.order(key=OTHER_KEY)  # both go through one Safe to one contract
            actions.append(await play(Act(scene.module(), own_key, built.people, attack, stands)))
            return Target("safe", actions)
