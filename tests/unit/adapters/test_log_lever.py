"""The lever for a dry run: a line in the log, once per order, and nothing else."""

import time
from collections.abc import Callable

import trio

from adapters.api import LeverOrder
from adapters.log_lever import LogLever
from protocol.ids import ActionKey
from protocol.messages import Level
from protocol.subjects import asset

END_MS = int(time.time() * 1000) + 600_000
ORDER = LeverOrder(ActionKey(b"\1" * 32), "dry:log.note", asset("eip155:1", bytes(20)), Level.ISOLATE, END_MS, False)


def told(story: Callable[[LogLever], object]) -> list[str]:
    lines: list[str] = []
    trio.run(story, LogLever("dry", lines.append))
    return lines


def test_an_order_is_noted_once_however_often_it_is_applied():
    async def story(lever: LogLever) -> None:
        for _ in range(2):
            assert (await lever.apply(await lever.plan(ORDER))).ok
        assert (await lever.plan(ORDER)).already and (await lever.read_back(ORDER)).ok

    (line,) = told(story)
    assert "dry run" in line and "ISOLATE" in line


def test_a_simulation_writes_nothing_and_reads_back_as_not_done():
    async def story(lever: LogLever) -> None:
        assert (await lever.simulate(await lever.plan(ORDER))).ok
        assert not (await lever.read_back(ORDER)).ok

    assert told(story) == []


def test_undoing_says_that_it_is_over():
    async def story(lever: LogLever) -> None:
        await lever.apply(await lever.plan(ORDER))
        assert (await lever.undo(ORDER)).ok and (await lever.undo(ORDER)).ok

    assert len(told(story)) == 2
