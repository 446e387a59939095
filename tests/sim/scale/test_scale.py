"""The model keeps its own laws, and RESULT.md says what a fresh run says."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from tests.sim.scale import costs, plot, report, result
from tests.sim.scale.earth import bound, earth
from tests.sim.scale.engine import Engine, Settings, free
from tests.sim.scale.patterns import AllToAll, Collectors, committee_risks
from tests.sim.scale.run import COLLECTORS_DEAD, GOSSIP, PATTERNS, Tally, one, plain, tallied

COSTS = costs.load()
RESULT = Path(__file__).with_name("RESULT.md")
NEAR = pytest.approx(1.0, abs=1e-9)


def run_of(n: int, seed: int, settings: Settings, collectors: int = 0, dead: int = 0) -> Engine:
    made = Engine(earth(n, random.Random(seed)), settings, random.Random(seed + 1))
    made.run(Collectors(made, collectors, dead) if collectors else AllToAll(made))
    return made


@pytest.mark.parametrize("name", [*PATTERNS, GOSSIP])
def test_the_same_seed_gives_the_same_numbers(name: str) -> None:
    assert tallied(name, 19, 3, plain(COSTS)) == tallied(name, 19, 3, plain(COSTS))


@pytest.mark.parametrize("n", [5, 7, 13, 31, 50])
def test_without_any_cost_all_to_all_is_the_bound_on_every_node(n: int) -> None:
    tally = tallied("all-to-all", n, 5, free(plain(COSTS)))
    assert tally.all_ratio == [NEAR] * 5
    assert tally.node_ratio == [NEAR] * (5 * n)


def test_without_any_cost_it_is_so_with_silent_members_and_many_alarms_too() -> None:
    tally = tallied("all-to-all", 13, 5, free(replace(plain(COSTS), silent=4, topics=9)))
    assert tally.node_ratio == [NEAR] * (5 * 9 * 9)


@pytest.mark.parametrize("changes", [{}, {"silent": 4}, {"loss": 0.05}, {"topics": 6}, {"garbage": True}])
def test_nothing_makes_all_to_all_faster_than_the_bound(changes: dict[str, object]) -> None:
    tally = tallied("all-to-all", 13, 10, replace(plain(COSTS), **changes))  # type: ignore[arg-type]
    assert min(tally.node_ratio) >= 1 - 1e-9


def test_the_bound_of_three_by_hand() -> None:
    """One origin, everybody speaks: a node's Q-th earliest word, over all who could have said one."""
    there = earth(4, random.Random(5))
    rows = [there.row(i) for i in range(4)]
    expected = [sorted(rows[0][i] + rows[i][j] for i in range(4))[2] for j in range(4)]
    assert bound(there, 0, [True] * 4, 3) == expected


def test_delays_have_no_short_cuts() -> None:
    there = earth(40, random.Random(3))
    rows = [there.row(i) for i in range(40)]
    assert all(
        rows[a][c] <= rows[a][b] + rows[b][c] + 1e-9 for a in range(40) for b in range(40) for c in range(40) if a != c
    )


def test_when_all_collectors_are_silent_everybody_speaks_to_everybody_and_it_still_ends() -> None:
    dead, alive = Tally(), Tally()
    for seed in range(5):
        one("collectors", COLLECTORS_DEAD, 31, seed, plain(COSTS), dead)
        one("collectors", PATTERNS["collectors"], 31, seed, plain(COSTS), alive)
    assert all(slow > quick + 300 for slow, quick in zip(dead.all_ms, alive.all_ms, strict=True))
    assert min(dead.frames) > 3 * max(alive.frames)


def test_one_silent_collector_of_three_costs_a_grace_and_no_more() -> None:
    for seed in range(5):
        engine = run_of(19, seed, plain(COSTS), collectors=3, dead=1)
        held = [at for at in engine.held_ms[0] if at is not None]
        assert len(held) == 19
        whole = run_of(19, seed, plain(COSTS), collectors=3)
        assert max(held) < max(at or 0 for at in whole.held_ms[0]) + 700


def test_silent_members_hold_nothing_and_everybody_else_does() -> None:
    engine = run_of(13, 2, replace(plain(COSTS), silent=4))
    assert sum(at is None for at in engine.held_ms[0]) == 4


def test_a_committee_of_all_is_all_to_all_and_a_small_one_is_a_coin_against_f_liars() -> None:
    assert committee_risks(10, 3, 10) == (0.0, 0.0)
    third, alone = committee_risks(1000, 333, 50)
    assert 0.3 < third < 0.7
    assert alone < 1e-6


def test_costs_grow_where_the_machine_counts_more() -> None:
    f, q = 33, 67
    assert COSTS.word(5, f, q) < COSTS.word(60, f, q) < COSTS.word(99, f, q) < COSTS.word(q, f, q)
    assert costs.counting_for_nothing(COSTS).word(99, f, q) < 2 * COSTS.word(1, f, q)


@pytest.mark.parametrize("n", [5, 7, 13, 19, 31])
def test_result_says_what_a_fresh_run_says(n: int) -> None:
    """Same seeds, same costs: a figure that moved means that the table is stale; `--write` renews it."""
    row = result.first_table(RESULT.read_text("utf-8"))[n]
    fresh = tallied("all-to-all", n, int(row[1]), plain(COSTS)).summary()
    written = [float(cell.strip("*")) for cell in row[4:8]]
    assert written == pytest.approx([fresh[name] for name in ("p50", "p99", "node_p50", "node_p99")], abs=0.011)
    assert row[-1] == report.verdict(n, fresh)


def test_the_goal_is_judged_from_the_figures_that_stand_in_the_table() -> None:
    for n, row in result.first_table(RESULT.read_text("utf-8")).items():
        p50, p99 = (float(cell.strip("*")) for cell in row[4:6])
        misses = (p50 > report.goal_p50(n)) or (p99 > 2 * p50 + 0.02)
        assert row[-1].startswith("MISSED") == misses


def test_the_plot_is_whole() -> None:
    row = {"p50": 1.5, "p99": 2.0}
    drawn = plot.svg({"plain": {name: {str(n): row for n in plot.N_TICKS} for name in plot.COLOURS}})
    assert drawn.count('class="p50') == drawn.count('class="p99') == len(plot.COLOURS)
    assert all(title in drawn for title in report.TITLES.values())
