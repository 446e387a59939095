"""A seat without a machine. Alone it is silent: it holds its connections and says nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.sim.world import World


class Liar:
    """`hears` and `linked` are told by the network; subclasses answer as they like."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.name = world, name
        self.chance = world.time.chance(f"liar {name}")

    def hears(self, sender: str, raw: bytes, sync: bool) -> None: ...

    def linked(self, other: str, up: bool) -> None: ...
