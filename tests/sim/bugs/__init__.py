"""Planted bugs: what a programmer could really have written, switched on by name in the simulator only."""

from tests.sim.bugs.bank import BANK as BANK
from tests.sim.bugs.plant import Bug as Bug
