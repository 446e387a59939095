"""The seeds of every build: no invariant breaks, everything that can happen did, and equal seeds are equal runs."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.sim.many import run_many
from tests.sim.memo import shared_parsing
from tests.sim.options import EVERYTHING
from tests.sim.regressions import kept
from tests.sim.run import Case, play

SHARES = ((4, 500), (7, 120), (13, 16), (31, 2))
"""n → seeds; together about two minutes on two cores."""
MET: Counter[str] = Counter()


@pytest.mark.parametrize(("n", "seeds"), SHARES)
def test_no_seed_breaks_an_invariant(n: int, seeds: int) -> None:
    tally = run_many(Case(seed, n) for seed in range(1, seeds + 1))
    MET.update(tally.coverage)
    assert [f"{what[:300]} | {case.line()}" for case, what in tally.violations] == []
    assert tally.repeated == seeds // 100


def test_every_fault_and_every_script_really_happened() -> None:
    """After the seeds above, which is the order of this file."""
    assert [name for name in EVERYTHING if not MET[name]] == []


@pytest.mark.parametrize(("name", "case"), kept(), ids=[name for name, _ in kept()])
def test_what_failed_once_fails_no_more(name: str, case: Case) -> None:
    with shared_parsing():
        assert [str(one) for one in play(case).violations] == []
