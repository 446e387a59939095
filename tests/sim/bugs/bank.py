"""All planted bugs by name."""

from __future__ import annotations

from tests.sim.bugs import acting, counting, governing, releasing, saying, staying
from tests.sim.bugs.plant import Bug

BANK: dict[str, Bug] = {
    bug.name: bug
    for bugs in (counting.BUGS, releasing.BUGS, saying.BUGS, acting.BUGS, staying.BUGS, governing.BUGS)
    for bug in bugs
}
