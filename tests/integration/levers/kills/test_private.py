"""A node killed while a relay has its transaction, which no provider knows: one effect each, and one end."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.integration.kill9.forks import Server
from tests.integration.levers.kills.__main__ import draw, privately
from tests.integration.levers.kills.base import Base, build_base
from tests.integration.levers.kills.scene import open_scene
from tests.integration.levers.kills.story import PRIVATE, Run, play
from tests.integration.levers.packages import AAVE, OPEN_ZEPPELIN_4, missing

why = missing(AAVE) or missing(OPEN_ZEPPELIN_4)
pytestmark = [pytest.mark.network, pytest.mark.skipif(bool(why), reason=why or "there")]
RUNS = (
    ("chain.before", "late"),
    ("chain.after", "late"),
    ("chain.after", "dropped"),
    ("apply.before", "swallowed"),
    ("chain.after#2", "late"),
    ("chain.after#2", "dropped"),
)


@pytest.fixture(scope="module")
def base() -> Base:
    return build_base(len(RUNS))


def test_it_acts_once_and_ends_what_it_did(base: Base, tmp_path: Path) -> None:
    forks = Server(tmp_path)
    scene = open_scene(tmp_path / "node", base, forks, private=True)
    try:
        ended = [play(scene, Run(number, *told)) for number, told in enumerate(RUNS)]
    finally:
        scene.close()
        forks.close()
    assert [one for one in ended if one.doubles or one.lost] == []
    assert all(one.reached for one in ended)


def test_a_long_run_with_a_relay_draws_what_one_without_draws() -> None:
    chance = random.Random(1)
    drawn = [draw(chance, number) for number in range(300)]
    private = [privately(one) for one in drawn]
    assert {one.happening for one in private} > set(PRIVATE) and [one.point for one in private] == [
        one.point for one in drawn
    ]
