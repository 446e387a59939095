"""Levers tried as far as nothing is sent."""

from __future__ import annotations

import functools

import trio
from trio.testing import MockClock

from adapters.api import LeverOrder, Outcome, Plan
from node.canary.levers import TRY_S_MAX, levers
from node.canary.look import Found
from node.preflight import Seat
from tests.unit.machine.world import COIN, FREEZE, START_MS


class Pool:
    declared = FREEZE

    def __init__(self, **ill: str) -> None:
        self.ill, self.applied = ill, 0

    async def plan(self, order: LeverOrder) -> Plan:
        if "hangs" in self.ill:
            await trio.sleep_forever()
        if "raises" in self.ill:
            raise OSError(self.ill["raises"])
        return Plan(order, "will freeze", already="stands" in self.ill)

    async def simulate(self, plan: Plan) -> Outcome:
        return Outcome("refuses" not in self.ill, self.ill.get("refuses", "it would freeze"))

    async def apply(self, plan: Plan) -> Outcome:
        self.applied += 1
        return Outcome(True, "frozen")

    async def read_back(self, order: LeverOrder) -> Outcome:
        return Outcome(False, self.ill.get("mute", "nothing stands"), answered="mute" not in self.ill)

    async def undo(self, order: LeverOrder) -> Outcome:
        raise AssertionError("the canary undoes nothing")


def tried(*pools: Pool, in_use: tuple[str, ...] = ()) -> Found:
    seats = [Seat(f"freeze{n}", f"pool{n}:log.freeze", pool, COIN, ("shut",)) for n, pool in enumerate(pools)]
    look = functools.partial(levers, seats, in_use, START_MS)
    return trio.run(look, clock=MockClock(autojump_threshold=0))


def test_a_lever_that_would_move_and_answers_is_well_and_was_not_moved() -> None:
    pool = Pool()
    assert tried(pool).ok
    assert pool.applied == 0


def test_each_way_of_not_moving_is_told() -> None:
    for pool, fault in (
        (Pool(refuses="no right"), "freeze0 (pool0:log.freeze): would not move: no right"),
        (Pool(mute="no route"), "freeze0 (pool0:log.freeze): cannot be read back: no route"),
        (Pool(raises="cut"), "freeze0 (pool0:log.freeze): OSError: cut"),
        (Pool(hangs=""), f"freeze0 (pool0:log.freeze): no answer within {TRY_S_MAX:.0f} s"),
    ):
        found = tried(pool)
        assert (found.ok, found.says) == (False, fault)


def test_one_that_is_ill_hides_no_other() -> None:
    found = tried(Pool(), Pool(refuses="no right"), Pool(raises="cut"))
    assert "pool1" in found.says and "pool2" in found.says and "pool0" not in found.says


def test_what_somebody_restricted_already_is_well_where_it_can_be_read_back() -> None:
    assert tried(Pool(stands="", refuses="frozen already")).ok
    assert not tried(Pool(stands="", mute="no route")).ok


def test_a_lever_in_use_is_left_alone() -> None:
    found = tried(Pool(raises="was asked"), in_use=("pool0:log.freeze",))
    assert (found.ok, found.says) == (True, "no lever would move; in use: freeze0")
