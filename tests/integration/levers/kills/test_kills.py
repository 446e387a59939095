"""A node killed at every step of a lever on contracts of others, some of them while their chain is rough: one effect
each, and one end. Many more: `python -m tests.integration.levers.kills`."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.integration.kill9.forks import Server
from tests.integration.levers.kills.__main__ import draw, result
from tests.integration.levers.kills.base import ROWS, Base, build_base
from tests.integration.levers.kills.scene import open_scene
from tests.integration.levers.kills.story import HAPPENINGS, Ended, Run, play
from tests.integration.levers.packages import AAVE, OPEN_ZEPPELIN_4, missing

why = missing(AAVE) or missing(OPEN_ZEPPELIN_4)
pytestmark = [pytest.mark.network, pytest.mark.skipif(bool(why), reason=why or "there")]
RUNS = (
    ("simulate.before", "nothing"),
    ("chain.pool", "stuck"),
    ("chain.after", "replaced"),
    ("apply.after", "lost"),
    ("read_back.before", "reorganised"),
    ("chain.after#2", "stuck"),
    ("undo.after", "lies"),
)


@pytest.fixture(scope="module")
def base() -> Base:
    return build_base(len(RUNS))


def test_it_acts_once_and_ends_what_it_did(base: Base, tmp_path: Path) -> None:
    forks = Server(tmp_path)
    scene = open_scene(tmp_path / "node", base, forks)
    try:
        ended = [play(scene, Run(number, *told)) for number, told in enumerate(RUNS)]
    finally:
        scene.close()
        forks.close()
    assert [one for one in ended if one.doubles or one.lost] == []
    assert all(one.reached for one in ended)


def test_the_long_run_draws_everything_and_counts_what_went_wrong() -> None:
    chance = random.Random(1)
    drawn = [draw(chance, number) for number in range(600)]
    assert {one.happening for one in drawn} == set(HAPPENINGS) and len({one.step for one in drawn}) > 20
    found = result([Ended(drawn[0], True, 1, "", 1.0), Ended(drawn[1], True, 0, "gone", 1.0)], 0)
    assert (found["runs"], found["double_actions"], found["lost"]) == (2, 1, 1)


def test_every_other_lever_is_a_tokens_and_each_row_of_the_market_has_one(base: Base) -> None:
    calls = [one.call for one in base.spots]
    assert calls[::2] == ["pausable.pause"] * 4 and calls[1::2] == [row.declared.call for row in ROWS]
