"""The invariants of PROTOCOL section 7 as small named functions, asked after every step that can break them."""

from tests.sim.checks.base import Checker as Checker
from tests.sim.checks.base import Violation as Violation
from tests.sim.checks.table import NAMES as NAMES
