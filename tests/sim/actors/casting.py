"""Script name → who plays it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.sim.actors.burner import Burner
from tests.sim.actors.claimants import Forger, Immaterial, Irrelevant, TrueClaimant
from tests.sim.actors.colluder import Colluder
from tests.sim.actors.equivocator import Equivocator
from tests.sim.actors.liar import Liar, Silent
from tests.sim.actors.releaser import Releaser
from tests.sim.actors.replayer import Replayer
from tests.sim.actors.spoofer import Spoofer
from tests.sim.actors.stretcher import Stretcher
from tests.sim.actors.synchronist import Synchronist
from tests.sim.actors.voter import Orderer, Stuffer
from tests.sim.actors.withholder import Withholder

if TYPE_CHECKING:
    from tests.sim.world import World

PLAYERS: tuple[type[Liar], ...] = (
    Silent,
    Equivocator,
    Withholder,
    Replayer,
    Forger,
    Irrelevant,
    Immaterial,
    TrueClaimant,
    Spoofer,
    Stretcher,
    Releaser,
    Synchronist,
    Burner,
    Colluder,
    Orderer,
    Stuffer,
)
CAST: dict[str, type[Liar]] = {one.script: one for one in PLAYERS}


def hire(script: str, world: World, name: str) -> Liar:
    return CAST[script](world, name)
