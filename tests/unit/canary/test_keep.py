"""When the canary looks and what people are told of it."""

from __future__ import annotations

from collections.abc import Iterator

import trio
from trio.testing import MockClock

from node.canary.keep import AGAIN_S, FIRST_S, LOOK_S_MAX, Canary
from node.canary.look import GOSSIP, LEVERS, PARTS, Found
from node.commands.running import canary_lines
from tests.unit.machine.world import START_MS

WELL, ILL = Found(LEVERS, True, "freeze would move"), Found(LEVERS, False, "freeze: no right")


def lines(*looks: Found) -> list[list[str]]:
    canary = Canary(300)
    return [canary.heard([one], START_MS + 20_000 * number) for number, one in enumerate(looks)]


def test_one_look_wakes_nobody_and_two_do_once() -> None:
    found = lines(WELL, ILL, ILL, ILL)
    assert [len(one) for one in found] == [0, 0, 1, 0]
    assert "levers is SILENT" in found[2][0] and "no right" in found[2][0]


def test_a_hiccup_is_forgotten() -> None:
    assert lines(ILL, WELL, ILL, WELL) == [[], [], [], []]


def test_what_is_well_again_is_told_with_how_long_it_was_not() -> None:
    assert lines(ILL, ILL, WELL)[2] == ["canary: levers is well again after 20 s: freeze would move"]


def test_parts_are_told_apart() -> None:
    canary = Canary(300)
    for _ in range(2):
        told = canary.heard([ILL, Found(GOSSIP, True, "")], START_MS)
    assert len(told) == 1
    assert [one.name for one in canary.silent()] == [LEVERS]


def run(canary: Canary, found: Iterator[Found], for_s: float) -> list[float]:
    """When it looked."""
    looked: list[float] = []

    async def way() -> list[Found]:
        looked.append(trio.current_time() - began)
        return [next(found)]

    async def main() -> None:
        nonlocal began
        began = trio.current_time()
        with trio.move_on_after(for_s):
            await canary.keep(way, lambda line: None)

    began = 0.0
    trio.run(main, clock=MockClock(autojump_threshold=0))
    return looked


def test_it_looks_a_minute_after_the_start_and_then_every_few_minutes() -> None:
    assert run(Canary(300), iter([WELL] * 9), 700) == [FIRST_S, 360, 660]


def test_it_looks_again_soon_where_it_doubts() -> None:
    assert run(Canary(300), iter([ILL, ILL, WELL]), 400) == [FIRST_S, FIRST_S + AGAIN_S, FIRST_S + AGAIN_S + 300]


def test_it_can_be_switched_off() -> None:
    assert run(Canary(0), iter(()), 10_000) == []


def test_a_look_that_hangs_or_raises_is_a_silence_of_every_part() -> None:
    canary = Canary(300)

    async def hangs() -> list[Found]:
        await trio.sleep_forever()
        return []

    async def main() -> None:
        with trio.move_on_after(FIRST_S + LOOK_S_MAX + 1):
            await canary.keep(hangs, lambda line: None)

    trio.run(main, clock=MockClock(autojump_threshold=0))
    assert [one.name for one in canary.parts.values() if one.doubted] == list(PARTS)


def test_status_has_one_line_where_all_is_well_and_one_for_each_that_is_not() -> None:
    canary = Canary(300)
    assert canary_lines(canary.told(), 0) == ["  canary has not looked yet"]
    canary.heard([WELL, Found(GOSSIP, True, "")], START_MS)
    assert canary_lines(canary.told(), START_MS + 61_000) == ["  canary looked 1m 1s ago; well: gossip, levers"]
    for _ in range(2):
        canary.heard([ILL], START_MS)
    assert canary_lines(canary.told(), START_MS)[1] == "  CANARY: levers SILENT since 0s: freeze: no right"
