"""Directed scenarios: one story each, no chance in it. See README.md for which attack each plays."""

from tests.sim.scripts import counting as counting
from tests.sim.scripts import dying as dying
from tests.sim.scripts import ending as ending
from tests.sim.scripts import keys as keys
from tests.sim.scripts import wires as wires
from tests.sim.scripts.book import BOOK as BOOK
from tests.sim.scripts.book import perform as perform
