"""Byzantine members. They share no code with honest ones: their own pen writes the wire format from its description."""

from tests.sim.actors.casting import hire as hire
from tests.sim.actors.liar import Liar as Liar
