"""Seeds against bugs: the first seed whose run breaks an invariant with the bug and none without it."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.sim.bugs.bank import BANK
from tests.sim.bugs.plant import Bug, GoneError
from tests.sim.checks import Violation
from tests.sim.memo import shared_parsing
from tests.sim.run import Case, options_of, play

WORKERS = 2
_clean: dict[Case, bool] = {}


@dataclass(frozen=True)
class Found:
    """`seeds`: how many were needed; 0 in `seed` where none was enough."""

    name: str
    invariant: str
    seed: int
    n: int
    seeds: int
    what: str = ""
    cpu_s: float = 0.0


def violations(case: Case, bug: Bug | None = None) -> list[Violation]:
    if bug is None:
        with shared_parsing():
            return play(case).violations
    with bug.plant(), shared_parsing():
        return play(case).violations


def is_clean(case: Case) -> bool:
    if case not in _clean:
        _clean[case] = not violations(case)
    return _clean[case]


def search(bug: Bug, seeds_max: int, first: int = 1) -> Found:
    """Sizes of the network take turns. A seed that draws nothing of what the bug needs is one of those needed."""
    for at in range(seeds_max):
        case = Case(first + at, bug.members[at % len(bug.members)])
        drawn = options_of(case)
        if not drawn.faults.union(drawn.scripts).issuperset(bug.needs):
            continue
        broken = violations(case, bug)
        if broken and is_clean(case):
            return Found(
                bug.name, broken[0].invariant, case.seed, case.n, first + at, broken[0].what.partition("\n")[0]
            )
    return Found(bug.name, "", 0, 0, seeds_max)


def _search(told: tuple[str, int, int]) -> Found:
    name, seeds_max, first = told
    try:
        return search(BANK[name], seeds_max, first)
    except GoneError as error:
        return Found(name, "", 0, 0, 0, str(error))


def search_all(names: Sequence[str], seeds_max: int, first: int = 1) -> Iterator[Found]:
    """Two bugs at a time, each in a process of its own: nothing planted outlives its search."""
    wanted = [(name, seeds_max, first) for name in names]
    if len(wanted) == 1:
        yield _search(wanted[0])
        return
    with multiprocessing.get_context("fork").Pool(WORKERS) as pool:
        yield from pool.imap_unordered(_search, wanted)


def again(found: Found) -> tuple[bool, bool]:
    """(the recorded seed breaks the recorded invariant with the bug, it breaks none without it)."""
    case = Case(found.seed, found.n)
    broken = {one.invariant for one in violations(case, BANK[found.name])}
    return found.invariant in broken, is_clean(case)
