"""Networks with f liars, replaced keys, crashes and a network that delays as it likes: two honest members never decide
differently, no honest one could be proven an equivocator, and in calm it ends. Planted mistakes show that these checks
can fail."""

from __future__ import annotations

import pytest

from tests.property.rounds_bugs import BUGS, FOUND, STORIES
from tests.property.rounds_keys import play
from tests.property.rounds_network import Broken
from tests.sim.bugs.plant import Bug

SEEDS = {4: 60, 5: 40, 6: 20, 7: 20, 13: 3}
"""Members → seeds of a run of the tests; `python -m tests.property.rounds_keys` plays more."""


@pytest.mark.parametrize("n", SEEDS)
def test_all_honest_members_decide_one_value(n: int) -> None:
    for seed in range(SEEDS[n]):
        play(seed, n)


def test_a_network_too_small_for_any_liar_decides() -> None:
    for n in (1, 2, 3):
        for seed in range(10):
            play(seed, n)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_mistake_breaks_a_story(bug: Bug) -> None:
    STORIES[bug.name]()
    with bug.plant(), pytest.raises((AssertionError, IndexError)):
        STORIES[bug.name]()


@pytest.mark.parametrize("name", FOUND)
def test_a_planted_mistake_is_found_in_a_network(name: str) -> None:
    (bug,) = [one for one in BUGS if one.name == name]
    n, seed = FOUND[name]
    play(seed, n)
    with bug.plant(), pytest.raises(Broken):
        play(seed, n)
