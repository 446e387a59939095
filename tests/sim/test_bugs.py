"""Each planted bug is seen at its recorded seed, and that seed is clean without it."""

from __future__ import annotations

import pytest

from tests.sim.bugs import BANK
from tests.sim.bugs.cli import recorded
from tests.sim.bugs.search import is_clean, violations
from tests.sim.run import Case

FOUND = recorded()


def case_of(name: str) -> Case:
    return Case(FOUND[name].seed, FOUND[name].n)


def test_the_bank_is_large_and_what_is_not_found_says_why() -> None:
    assert len(BANK) >= 25
    assert {name for name, bug in BANK.items() if not bug.unseen and name not in FOUND} == set()


def test_bugs_are_found_soon() -> None:
    needed = sorted(one.seeds for name, one in FOUND.items() if name in BANK)
    assert needed[len(needed) // 2] <= 500


@pytest.mark.parametrize("name", sorted(set(BANK) & set(FOUND)))
def test_the_recorded_seed_shows_the_bug(name: str) -> None:
    assert FOUND[name].invariant in {one.invariant for one in violations(case_of(name), BANK[name])}


@pytest.mark.parametrize("seed, n", sorted({(one.seed, one.n) for name, one in FOUND.items() if name in BANK}))
def test_the_recorded_seed_is_clean_without_a_bug(seed: int, n: int) -> None:
    assert is_clean(Case(seed, n))
