"""Script name → who plays it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.sim.actors.liar import Liar

if TYPE_CHECKING:
    from tests.sim.world import World

CAST: dict[str, type[Liar]] = {"silent": Liar}


def hire(script: str, world: World, name: str) -> Liar:
    return CAST.get(script, Liar)(world, name)
